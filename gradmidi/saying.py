"""Messages to the user during a training: warnings, which never stop the training."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType

from gradmidi.errors import Notice, TrainingWarning

HERE = f"{Path(__file__).parent}{os.sep}"


def warn(message: str) -> None:
    """A :class:`TrainingWarning`."""
    _say(message, TrainingWarning)


def notice(message: str) -> None:
    """A :class:`Notice`, about something that is as it should be."""
    _say(message, Notice)


def _say(message: str, category: type[UserWarning]) -> None:
    line = _line_outside()
    try:
        # Without the registry by which Python shows a warning only once: a cell that is run again says it again.
        warnings.warn_explicit(
            message, category, line.f_code.co_filename, line.f_lineno, line.f_globals.get("__name__")
        )
    except category:  # someone has turned warnings into errors, which must not stop a training either
        print(message, file=sys.stderr)


def _line_outside() -> FrameType:
    """The frame of the line that called gradmidi."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        frame = frame.f_back
    return frame
