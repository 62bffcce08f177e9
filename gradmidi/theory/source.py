"""Reading the small text files that describe scales, with errors that name the file."""

from os import PathLike
from pathlib import Path

from gradmidi.errors import InputError

MAX_BYTES = 4_000_000  # a scale file is a few KB; anything this large was picked by mistake


def read_bytes(path: str | PathLike[str]) -> bytes:
    """The contents of a scale file. Raises InputError if it cannot be read or is larger than 4 MB."""
    try:
        file = Path(path)
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES:,} bytes, so not a scale file; check the name")
        return file.read_bytes()
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name and the folder") from None
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise InputError(f"{path!s}: cannot be read ({reason}); check the name and the permissions") from None


def decode(data: bytes) -> str:
    """Text as UTF-8 where it is valid UTF-8 (with or without a mark), else as Latin-1, which always succeeds."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
