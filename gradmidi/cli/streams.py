"""Standard input, output and error as we need them: open, and able to encode any character."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gradmidi.errors import InputError


def mend_streams() -> None:
    """Open the streams that our caller closed, and escape characters that a terminal's encoding lacks."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            # A file opened later must not get this number, or what libraries print would end up in it.
            silence(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def silence(number: int) -> None:
    """Discard what is written to a stream: its reader has gone, and Python flushes it once more at exit."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)


@contextmanager
def to_stdout() -> Iterator[None]:
    """A result that cannot be written is an error, unlike a message; a reader that has gone is not.

    Raises:
        InputError: the disk or device is full.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(1)
        raise InputError(f"cannot write to standard output: {error.strerror}; free some space") from None
