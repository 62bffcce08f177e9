"""The recording's file: ``# key: value`` lines, a header, then one line a step; see recording_load for reading it.

Columns are ``step``, the leading metrics (``epoch``, ``loss``), one column a layer, then any further metrics. Numbers
are written so that they read back as the same float64. ``nan`` and ``inf`` stand as such; an empty cell is a gap.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.recording import Recording
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
        path: the file; an existing one is replaced.
        layers: names of the L layers.
        metrics: names of the numbers that go with every step, ``("epoch", "loss")`` by default.
        meta: text by key, written on top.

    Raises:
        InputError: the file cannot be written, or its name promises another kind of file.
    """

    def __init__(
        self,
        path: str | Path,
        layers: Sequence[str],
        metrics: Sequence[str] = METRICS,
        meta: Mapping[str, object] | None = None,
    ) -> None:
        self.path = Path(path)
        self.layers = tuple(layers)
        self.metrics = tuple(metrics)
        check_recording_path(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb", buffering=0)
            self._meta = dict(meta or {})
            self._write_head()
        except OSError as error:
            reason = "a file is in the way of its folder" if isinstance(error, FileExistsError) else error.strerror
            raise InputError(f"cannot write {self.path}: {reason}; choose another folder") from error

    def _write_head(self) -> None:
        self._file.write(_head(self.layers, self.metrics, self._meta).encode())
        self._head_bytes = self._file.tell()

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
        before = self._file.tell()
        try:
            written = self._file.write(row)
            if written != len(row):
                raise OSError(28, "the disk is full")
        except OSError:
            os.ftruncate(self._file.fileno(), before)
            self._file.seek(before)
            raise

    def add_metric(self, name: str) -> bool:
        """A further column, before the first step; False afterwards, where the lines so far would not fit."""
        if self._file.tell() != self._head_bytes:
            return False
        self._file.truncate(0)
        self._file.seek(0)
        self.metrics = (*self.metrics, name)
        self._write_head()
        return True

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def save(recording: Recording, path: Path) -> None:
    """See :meth:`Recording.save`."""
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
    numbers = [repr(float(value)) for value in norms]
    if gaps is not None:
        numbers = ["" if gap else number for gap, number in zip(gaps, numbers, strict=True)]
    # A whole number (an epoch) reads better without ".0" and is the same number.
    extra = [str(int(m)) if m == m and abs(m) < 1e15 and m == int(m) else repr(float(m)) for m in metrics]
    return ",".join([str(int(step)), *extra, *numbers]) + "\n"
