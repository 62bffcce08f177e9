"""Columns with points at different steps, joined into one recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.logs.choosing import choose, layer_names, shortened
from gradmidi.recording import Recording

CELL_BYTES = 9  # per step × column: its value, and whether there is one
FREE_BYTES = 2**25  # a recording may have this many, plus ten times the bytes of its log


class Part(Protocol):
    """Points of all wanted columns from one stretch of a log."""

    def steps_of(self, count: int) -> NDArray[np.int64]:
        """Steps at which one of the first ``count`` columns has a point."""

    def put(self, steps: NDArray[np.int64], values: NDArray[np.float64], known: NDArray[np.bool_]) -> None:
        """Write the points into tables, over those of before; of several at one step the last one counts.

        Args:
            steps: (N,) of the tables' rows, ascending; points at other steps are left out.
            values: (N, C) the numbers.
            known: (N, C) whether there is one.
        """


class Log(Protocol):
    """A run that was logged: its columns by name, and their points."""

    @property
    def source(self) -> str:
        """What it was read from, for messages."""

    @property
    def size(self) -> int:
        """How many bytes that was."""

    @property
    def names(self) -> Sequence[str]:
        """Every column that may be chosen, in the log's order; the step is not included."""

    @property
    def meta(self) -> Mapping[str, str]:
        """The recording's metadata."""

    @property
    def notices(self) -> list[str]:
        """Messages about it, such as that a part was skipped."""

    @property
    def histograms(self) -> Sequence[str]:
        """Columns logged as histograms, which cannot be chosen."""

    def parts(self, wanted: Sequence[str]) -> Sequence[Part]:
        """The points of some columns, in the order in which they were written."""


def recording_of(log: Log, columns: Iterable[str] | None = None, metrics: Iterable[str] | None = None) -> Recording:
    """A recording of chosen columns; its steps are all those at which one of the layers has a point.

    Where a layer has none, there is a gap; where a metric has none, it is nan. Of several points of a column at one
    step the last one written counts.

    Args:
        log: the run.
        columns: globs of the columns that become layers; those that look like gradient norms if not given.
        metrics: globs of the columns that become metrics; loss, epoch and learning rate if not given.

    Raises:
        InputError: a glob matches no column, no column looks like a gradient norm, the chosen ones hold no point, or
            nearly nothing but gaps.
    """
    chosen = choose(log.names, columns, metrics, log.source, log.histograms)
    parts = log.parts([*chosen.layers, *chosen.metrics.values()])
    count = len(chosen.layers)
    steps = np.unique(np.concatenate([np.empty(0, np.int64), *(part.steps_of(count) for part in parts)]))
    if not len(steps):
        raise InputError(f"{log.source}: the columns {shortened(chosen.layers)} hold no numbers")
    shape = len(steps), count + len(chosen.metrics)
    _check_size(log, shape)
    values, known = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    for part in parts:
        part.put(steps, values, known)
    measured = {name: values[:, count + i].copy() for i, name in enumerate(chosen.metrics)}
    notices = [*log.notices, *filter(None, [chosen.notice])]
    meta = {**log.meta, "notice": "; ".join(notices)} if notices else log.meta
    return Recording(layer_names(chosen.layers), steps, values[:, :count], measured, meta, ~known[:, :count])


def _check_size(log: Log, shape: tuple[int, int]) -> None:
    """Columns that hardly ever have points at the same steps make a table far larger than their log."""
    rows, columns = shape
    if rows * columns * CELL_BYTES > FREE_BYTES + 10 * log.size:
        raise InputError(
            f"{log.source}: {rows:,} steps × {columns:,} columns would be nearly all gaps; "
            "choose fewer columns (on the command line --columns)"
        )
