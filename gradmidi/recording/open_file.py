"""The file that a recording is written to while training runs: one writer, and no earlier recording lost."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary, WeakSet

from gradmidi.errors import InputError
from gradmidi.files import cannot_write, open_raw
from gradmidi.files.destination import find_destination, is_stream
from gradmidi.files.lock import holder, is_locked, lock
from gradmidi.forking import keep_from_children, turn_to_nothing
from gradmidi.recording.existing import check_existing, continue_at, has_content, head_of, set_aside

TRIES = 100  # to open a file that others rename or remove at the same moment
MOVED = (errno.EEXIST, errno.ENOENT, errno.EBUSY)  # errors that this causes

_known: WeakSet[RecordFile] = WeakSet()
# Kept here too; otherwise a session that is dropped with its file could find it closed when it writes its last rows.
_descriptors: WeakKeyDictionary[RecordFile, io.FileIO] = WeakKeyDictionary()


class RecordFile:
    """A file that is open for writing at its end, locked against other writers, with ``head`` at the top.

    Links are followed. A device, a FIFO or a standard stream is written to directly. A writer of this process that has
    the file open is ended first; a writer of another process is an error. In a forked child nothing is written.

    Args:
        path: the file; missing folders are created.
        head: the lines at the top of a new file.
        existing: what happens to an earlier file that is not empty: ``"keep"`` renames it to the next free numbered
            name, ``"append"`` continues it, ``"replace"`` overwrites it.
        take_columns: called with the lines at the top of a file to be continued and its name; returns its number of
            columns, or raises InputError.
        on_taken: called when a later writer of this process takes over the file.

    Attributes:
        raw: unbuffered, at its end.
        path: absolute current path of the file; None if it has been replaced, and for a stream.
        is_stream: it is a device, a FIFO or a standard stream.
        size: bytes at the top of a new file.
        next_step: the step after the last one of a file that is continued, else None.
        notices: what the user should know, one line each.

    Raises:
        InputError: the file cannot be written or belongs to someone else, ``existing`` is not a valid choice, or the
            file to be continued does not match.
    """

    def __init__(
        self,
        path: Path,
        head: bytes,
        existing: str,
        take_columns: Callable[[list[str], str], int],
        on_taken: Callable[[], object] | None = None,
    ) -> None:
        check_existing(existing)
        self.shown = str(path)
        self.notices: list[str] = []
        self.next_step: int | None = None
        self.path: Path | None = None
        self.is_stream = is_stream(path)
        self.size = 0
        self.raw: io.FileIO
        self._take_columns = take_columns
        self._on_taken = on_taken
        # Before there is a descriptor: one that Ctrl-C leaves open is then found, and closed, by the next writer.
        _known.add(self)
        keep_from_children(self)
        try:
            if self.is_stream:
                self.raw = _opened(path)
                self._write(head)
            else:
                self._open(path, head, existing)
        except OSError as error:
            raise cannot_write(path, error) from error

    def found(self) -> Path:
        """Where the file can be read.

        Raises:
            InputError: it has been replaced, or went into a device or a pipe.
        """
        if self.path is None:
            fate = "cannot be read back" if self.is_stream else "has been replaced by a later recording"
            raise InputError(f"{self.shown} {fate}")
        return self.path

    def begin(self, head: bytes) -> None:
        """Truncate the file to ``head``.

        Raises:
            OSError: the disk is full; the file is empty then.
        """
        self.raw.truncate(0)
        self.raw.seek(0)
        try:
            self._write(head)
        except OSError:
            self.raw.truncate(0)
            raise
        self.size = self.raw.tell()

    def close(self) -> None:
        self.raw.close()

    def leave_to_parent(self) -> None:
        """See :class:`gradmidi.forking.Inherited`."""
        _known.discard(self)
        self._on_taken = None
        turn_to_nothing(self.raw.fileno())

    def _open(self, path: Path, head: bytes, existing: str) -> None:
        place = find_destination(path).place
        real = self.path = place.parent.resolve() / place.name
        if existing == "append":
            self._check(real)
        self._end_earlier(real)
        is_new = not real.exists()
        self._acquire(real)
        kept = None
        while existing == "keep" and has_content(self.raw):
            kept = self._set_aside(real)
            self._acquire(real)
        if existing == "append" and has_content(self.raw):
            self._continue()
            return
        try:
            self.begin(head)
        except OSError:  # a failed start changes nothing
            self.close()
            if kept is not None:
                kept.replace(real)
                self._follow(kept, real)
            elif is_new:
                real.unlink(missing_ok=True)
            raise
        for other in self._others():
            if other.path == real:
                other.path = None

    def _others(self) -> list[RecordFile]:
        return [other for other in _known if other is not self]

    def _check(self, real: Path) -> None:
        """Refuse a file that does not match before another writer is ended."""
        if real.is_file():
            with io.FileIO(real, "rb") as file:
                if has_content(file):
                    self._take_columns(head_of(file, self.shown).lines, self.shown)

    def _end_earlier(self, real: Path) -> None:
        """End an earlier writer of this process (a rerun cell, a second model): the newest gets the file."""
        for other in self._others():
            raw = getattr(other, "raw", None)
            if raw is not None and not raw.closed and (other.path == real or _is_at(raw, real)):
                self.notices.append(f"{self.shown}: an earlier session was still recording to it and has been ended")
                if other._on_taken is not None:
                    other._on_taken()
                other.close()

    def _acquire(self, real: Path) -> None:
        """Open and lock the existing file, or a new one."""
        for attempt in range(TRIES):
            try:
                self.raw = _opened(real)
            except InputError as error:
                reason = error.__cause__
                if not isinstance(reason, OSError):
                    raise
                if reason.errno in MOVED and attempt < TRIES - 1:
                    continue
                raise cannot_write(Path(self.shown), reason) from error
            if not lock(self.raw.fileno()):
                self.raw.close()
                raise InputError(f"{self.shown} is being recorded to by {holder(real)}; end that, or give another name")
            if _is_at(self.raw, real):
                _descriptors[self] = self.raw
                return
            self.raw.close()
        raise InputError(f"cannot write {self.shown}: others keep renaming or removing it; give another name")

    def _set_aside(self, real: Path) -> Path:
        if sys.platform == "win32":  # an open file cannot be renamed there
            self.raw.close()
        try:
            kept = set_aside(real)
        except OSError as error:
            raise InputError(
                f"cannot keep the earlier {self.shown} under another name: {error.strerror}; choose another folder"
            ) from error
        self.raw.close()
        self._follow(real, kept)
        shown = kept.name if kept.parent == Path(self.shown).parent.resolve() else kept
        self.notices.append(f"{self.shown}: the earlier recording is kept as {shown}")
        return kept

    def _follow(self, before: Path, now: Path) -> None:
        for other in self._others():
            if other.path == before:
                other.path = now

    def _continue(self) -> None:
        head = head_of(self.raw, self.shown)
        seam = continue_at(self.raw, head.end, self._take_columns(head.lines, self.shown), self.shown)
        self.next_step = seam.next_step
        if seam.repaired:
            self.notices.append(f"{self.shown}: its last line was cut short and has been removed")

    def _write(self, head: bytes) -> None:
        if self.raw.write(head) != len(head):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refuse_if_recorded(path: Path) -> None:
    """Refuse to replace a file that is being recorded to, as its next steps would be lost.

    Raises:
        InputError: it is being recorded to.
    """
    if not is_stream(path) and is_locked(path):
        raise InputError(f"cannot write {path}: {holder(path)} is recording to it; give another name")


def _opened(path: Path) -> io.FileIO:
    """Open for appending, so that a second writer cannot overwrite a line even without locks."""
    descriptor = open_raw(path, empty=False)
    if sys.platform != "win32":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    return io.FileIO(descriptor, "r+")


def _is_at(file: io.FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
