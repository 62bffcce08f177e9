"""Rows in memory, in arrays that double when they are full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gradmidi.recording.recording import Recording
from gradmidi.recording.row import Row

FIRST_CAPACITY = 256


class RowStore:
    """Collects rows of L layers; a row costs 9 bytes per layer and 8 per metric, and adding it O(L) on average."""

    def __init__(self, layers: Sequence[str], metrics: Sequence[str]) -> None:
        self._layers = tuple(layers)
        self._metrics = {name: column for column, name in enumerate(metrics)}
        self._count = 0
        self._steps = np.empty(FIRST_CAPACITY, dtype=np.int64)
        self._norms = np.empty((FIRST_CAPACITY, len(layers)), dtype=np.float32)
        self._gaps = np.empty((FIRST_CAPACITY, len(layers)), dtype=bool)
        self._numbers = np.full((FIRST_CAPACITY, len(metrics)), np.nan)

    def append(self, row: Row, /) -> None:
        """See :class:`gradmidi.recording.row.RowSink`."""
        i = self._count
        if i == len(self._steps):
            self._grow()
        self._steps[i] = row.step
        self._norms[i] = row.norms
        self._gaps[i] = row.gaps
        for name, value in row.metrics.items():
            if (column := self._metrics.get(name)) is not None:
                self._numbers[i, column] = value
        self._count += 1

    def add_layers(self, names: Sequence[str]) -> None:
        """Add columns, with gaps in the rows so far."""
        self._layers = (*self._layers, *names)
        more = (len(self._steps), len(names))
        self._norms = np.hstack([self._norms, np.full(more, np.nan, dtype=np.float32)])
        self._gaps = np.hstack([self._gaps, np.ones(more, dtype=bool)])

    def add_metric(self, name: str) -> bool:
        """Add a column, nan in the rows so far; always possible in memory."""
        self._metrics[name] = len(self._metrics)
        self._numbers = np.hstack([self._numbers, np.full((len(self._steps), 1), np.nan)])
        return True

    def holds(self, step: int) -> bool:
        """Whether ``step`` is the last one that was appended."""
        return self._count > 0 and int(self._steps[self._count - 1]) == step

    def recording(self, meta: Mapping[str, str]) -> Recording:
        """What was collected so far, as a copy."""
        n = self._count
        metrics = {name: self._numbers[:n, i].copy() for name, i in self._metrics.items()}
        norms = self._norms[:n].astype(np.float64)
        return Recording(self._layers, self._steps[:n].copy(), norms, metrics, meta, self._gaps[:n].copy())

    def _grow(self) -> None:
        for name in ("_steps", "_norms", "_gaps", "_numbers"):
            old = getattr(self, name)
            new = np.full((2 * len(old), *old.shape[1:]), np.nan if name == "_numbers" else 0, dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
