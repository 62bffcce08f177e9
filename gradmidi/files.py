"""Writing files so that they are whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gradmidi.errors import InputError


def check_folder(folder: Path) -> None:
    """Refuse, before any work is done, a folder that is none or in which nothing can be made.

    Raises:
        InputError: a file is in its way, or the rights are missing.
    """
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise InputError(f"cannot write into {folder}: {existing} is a file; choose another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into {folder}: {existing} may not be written to; choose another folder")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` with the same ending; renamed to ``path`` if the block ends well, else removed.

    Raises:
        InputError: the folder does not exist and cannot be made, or cannot be written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder; give a file name")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        yield temporary
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot write {path}: {reason}; choose another place or free some space") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
