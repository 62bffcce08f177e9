"""Standard input, output and error as we need them: open, and able to take any letter."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def mend_streams() -> None:
    """Open what our caller closed, and have letters that a terminal's encoding lacks escaped."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            # A file opened later must not get this number, or what libraries print would end up in it.
            silence(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def silence(number: int) -> None:
    """Let nobody hear what goes to a stream: its reader has gone, and Python tries again when it ends."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)
