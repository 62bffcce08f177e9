"""Standard input, output and error as we need them: open, and able to take any letter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gradmidi.errors import InputError


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


@contextmanager
def to_stdout() -> Iterator[None]:
    """A result that cannot be written is an error, unlike a message; that its reader has gone is none.

    Raises:
        InputError: the disk or whatever stands there is full.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(1)
        raise InputError(f"cannot write to standard output: {error.strerror}; free some space") from None
