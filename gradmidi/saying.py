"""What is said to the person beside a training: as a warning, which never stops the training."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from gradmidi.errors import Notice, TrainingWarning

HERE = f"{Path(__file__).parent}{os.sep}"


def warn(message: str) -> None:
    """A :class:`TrainingWarning`."""
    _say(message, TrainingWarning)


def notice(message: str) -> None:
    """A :class:`Notice`, about something that is as it should be."""
    _say(message, Notice)


def _say(message: str, category: type[UserWarning]) -> None:
    try:
        warnings.warn(message, category, stacklevel=_outside())
    except category:  # someone has turned warnings into errors; not even that may stop a training
        print(message, file=sys.stderr)


def _outside() -> int:
    """The stack level, as of :func:`_say`, of the line that called gradmidi."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        level, frame = level + 1, frame.f_back
    return level
