"""Where a path leads before anything is written there, as with ``cp`` but with caution in shared folders."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gradmidi.errors import InputError

MOST_LINKS = 40  # followed from one name, as Linux does
SYSTEM_FOLDERS = (Path("/dev"), Path("/dev/fd"))  # where names stand for devices and open files, as in all of /proc
ACCESS_LIST = "system.posix_acl_access"
ROOT = 0


class Destination(NamedTuple):
    """The file that a path refers to.

    Attributes:
        place: its path with links followed; for a stream the path as given.
        before: what exists there already, or None.
        direct: it has to be written in place; any other file is replaced by a complete one.
    """

    place: Path
    before: os.stat_result | None
    direct: bool

    @property
    def is_file(self) -> bool:
        """Whether there is an ordinary file already."""
        return self.before is not None and stat.S_ISREG(self.before.st_mode)


def find_destination(path: Path) -> Destination:
    """Where writing to ``path`` leads; makes nothing.

    Links made by us or by root are followed. Devices, FIFOs, files of several names and those whose owner or access
    list a new file could not have are written into.

    Raises:
        InputError: a folder, a disk, a link to nothing, or another user's link or file in a shared folder.
        OSError: the path, or what is there, cannot be written.
    """
    _check_name(path)
    place = _follow(path)
    try:
        before = place.stat() if _is_of_the_system(place) else place.lstat()
    except FileNotFoundError:
        if place != path:
            raise InputError(f"cannot write {path}: it is a link to nothing ({place}); remove the link") from None
        return Destination(place, None, direct=False)
    if stat.S_ISDIR(before.st_mode):
        raise InputError(f"cannot write {path}: it is a folder; give a file name")
    if stat.S_ISBLK(before.st_mode):
        raise InputError(f"cannot write {path}: it is a disk; give a file name")
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if not stat.S_ISREG(before.st_mode) or _is_of_the_system(place):
        return Destination(place, before, direct=True)
    folder = place.parent.stat()
    if _is_planted(before, folder):
        raise InputError(f"cannot write {path}: it is another user's file in a shared folder; choose another name")
    return Destination(place, before, direct=_keeps_its_file(place, before, folder))


def is_stream(path: Path) -> bool:
    """Whether ``path`` is a device or a FIFO, whose name says nothing about the format of what is written there."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISDIR(mode) and (not stat.S_ISREG(mode) or _is_of_the_system(path))


def is_standard_output(path: Path) -> bool:
    """Whether what is written to ``path`` goes where ``print`` goes."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except (OSError, ValueError):
        return False


def _check_name(path: Path) -> None:
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise InputError(f"cannot write {path}: no file can be called that; give another name")


def _follow(path: Path) -> Path:
    place = path
    for _ in range(MOST_LINKS):
        if not place.is_symlink() or _is_of_the_system(place):
            return place
        if _user() not in (None, place.lstat().st_uid) and place.lstat().st_uid != ROOT:
            raise InputError(
                f"cannot write {path}: {place} is a link that another user made; name the file that it leads to"
            )
        place = place.parent / place.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_of_the_system(place: Path) -> bool:
    return place.parent in SYSTEM_FOLDERS or place.parts[:2] == ("/", "proc")


def _user() -> int | None:
    return os.geteuid() if hasattr(os, "geteuid") else None


def _is_planted(file: os.stat_result, folder: os.stat_result) -> bool:
    """Whether someone may have left this file for us to write into: what Linux calls ``fs.protected_regular``."""
    sticky_for_all = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
    return bool(sticky_for_all) and _user() not in (None, file.st_uid) and file.st_uid != folder.st_uid


def _keeps_its_file(place: Path, before: os.stat_result, folder: os.stat_result) -> bool:
    """Whether replacing the file by a new one would lose something.

    In a folder where everyone may write, a hard link can be a trap: there a new file is made.
    """
    if folder.st_mode & stat.S_IWOTH:
        return False
    special = before.st_nlink > 1 or not _may_own(before) or _has_access_list(place)
    return special or not os.access(place.parent, os.W_OK | os.X_OK)


def _may_own(file: os.stat_result) -> bool:
    user = _user()
    if user in (None, ROOT):
        return True
    return file.st_uid == user and file.st_gid in (os.getegid(), *os.getgroups())


def _has_access_list(place: Path) -> bool:
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            return ACCESS_LIST in os.listxattr(place)
    return False
