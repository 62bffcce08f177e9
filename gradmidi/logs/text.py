"""The decoded lines of a text; anything but UTF-8 is refused with the command that converts it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.logs.unreadable import check_file

BEGIN = 2**16  # bytes that show whether a file is text
BYTE_ORDER_MARK = codecs.BOM_UTF8


def begin_of(source: Source, size: int = BEGIN) -> bytes:
    """The first bytes of a file, without UTF-8's byte order mark."""
    with source.opened() as file:
        return file.read(size).removeprefix(BYTE_ORDER_MARK)


def lines_of(source: Source) -> Iterator[tuple[int, str]]:
    """Every line with its number, counted from 1; empty ones are skipped.

    Raises:
        InputError: the file cannot be read, or is not UTF-8.
    """
    _check(source)
    with source.opened() as file:
        for number, line in enumerate(file, 1):
            text = _decoded(line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line, source, f", line {number}")
            if text and not text.isspace():
                yield number, text


def text_of(source: Source) -> str:
    """The entire text.

    Raises:
        InputError: the file cannot be read, or is not UTF-8.
    """
    _check(source)
    with source.opened() as file:
        return _decoded(file.read().removeprefix(BYTE_ORDER_MARK), source, "")


def _check(source: Source) -> None:
    begin = begin_of(source)
    check_file(source, begin)
    if b"\0" in begin:
        raise InputError(f"{source.name} is not a text file; give the log of a run")


def _decoded(line: bytes, source: Source, where: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        advice = "convert it, from Latin-1 with iconv -f LATIN1 -t UTF-8"
        raise InputError(f"{source.name}{where} is not UTF-8 text; {advice}") from None
