"""One writer for each file: a lock on the open file itself, which ends with its process, however that ends.

Readers are free to read meanwhile. A file system without locks, as on some network drives, has no such protection.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A new file stays locked briefly after it gets its name, and any file while another process tests its lock.
TRIES, PAUSE = 6, 0.005  # s

if sys.platform == "win32":
    import msvcrt

    FAR = 2**62  # a place in no file: Windows keeps readers away from bytes that are locked

    def lock(descriptor: int) -> bool:
        """Take the lock of a file that is open for writing, without waiting; False if someone else has it."""
        here = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:
            return True
        finally:
            os.lseek(descriptor, here, os.SEEK_SET)
        return True

else:
    import fcntl

    def lock(descriptor: int) -> bool:
        """Take the lock of a file that is open for writing; False where someone else has it, and keeps it."""
        for attempt in range(TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if attempt < TRIES - 1:
                    time.sleep(PAUSE)
                continue
            except OSError:
                return True
            return True
        return False


def is_locked(path: Path) -> bool:
    """Whether someone writes to the file; False as well where that cannot be found out."""
    with suppress(OSError, ValueError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            return not lock(descriptor)
        finally:
            os.close(descriptor)
    return False


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep others from writing to the file while the block runs, if locks are supported."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    """The owner of the lock in words: ``process 4242`` if the system says so."""
    with suppress(OSError):
        place = str(path.resolve())
        for process in Path("/proc").glob("[0-9]*"):
            if _locks(process, place):
                return f"process {process.name}"
    return "another process"


def _locks(process: Path, place: str) -> bool:
    """Whether a descriptor of the process has a lock on the file; not known for processes of other users."""
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                # By its name, as asking a foreign file for anything may hang.
                there = str(descriptor.readlink()) == place
                if there and "lock:" in (process / "fdinfo" / descriptor.name).read_text():
                    return True
    return False
