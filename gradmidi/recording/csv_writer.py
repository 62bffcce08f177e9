"""The recording's file: ``# key: value`` lines, a header, then a line per step; see csv_reader for reading it.

Columns are ``step``, the metrics (``epoch``, ``loss``) and the layers; recording/names.py defines how they are called.
Numbers are written so that they read back as the same float64. ``nan`` and ``inf`` are written as such; an empty cell
is a gap.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.printable import shown
from gradmidi.recording.csv_reader import read_head, read_table
from gradmidi.recording.existing import OTHER_WAYS, last_step
from gradmidi.recording.names import STEP, columns_of, head_text
from gradmidi.recording.open_file import RecordFile, refuse_if_recorded
from gradmidi.recording.path import check_recording_path
from gradmidi.recording.recording import RESUMED, Recording
from gradmidi.recording.row import Row

METRICS = ("epoch", "loss")  # the metrics of every step unless others are given


class RecordingWriter:
    """Appends a recording to ``path`` while training runs; a killed process leaves every step appended before.

    Each row is one unbuffered write, so the file never holds half a line. A write that fails midway (full disk)
    is truncated to the last complete line before the error is raised.

    Args:
        path: the file.
        layers: names of the L layers.
        metrics: names of the metrics of every step, ``("epoch", "loss")`` by default.
        meta: text by key, written at the top; a file that is appended to keeps its metadata.
        existing: what happens to an earlier recording of that name: ``"keep"`` renames it to ``norms.1.csv``, or the
            next free number; ``"append"`` continues after its last step; ``"replace"`` overwrites it.
        on_taken: called when a later writer of this process takes over the file.

    Attributes:
        next_step: the step after the last one of a file that is appended to, else None.
        notices: what the user should know about the earlier file, one line each.

    Raises:
        InputError: the file cannot be written, another process records to it, its columns differ from those to be
            appended, or its name has the extension of another kind of file.
    """

    def __init__(
        self,
        path: str | Path,
        layers: Sequence[str],
        metrics: Sequence[str] = METRICS,
        meta: Mapping[str, object] | None = None,
        existing: str = "keep",
        on_taken: Callable[[], object] | None = None,
    ) -> None:
        self.layers = tuple(map(str, layers))
        self.metrics = tuple(metrics)
        self._meta = dict(meta or {})
        check_recording_path(Path(path))
        self._place = RecordFile(Path(path), self._head(), existing, self._take_columns, on_taken)
        self._file = self._place.raw
        self._can_be_cut = not self._place.is_stream
        self.next_step = self._place.next_step
        self.notices = tuple(self._place.notices)
        self._seam = self.next_step is not None
        self._head_bytes = 0 if self._seam else self._place.size

    @property
    def path(self) -> Path:
        """The current path of the recording, as a later writer may have renamed it.

        Raises:
            InputError: it has been replaced, or went into a device or a pipe.
        """
        return self._place.found()

    def _head(self) -> bytes:
        return head_text(self.layers, self.metrics, self._meta).encode()

    def _take_columns(self, head: list[str], shown: str) -> int:
        """Continue under the header of an earlier file; returns its number of columns.

        Raises:
            InputError: it has other layers, or lacks a metric of ours.
        """
        earlier = read_head(io.BytesIO("\n".join(head).encode()), shown)
        table = read_table(earlier, shown)
        metrics = tuple(table.metrics)
        goes_on = tuple(table.layers) == self.layers and set(self.metrics) <= set(metrics)
        if not goes_on or earlier.names != _columns(self.layers, metrics):
            raise InputError(f"{shown} cannot be appended to: {self._difference(earlier.names)}; {OTHER_WAYS}")
        self.metrics = metrics
        return len(earlier.names)

    def _difference(self, names: list[str]) -> str:
        here = _columns(self.layers, self.metrics)
        missing, other = ([name for name in a if name not in set(b)][:1] for a, b in ((here, names), (names, here)))
        told = [f"it has no column {shown(missing[0])}"] if missing else []
        told += [f"this run has no {shown(other[0])}"] if other else []
        return " and ".join(told or ["its columns are in a different order"])

    def append(self, row: Row, /) -> None:
        """Write one step, with those of its metrics that have a column (nan where absent).

        Raises:
            OSError: writing failed; the file still ends with a complete line.
        """
        metrics = [row.metrics.get(name, float("nan")) for name in self.metrics]
        line = _line(row.step, metrics, row.norms, row.missing).encode()
        if self._seam:
            line = f"# {RESUMED}: {row.step}\n".encode() + line
        before = self._file.tell() if self._can_be_cut else 0
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(28, "the disk is full")
        except OSError:
            if self._can_be_cut:
                os.ftruncate(self._file.fileno(), before)
                self._file.seek(before)
            raise
        self._seam = False

    def holds(self, step: int) -> bool:
        """Whether ``step`` is the last one that was appended; False if the file cannot be read back."""
        return not self._place.is_stream and last_step(self._file) == step

    def add_metric(self, name: str) -> bool:
        """Add a column before the first step; False afterwards, when earlier lines would not match."""
        if name in self.metrics:  # which the file already had
            return True
        if self._place.is_stream or self._file.tell() != self._head_bytes:
            return False
        self.metrics = (*self.metrics, name)
        self._place.begin(self._head())
        self._head_bytes = self._place.size
        return True

    def close(self) -> None:
        self._place.close()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def save(recording: Recording, path: Path) -> None:
    """See :meth:`Recording.save`."""
    refuse_if_recorded(path)
    head = head_text(recording.layers, tuple(recording.metrics), recording.meta)
    metrics = np.array([*recording.metrics.values()]).reshape(-1, len(recording)).T
    steps, gaps = recording.steps.tolist(), recording.gaps if recording.gaps.any() else None
    with whole_file(path) as file:
        file.write(head.encode())
        for i, step in enumerate(steps):
            norms = recording.norms[i].tolist()
            file.write(_line(step, metrics[i].tolist(), norms, None if gaps is None else gaps[i]).encode())


def _columns(layers: Sequence[str], metrics: Sequence[str]) -> list[str]:
    columns = columns_of(layers, metrics)
    return [STEP, *columns.metrics, *columns.layers]


def _line(
    step: int,
    metrics: Sequence[float],
    norms: Sequence[float] | NDArray[np.floating],
    gaps: Sequence[bool] | NDArray[np.bool_] | None,
) -> str:
    values = norms.tolist() if isinstance(norms, np.ndarray) else norms  # which makes Python's floats all at once
    numbers = [repr(float(value)) for value in values]
    if gaps is not None:
        numbers = ["" if gap else number for gap, number in zip(gaps, numbers, strict=True)]
    # A whole number (an epoch) reads better without ".0" and is the same number.
    extra = [repr(float(metric)).removesuffix(".0") for metric in metrics]
    return ",".join([str(int(step)), *extra, *numbers]) + "\n"
