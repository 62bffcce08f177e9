"""Temporary files next to their targets, with unguessable names; leftovers of killed processes are removed.

A file is locked for as long as its writer lives. A file with our prefix that belongs to us and is not locked is a
leftover.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

PREFIX, ENDING = ".gradmidi-", ".part"
_OURS = re.compile(re.escape(PREFIX) + "[0-9a-f]{16}" + re.escape(ENDING))
_ATTEMPTS = 50  # to lock a new file; more are a sign of a process that takes every lock, which is harmless
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)


def new_file(folder: Path, mode: int) -> tuple[BinaryIO, Path]:
    """A file in ``folder`` that was not there before, locked, open for writing and reading; and its name.

    Raises:
        OSError: nothing can be made there.
    """
    for attempt in range(_ATTEMPTS):
        name = folder / f"{PREFIX}{secrets.token_hex(8)}{ENDING}"
        descriptor = open_new(name, mode)
        # One that is just being made looks like a leftover until it is locked, and may be cleaned away.
        if (_lock(descriptor) or attempt == _ATTEMPTS - 1) and os.fstat(descriptor).st_nlink:
            return os.fdopen(descriptor, "w+b"), name
        os.close(descriptor)
        with suppress(OSError):
            name.unlink()
    raise BlockingIOError(errno.EBUSY, "another process removes every file that is created there")


def open_new(path: Path, mode: int = 0o666) -> int:
    """Descriptor of a file that did not exist, with the rights ``mode`` less the umask.

    Raises:
        FileExistsError: the name exists, even as a dangling link.
        OSError: nothing can be made there.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_LINK | PLAIN, mode)


def remove_leftovers(folder: Path) -> None:
    """Remove the leftovers of ended processes from ``folder``; errors are ignored."""
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [Path(entry.path) for entry in entries if _OURS.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_leftover(name)


def _remove_leftover(name: Path) -> None:
    descriptor = os.open(name, os.O_RDWR | NO_LINK | PLAIN | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(descriptor)
        ours = sys.platform == "win32" or found.st_uid == os.geteuid()
        leftover = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and ours and _lock(descriptor, without=False)
        if leftover and sys.platform != "win32":
            name.unlink()
    finally:
        os.close(descriptor)
    if leftover and sys.platform == "win32":
        name.unlink()  # which Windows refuses while a living process has it open


def _lock(descriptor: int, without: bool = True) -> bool:
    """Take the lock that ends with the process; False if somebody else has it, ``without`` where there are no locks."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return without
    return True
