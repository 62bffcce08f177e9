"""The recording's file: ``# key: value`` lines, a header, then one line a step; see recording_load for reading it.

Columns are ``step``, the leading metrics (``epoch``, ``loss``), one column a layer, then any further metrics. Numbers
are written so that they read back as the same float64. ``nan`` and ``inf`` stand as such; an empty cell is a gap.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.existing import OTHER_WAYS, last_step
from gradmidi.files import whole_file
from gradmidi.record_file import RecordFile, refuse_if_recorded
from gradmidi.recording import RESUMED, Recording
from gradmidi.recording_path import check_recording_path

FORMAT = "gradmidi recording 1"
STEP = "step"
METRICS = ("epoch", "loss")  # the numbers that go with every step where no others are named
OWN_KEYS = ("format", "layers")  # of the metadata, not to be had from outside
CLASH = " (layer)"  # behind the column of a layer that is called like a metric


class RecordingWriter:
    """Appends a recording to ``path`` while training runs; a killed process leaves every step appended before.

    Each row is one unbuffered write, so the file never holds half a line. A write that fails midway (full disk)
    is cut back to the last whole line before the error is passed on.

    Args:
        path: the file.
        layers: names of the L layers.
        metrics: names of the numbers that go with every step, ``("epoch", "loss")`` by default.
        meta: text by key, written on top; a file that is appended to keeps its own.
        existing: what happens to an earlier recording of that name: ``"keep"`` renames it to ``norms.1.csv``, or the
            next free number; ``"append"`` goes on behind its last step; ``"replace"`` drops it.
        on_taken: called when a later writer of this process takes the file.

    Attributes:
        next_step: the step after the last one of a file that is appended to, else None.
        notices: what a person should know about the earlier file, one line each.

    Raises:
        InputError: the file cannot be written, another process records to it, it has other columns than what is to be
            appended, or its name promises another kind of file.
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
        self.layers = tuple(layers)
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
        """Where the recording is by now, as a later writer may have renamed it.

        Raises:
            InputError: it has been replaced, or went into a device or a pipe.
        """
        return self._place.found()

    def _head(self) -> bytes:
        return _head(self.layers, self.metrics, self._meta).encode()

    def _take_columns(self, head: list[str], shown: str) -> int:
        """Go on under the head of an earlier file; gives how many columns it has.

        Raises:
            InputError: it has other layers, or lacks a metric of ours.
        """
        names = next(csv.reader([head[-1]]), [])
        metrics = tuple(names[1 : len(names) - len(self.layers)])
        mine = _head(self.layers, metrics, {}).splitlines()
        if mine[-1] != head[-1] or mine[1] not in head or not set(self.metrics) <= set(metrics):
            raise InputError(f"{shown} cannot be appended to: {self._difference(names)}; {OTHER_WAYS}")
        self.metrics = metrics
        return len(names)

    def _difference(self, names: list[str]) -> str:
        here = next(csv.reader([self._head().decode().splitlines()[-1]]))
        missing, other = ([name for name in a if name not in b] for a, b in ((here, names), (names, here)))
        told = [f"it has no column {missing[0]!r}"] if missing else []
        told += [f"this run has no {other[0]!r}"] if other else []
        return " and ".join(told or ["its columns stand in another order"])

    def append(
        self,
        step: int,
        norms: Sequence[float] | NDArray[np.floating],
        metrics: Mapping[str, float] | None = None,
        gaps: Sequence[bool] | NDArray[np.bool_] | None = None,
    ) -> None:
        """Write one step: norms (L,), the metrics named at the start (nan where absent), gaps (L,) bool.

        Raises:
            OSError: the disk refuses; the file then still ends with a whole line.
        """
        given = metrics or {}
        row = _line(step, [given.get(name, float("nan")) for name in self.metrics], norms, gaps).encode()
        if self._seam:
            row = f"# {RESUMED}: {step}\n".encode() + row
        before = self._file.tell() if self._can_be_cut else 0
        try:
            written = self._file.write(row)
            if written != len(row):
                raise OSError(28, "the disk is full")
        except OSError:
            if self._can_be_cut:
                os.ftruncate(self._file.fileno(), before)
                self._file.seek(before)
            raise
        self._seam = False

    def holds(self, step: int) -> bool:
        """Whether ``step`` is the last one that was appended; False where the file cannot be read back."""
        return not self._place.is_stream and last_step(self._file) == step

    def add_metric(self, name: str) -> bool:
        """A further column, before the first step; False afterwards, where the lines so far would not fit."""
        if name in self.metrics:  # which the file brought with it
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
    with whole_file(path) as file:
        file.write(_head(recording.layers, tuple(recording.metrics), recording.meta).encode())
        columns = [recording.metrics[name].tolist() for name in recording.metrics]
        gaps = recording.gaps if recording.gaps.any() else None
        for i, (step, norms) in enumerate(zip(recording.steps.tolist(), recording.norms.tolist(), strict=True)):
            line = _line(step, [column[i] for column in columns], norms, None if gaps is None else gaps[i])
            file.write(line.encode())


def _head(layers: tuple[str, ...], metrics: tuple[str, ...], meta: Mapping[str, object]) -> str:
    out = io.StringIO()
    out.write(f"# format: {FORMAT}\n# layers: {json.dumps(list(layers), ensure_ascii=False)}\n")
    for key, value in meta.items():
        if key not in OWN_KEYS:
            out.write(f"# {_one_line(key)}: {_one_line(value)}\n")
    taken = {STEP, *metrics}
    columns = [_one_line(name) + CLASH * (_one_line(name) in taken) for name in layers]
    csv.writer(out, lineterminator="\n").writerow([STEP, *metrics, *columns])
    return out.getvalue()


def layer_column(layer: str, columns: Sequence[str]) -> str | None:
    """Which of a recording's columns holds a layer: that of its name, or the one that says it is not the metric."""
    name = _one_line(layer)
    return next((column for column in (name + CLASH, name) if column in columns), None)


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


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
    extra = [str(int(m)) if m == m and abs(m) < 1e15 and m == int(m) else repr(float(m)) for m in metrics]
    return ",".join([str(int(step)), *extra, *numbers]) + "\n"
