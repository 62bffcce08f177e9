"""``events.csv`` next to a recording: a line per event, written as soon as it is found.

Columns are the fields of :class:`gradmidi.Event`. Text is safe to show, and safe in a spreadsheet: where it begins like
a formula, an apostrophe stands before it.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from gradmidi.errors import InputError
from gradmidi.events import Event
from gradmidi.files import open_raw
from gradmidi.forking import keep_from_children, turn_to_nothing
from gradmidi.printable import printable
from gradmidi.recording.companion import EVENTS_FORMAT, events_paths, is_events
from gradmidi.recording.existing import set_aside

COLUMNS = ("step", "phase", "kind", "where", "since", "value", "usual", "seen", "text")
HEAD = f"# format: {EVENTS_FORMAT}\n{','.join(COLUMNS)}\n".encode()
LONGEST_CELL = 1_000  # characters
FORMULA = tuple("=+-@")


class EventsFile:
    """The events file of one recording, open for writing at its end.

    Args:
        recording: absolute path of the recording, which is locked, so that nobody else writes its events.
        existing: what happens to events of an earlier recording there, as in :func:`gradmidi.listen`.
        goes_on: whether the recording is continued.

    Attributes:
        path: where they go; None where no file can be made.
        notices: what the user should know, one line each.
    """

    def __init__(self, recording: Path, existing: str, goes_on: bool) -> None:
        self.notices: list[str] = []
        self.path: Path | None = None
        self._file: io.FileIO | None = None
        wanted, *others = events_paths(recording)
        free = [path for path in (wanted, *others) if is_events(path) or not os.path.lexists(path)]
        if not free:
            self.notices.append(
                f"{wanted.name} is not gradmidi's: the events of {recording.name} are not kept in a file"
            )
            return
        if free[0] != wanted:
            self.notices.append(f"{wanted.name} is not gradmidi's: the events are in {free[0].name}")
        try:
            self._open(free[0], existing, goes_on)
        except (OSError, InputError) as error:
            self.notices.append(f"the events of {recording.name} are not kept in a file: {error}")
            self.close()

    def hear(self, event: Event) -> None:
        """Write one line.

        Raises:
            OSError: writing failed; the file still ends with a complete line.
        """
        if self._file is None or self._file.closed:
            return
        end = self._file.tell()
        line = line_of(event)
        try:
            if self._file.write(line) != len(line):
                raise OSError(28, "the disk is full")
        except OSError:
            os.ftruncate(self._file.fileno(), end)
            self._file.seek(end)
            raise

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def leave_to_parent(self) -> None:
        """See :class:`gradmidi.forking.Inherited`."""
        if self._file is not None:
            turn_to_nothing(self._file.fileno())

    def _open(self, path: Path, existing: str, goes_on: bool) -> None:
        if existing != "replace" and not goes_on and _has_events(path):
            set_aside(path)
        self._file = file = io.FileIO(open_raw(path, empty=False), "r+")
        keep_from_children(self)
        whole = _whole_lines(file) if goes_on else b""
        file.truncate(len(whole))
        file.seek(len(whole))
        if not whole and file.write(HEAD) != len(HEAD):
            file.truncate(0)
            raise OSError(28, "the disk is full")
        self.path = path


def line_of(event: Event) -> bytes:
    """An event as a line of the file."""
    out = io.StringIO()
    cells = [getattr(event, column) for column in COLUMNS]
    csv.writer(out, lineterminator="\n").writerow(
        [_cell(cell) if isinstance(cell, str) else str(cell) for cell in cells]
    )
    return out.getvalue().encode()


def _cell(text: str) -> str:
    safe = printable(text, LONGEST_CELL)
    return f"'{safe}" if safe.startswith(FORMULA) else safe


def _has_events(path: Path) -> bool:
    """Whether there is anything to lose."""
    return path.exists() and path.read_bytes() not in (HEAD, b"")


def _whole_lines(file: io.FileIO) -> bytes:
    """What is in the file up to its last complete line."""
    text = file.readall()
    return text[: text.rfind(b"\n") + 1]
