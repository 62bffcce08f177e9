"""Logs that are rows of named numbers, one of which counts steps: JSON of several shapes, and DLLogger's lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.logs.choosing import choose_step
from gradmidi.logs.points import EXACT, Points, PointStore
from gradmidi.printable import shown


class RowLog:
    """A log made of rows that come one after the other; a row without a step is skipped.

    Args:
        source: what messages call it.
        size: its bytes.
        meta: the recording's metadata.
        rows: the number of each row, counted from 1, and its numbers by name.
        step: the column that counts steps; by default one with a known name.
        unit: what a row is called.
        notices: messages about the log; ``rows`` may add to them while it is read.
        histograms: columns logged as histograms, filled in the same way.

    Raises:
        InputError: there are no numbers, no column of steps, or a step that is not a whole number.
    """

    def __init__(
        self,
        source: str,
        size: int,
        meta: Mapping[str, str],
        rows: Iterable[tuple[int, Iterable[tuple[str, float]]]],
        step: str | None = None,
        unit: str = "line",
        notices: list[str] | None = None,
        histograms: Iterable[str] = (),
    ) -> None:
        self.source, self.size = source, size
        self.notices = [] if notices is None else notices
        self.meta = dict(meta)
        self._store = PointStore(source, size)
        for number, row in rows:
            for name, value in row:
                self._store.add(name, number, value)
        self.histograms = list(histograms)
        names = self._store.names
        if not names:
            raise InputError(f"{source} is empty: it holds no numbers")
        self.step = choose_step(names, step, source)
        self.names = [name for name in names if name != self.step]
        self._steps = self._steps_by_row(unit)

    @property
    def last_step(self) -> int:
        """The largest step, or -1."""
        return int(self._steps[1].max(initial=-1))

    def parts(self, wanted: Sequence[str]) -> list[Points]:
        """See :class:`gradmidi.logs.series.Log`."""
        found = self._store.points(wanted)
        rows, steps = self._steps
        at = np.searchsorted(rows, found.steps)
        has_step = at < len(rows)
        has_step[has_step] = rows[at[has_step]] == found.steps[has_step]
        return [Points(found.columns[has_step], steps[at[has_step]], found.values[has_step])]

    def _steps_by_row(self, unit: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of the rows that have a step, ascending, and their steps."""
        _, rows, steps = self._store.points([self.step])
        wrong = ~(np.abs(steps) < EXACT) | (steps != np.floor(steps))
        if wrong.any():
            at = int(wrong.argmax())
            where = f"{self.source}, {unit} {rows[at]}"
            raise InputError(f"{where}: the column {shown(self.step)} must hold whole numbers, not {steps[at]:g}")
        # If a step occurs twice, the last row counts.
        rows, at_last = np.unique(rows[::-1], return_index=True)
        return rows, steps[::-1][at_last].astype(np.int64)
