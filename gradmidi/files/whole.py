"""Writing files so that they are either complete or absent, and where the user expects them.

A file is written under a temporary name in the folder it belongs to, flushed to the disk (``fsync``) and renamed, so
that after a crash or a power cut there is the earlier file or the new one. The folder itself is not flushed: after a
power cut the earlier file may be back. What cannot be replaced that way (a device, a FIFO, a file of several names) is
made elsewhere and then written there in one go.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from gradmidi.errors import InputError
from gradmidi.files.destination import Destination, find_destination
from gradmidi.files.temporary import NO_LINK, PLAIN, new_file, open_new, remove_leftovers

PERMISSIONS = 0o777
REMEDIES = {errno.ENOSPC: "free some space or choose another place", errno.EDQUOT: "free some space", errno.EPIPE: ""}


def check_folder(folder: Path) -> None:
    """Refuse, before any work is done, a path that is not a folder or in which nothing can be created.

    Raises:
        InputError: a file is in its way, or the rights are missing.
    """
    try:
        existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    except (OSError, ValueError) as error:
        raise cannot_write(folder, error) from None
    if not existing.is_dir():
        raise InputError(f"cannot write into {folder}: {existing} is a file; choose another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into {folder}: {existing} may not be written to; choose another folder")


def check_file(path: Path) -> None:
    """Refuse, before any work is done, a name that :func:`whole_file` would refuse.

    Raises:
        InputError: see :func:`whole_file`.
    """
    try:
        target = find_destination(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    if not target.direct:
        check_folder(target.place.parent)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file open for writing and seeking, which becomes ``path`` if the block ends well and is discarded otherwise.

    A new file gets the rights that the umask leaves, one that replaces another those of its predecessor. See
    :func:`gradmidi.files.destination.find_destination` for links, devices and other people's files. Half-written files
    of processes that were killed are removed from the folder.

    Raises:
        InputError: ``path`` cannot be a file, cannot be written to, or the disk is full.
    """
    try:
        target = find_destination(path)
        with _written_into(target) if target.direct else _replaced(target) as file:
            yield file
    except OSError as error:
        raise cannot_write(path, error) from error


def open_raw(path: Path, *, empty: bool = True) -> int:
    """Descriptor for writing and reading ``path`` during work; created, with its folder, if it does not exist.

    Links and other people's files are treated as :func:`whole_file` does.

    Args:
        path: the file, or a device.
        empty: whether an ordinary file is truncated.

    Raises:
        InputError: ``path`` cannot be a file, or cannot be written to.
    """
    try:
        target = find_destination(path)
        if target.before is None:
            target.place.parent.mkdir(parents=True, exist_ok=True)
            return open_new(target.place)
        descriptor = _open_existing(target, os.O_RDWR)
        if empty and target.is_file:
            os.ftruncate(descriptor, 0)
        return descriptor
    except OSError as error:
        raise cannot_write(path, error) from error


def spool(path: Path) -> BinaryIO:
    """A nameless file that is deleted when closed, if possible on the same disk as ``path``."""
    with suppress(OSError):
        return cast(BinaryIO, tempfile.TemporaryFile(dir=path.parent))
    return cast(BinaryIO, tempfile.TemporaryFile())


def cannot_write(path: Path, error: Exception) -> InputError:
    """The error message for the user."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    remedy = REMEDIES.get(getattr(error, "errno", 0) or 0, "choose another place")
    return InputError(f"cannot write {path}: {reason}" + (f"; {remedy}" if remedy else ""))


@contextmanager
def _replaced(target: Destination) -> Iterator[BinaryIO]:
    folder = target.place.parent
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    file, name = new_file(folder, 0o666 if target.before is None else 0o600)
    try:
        with file:
            yield file
            file.flush()
            if target.before is not None:
                _take_after(target.before, file.fileno())
            _to_disk(file.fileno())
            if sys.platform != "win32":
                name.replace(target.place)  # while it is locked, or it could be taken for a leftover
        if sys.platform == "win32":
            name.replace(target.place)
    finally:
        with suppress(OSError):
            name.unlink(missing_ok=True)


@contextmanager
def _written_into(target: Destination) -> Iterator[BinaryIO]:
    with os.fdopen(_open_existing(target, os.O_WRONLY), "wb") as out, tempfile.TemporaryFile() as file:
        yield cast(BinaryIO, file)
        file.seek(0)
        shutil.copyfileobj(file, out)
        out.flush()
        if target.is_file:
            out.truncate()
            _to_disk(out.fileno())


def _open_existing(target: Destination, flags: int) -> int:
    if target.before is None or not target.is_file:
        return os.open(target.place, os.O_WRONLY | PLAIN)
    if target.place.is_symlink():  # of /proc or /dev, as all others were followed
        return os.open(target.place, os.O_WRONLY | PLAIN)
    descriptor = os.open(target.place, flags | NO_LINK | PLAIN)
    if not os.path.samestat(os.fstat(descriptor), target.before):
        os.close(descriptor)
        raise OSError(errno.EBUSY, "another process put a file there in the meantime")
    return descriptor


def _take_after(before: os.stat_result, descriptor: int) -> None:
    """Give a new file the owner and the rights of the one it replaces, as far as we may."""
    if hasattr(os, "fchown"):
        with suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & PERMISSIONS)


def _to_disk(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing
            raise
