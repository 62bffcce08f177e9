"""Sources of readers: a file, or the contents of a pipe, kept so that it can be read again; never a device.

Every reader of a recording or of a log starts here, so that ``-``, ``<(cat norms.csv)``, a FIFO, ``/dev/zero``, a name
with a NUL and a disk that fails are treated alike, with one line for each failure.
"""

from __future__ import annotations

import math
import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from gradmidi.errors import InputError

STDIN = "-"
STDIN_NAME = "standard input"
IN_MEMORY = 2**24  # bytes of a pipe that are kept in memory; more go to a temporary file
MOST_PIPED = 2**30  # bytes read from a pipe, so that an endless one does not fill the disk
CHUNK = 2**20
WRITER_SECONDS = 10.0  # s to wait for a writer of a FIFO
# Kinds of files that are refused; each is endless, or waits for input.
REFUSED = ((stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"), (stat.S_ISSOCK, "a socket"))


class Source:
    """A file, a folder, or a pipe, of which a copy is made; to be used as a context manager, which ends the copy.

    Args:
        path: a file or folder; ``"-"`` as text is standard input. ``~`` is expanded where no file has that very name.
        give: what should be given, for the message about a missing file, such as ``"the norms.csv of a run"``.

    Attributes:
        name: what messages call it.
        path: where it is, for its ending and its stem.
        is_folder: it has no bytes to open.
        size: of the file in bytes; 0 for a folder.

    Raises:
        InputError: it is missing, is a device or a socket, cannot be read, or more than 1 GiB came through a pipe.
    """

    def __init__(self, path: str | os.PathLike[str], give: str = "the norms.csv of a run") -> None:
        is_stdin = isinstance(path, str) and path == STDIN
        self.name = STDIN_NAME if is_stdin else os.fspath(path)
        self.path = Path(self.name) if is_stdin else _expanded(self.name)
        self._copy: BinaryIO | None = None
        try:
            found = os.fstat(0) if is_stdin else self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(f"{self.name}: no such file; give {give}") from None
        except OSError as error:
            raise _unreadable(self.name, error) from None
        self.is_folder = stat.S_ISDIR(found.st_mode)
        self.size = 0 if self.is_folder else found.st_size
        kind = next((what for is_it, what in REFUSED if is_it(found.st_mode)), None)
        if kind is not None:
            reason = "nothing is piped into it" if is_stdin else f"it is {kind}, not a file"
            raise InputError(f"cannot read {self.name}: {reason}; give {give}")
        if is_stdin or stat.S_ISFIFO(found.st_mode):
            chunks = iter(lambda: os.read(0, CHUNK), b"") if is_stdin else _from_fifo(self.path, self.name)
            self._copy = _copy_of(self.name, chunks)
            self.size = self._copy.tell()

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The bytes from their start; may be called again afterwards.

        Raises:
            InputError: it is a folder, or the system fails to open or, within the block, to read it.
        """
        if self.is_folder:
            raise InputError(f"cannot read {self.name}: it is a folder; give a file in it")
        try:
            if self._copy is not None:
                self._copy.seek(0)
                yield self._copy
            else:
                with self.path.open("rb") as file:
                    yield file
        except OSError as error:
            raise _unreadable(self.name, error) from error

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            self._copy.close()


def _expanded(name: str) -> Path:
    """The path, with ``~`` and ``~user`` expanded where there is such a user and no file of that very name.

    Raises:
        InputError: no file can have that name.
    """
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        raise InputError(f"{name!r} is not a name that a file can have") from None
    if not name or "\0" in name:
        raise InputError(f"{name!r} is not a name that a file can have")
    return Path(name if os.path.lexists(name) else os.path.expanduser(name))  # noqa: PTH111 - Path's raises for ~nobody


def _copy_of(name: str, chunks: Iterator[bytes]) -> BinaryIO:
    """The contents of a pipe, in memory as long as they are small.

    Raises:
        InputError: it is too much, there is no writer, or the system fails.
    """
    copy = cast(BinaryIO, SpooledTemporaryFile(IN_MEMORY, prefix="gradmidi"))  # noqa: SIM115 - the caller closes it
    try:
        for chunk in chunks:
            copy.write(chunk)
            if copy.tell() > MOST_PIPED:
                most = f"more than {MOST_PIPED / 2**30:g} GiB came through the pipe"
                raise InputError(f"cannot read {name}: {most}; write it to a file and give that")
    except BaseException as error:
        copy.close()
        if isinstance(error, OSError):
            raise _unreadable(name, error) from error
        raise
    return copy


def _from_fifo(path: Path, name: str) -> Iterator[bytes]:
    """What others write into a FIFO until the last of them leaves; waits for the first one, but not forever."""
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ready = select.poll()
        ready.register(pipe, select.POLLIN)
        end = time.monotonic() + WRITER_SECONDS
        while True:
            is_ready = bool(ready.poll(50))
            try:
                chunk = os.read(pipe, CHUNK)
            except BlockingIOError:  # a writer has it open, but has written nothing yet
                end = math.inf
                continue
            if chunk:
                yield chunk
            elif is_ready:
                return
            elif time.monotonic() > end:
                raise InputError(f"cannot read {name}: nothing was written to the pipe for {WRITER_SECONDS:g} s")
    finally:
        os.close(pipe)


def _unreadable(name: str, error: OSError) -> InputError:
    return InputError(f"cannot read {name}: {error.strerror or error}; check the name and the permissions")
