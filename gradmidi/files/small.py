"""Small files written by people, as bytes, text or a TOML table; errors name the file and what it should be."""

from __future__ import annotations

import tomllib
from os import PathLike
from typing import Any

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.printable import printable

MAX_BYTES = 4_000_000  # such files have a few KB; anything this large was picked by mistake
MAX_TOML_BYTES = 500_000  # tomllib takes half a second for it at worst
REASON = 120  # characters of what a parser says


def read_bytes(path: str | PathLike[str], what: str = "a scale file", limit: int = MAX_BYTES) -> bytes:
    """The contents of ``path``, which should be ``what``.

    Raises:
        InputError: it cannot be read or is larger than ``limit`` bytes.
    """
    try:
        with Source(path, what) as source, source.opened() as file:
            data = file.read(limit + 1)
    except TypeError:
        raise InputError(f"{path!r} is not a file name; give {what}") from None
    if len(data) > limit:
        raise InputError(f"{path}: larger than {limit:,} bytes, so not {what}; check the name")
    return data


def read_toml(path: str | PathLike[str], what: str) -> dict[str, Any]:
    """The table in the TOML file ``path``, which should be ``what``.

    Raises:
        InputError: it cannot be read, is not UTF-8 or not TOML, or nests too deeply.
    """
    data = read_bytes(path, what, MAX_TOML_BYTES)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise InputError(f"{path}, line {line}: not UTF-8 text, which TOML has to be; save it as UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: not a TOML file (nested too deeply); check the brackets") from None
    except ValueError as error:  # tomllib's own, or Python's about a number of thousands of digits
        raise InputError(f"{path}: not a TOML file ({printable(error, REASON)})") from None


def decode(data: bytes) -> str:
    """Text as UTF-8 where it is valid UTF-8 (with or without a mark), else as Latin-1, which always succeeds."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
