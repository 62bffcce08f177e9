"""Captions → WebVTT (https://www.w3.org/TR/webvtt1/): timed text that players show and screen readers read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gradmidi.files import whole_file
from gradmidi.printable import printable

HEAD = "WEBVTT\n"
LONGEST = 4_000  # characters of a line
# ">" is escaped as well, so that no text holds "-->", which a parser takes for a line of times.
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Caption(NamedTuple):
    """What is said from ``start`` to ``end``, in whole milliseconds; each line of the text is a sentence or a few."""

    start: int
    end: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it on one line."""
        return " ".join(self.lines)


def webvtt(captions: Iterable[Caption]) -> str:
    """The file. Names in the text are text: no markup, no line break, no control character of theirs has an effect."""
    return "\n".join([HEAD, *map(_cue, captions)])


def write_webvtt(captions: Iterable[Caption], path: Path) -> None:
    """Write the file, which is either complete or absent.

    Raises:
        InputError: it cannot be written.
    """
    with whole_file(path) as file:
        file.write(webvtt(captions).encode())


def clock(milliseconds: int) -> str:
    """Such as ``00:01:02.500``."""
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _cue(caption: Caption) -> str:
    lines = [line for line in (printable(text, LONGEST).strip().translate(ESCAPES) for text in caption.lines) if line]
    return "\n".join([f"{clock(caption.start)} --> {clock(caption.end)}", *(lines or ["…"]), ""])
