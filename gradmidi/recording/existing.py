"""What happens to an earlier recording when a new one begins: kept under another name, continued or replaced."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gradmidi.errors import InputError
from gradmidi.recording.companion import is_taken, take_along

EXISTING = ("keep", "append", "replace")
OWN_MARK = b"# format: gradmidi recording"  # how a file that gradmidi wrote begins
STEP = rb"-?\d+"
HEADER = re.compile(rb"\"?step\b")
TAIL = 1 << 16  # bytes that are searched first for the last line
OTHER_WAYS = "use existing='keep' or another file"


class Head(NamedTuple):
    """The lines at the top of a recording, ending with the header, and the offset at which rows begin."""

    lines: list[str]
    end: int


class Seam(NamedTuple):
    """Where a recording is appended to.

    Attributes:
        next_step: the one after the last step in the file.
        repaired: an incomplete last line was removed.
    """

    next_step: int
    repaired: bool


def check_existing(existing: str, option: str = "existing=") -> None:
    """Refuse a value that is not in :data:`EXISTING`; ``option`` is how the caller wrote it."""
    if existing not in EXISTING:
        raise InputError(f"{option}{existing!r} is not one of {', '.join(map(repr, EXISTING))}")


def has_content(file: io.FileIO) -> bool:
    """Whether there is anything to lose: an empty file, or a recording without steps, holds nothing."""
    with _lines(file) as lines:
        first = lines.readline()
        if not first.startswith(OWN_MARK):
            return bool(first)
        head = _head(first, lines)
        # A line at the top may contain steps if line ends were lost or are those of another system.
        is_whole = HEADER.match(head[-1] or b"step") and not any(b"\r" in line.rstrip(b"\r\n") for line in head)
        return not is_whole or bool(lines.read(1))


def set_aside(path: Path) -> Path:
    """Rename ``norms.csv`` to ``norms.1.csv``, or to the number after the highest in use; returns the new path.

    Its ``events.csv`` becomes ``events.1.csv``. Never overwrites anything, even if other processes use the folder.

    Raises:
        OSError: the folder cannot be written to.
    """
    number = 1 + max(_numbers(path), default=0)
    while True:
        target = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if is_taken(target):
            number += 1
            continue
        try:
            _move(path, target)
        except FileExistsError:
            number += 1
        else:
            take_along(path, target, _move)
            return target


def _numbers(path: Path) -> list[int]:
    # Longer ones are dates or the like, chosen by someone else.
    pattern = re.compile(rf"{re.escape(path.stem)}\.([1-9]\d{{0,5}}){re.escape(path.suffix)}")
    found = (pattern.fullmatch(name) for name in os.listdir(path.parent))  # noqa: PTH208
    return [int(match[1]) for match in found if match]


def _move(path: Path, target: Path) -> None:
    """Rename, but raise FileExistsError if there is a file called ``target``."""
    if sys.platform == "win32":
        path.rename(target)
        return
    try:
        _move_by_link(path, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        _move_onto_own(path, target)


def _move_by_link(path: Path, target: Path) -> None:
    try:
        target.hardlink_to(path)
        path.unlink()
    except FileExistsError:
        raise
    except BaseException:  # such as Ctrl-C: one of the two names has to be removed again
        with suppress(OSError):
            if target.samefile(path):
                target.unlink()
        raise


def _move_onto_own(path: Path, target: Path) -> None:
    """Reserve the name with an empty file first."""
    try:
        target.touch(exist_ok=False)
        path.replace(target)
    except FileExistsError:
        raise
    except BaseException:
        with suppress(OSError):
            if path.exists() and not target.stat().st_size:
                target.unlink()
        raise


def head_of(file: io.FileIO, shown: str) -> Head:
    """The lines at the top of a recording.

    Raises:
        InputError: it was not written by gradmidi.
    """
    with _lines(file) as lines:
        first = lines.readline()
        if not first.startswith(OWN_MARK):
            raise InputError(f"{shown} was not written by gradmidi, so nothing can be appended; {OTHER_WAYS}")
        head = [line.decode("utf-8", errors="replace").rstrip("\r\n") for line in _head(first, lines)]
        return Head(head, lines.tell())


def continue_at(file: io.FileIO, begin: int, columns: int, shown: str) -> Seam:
    """Position a recording, which has steps, at its end, after its last complete line.

    Args:
        file: open for reading and writing.
        begin: where in the file rows begin.
        columns: how many there are.
        shown: the file's name in messages.

    Raises:
        InputError: the last line is not a step.
    """
    size = file.seek(0, os.SEEK_END)
    end, line = _last_line(file, begin, size)
    cells = line.split(b",")
    if not re.fullmatch(STEP, cells[0]) or len(cells) != columns:
        raise InputError(f"{shown}: the last line, {line[:40]!r}, is not a step of this recording; {OTHER_WAYS}")
    if end < size:
        file.truncate(end)
    file.seek(end)
    return Seam(int(cells[0]) + 1, end < size)


def last_step(file: io.FileIO) -> int | None:
    """The step in the last row of a recording, which is then positioned at its end; None if it has no rows."""
    size = file.seek(0, os.SEEK_END)
    _, line = _last_line(file, 0, size)
    file.seek(size)
    step = line.split(b",")[0]
    return int(step) if re.fullmatch(STEP, step) else None


@contextmanager
def _lines(file: io.FileIO) -> Iterator[BinaryIO]:
    """The file from its start. Not through a second descriptor: one that Ctrl-C leaves open would keep the lock."""
    file.seek(0)
    lines = io.BufferedReader(file)
    try:
        yield lines
    finally:
        lines.detach()


def _head(first: bytes, lines: BinaryIO) -> list[bytes]:
    """The lines on top, of which the last one is the header."""
    head = [first]
    while head[-1].startswith(b"#"):
        head.append(lines.readline())
    return head


def _last_line(file: io.FileIO, begin: int, size: int) -> tuple[int, bytes]:
    """The offset after the last complete line, and the last line that is a row; rows begin at ``begin``."""
    length = TAIL
    while True:
        start = max(begin, size - length)
        file.seek(start)
        tail = file.read(size - start)
        whole = tail[: tail.rfind(b"\n") + 1]
        lines = whole.splitlines()
        if start > begin:
            lines = lines[1:]  # as its beginning is before the part that was read
        rows = [line for line in lines if line.strip() and not line.startswith(b"#")]
        if rows or start == begin:
            return start + len(whole), rows[-1] if rows else b""
        length *= 2
