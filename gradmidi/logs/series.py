"""Columns that each have points at steps of their own, joined into one recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.logs.choosing import choose_layers, choose_metrics, layer_names
from gradmidi.recording import Recording


class Series(NamedTuple):
    """The points of one column, in the order in which they were written: ``steps`` (P,) int64, ``values`` (P,)."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


class Log(Protocol):
    """A run that was logged: its columns by name, and their points."""

    @property
    def source(self) -> str:
        """What it was read from, for messages."""

    @property
    def names(self) -> Sequence[str]:
        """Every column that may be chosen, in the log's order; the step is none of them."""

    @property
    def meta(self) -> Mapping[str, str]:
        """What is to stand in the recording's metadata."""

    def series(self, wanted: Sequence[str]) -> Mapping[str, Series]:
        """The points of some columns."""


def recording_of(log: Log, columns: Iterable[str] | None = None, metrics: Iterable[str] | None = None) -> Recording:
    """A recording of chosen columns; its steps are all those at which one of the layers has a point.

    Where a layer has none, there is a gap; where a metric has none, it is nan. Of several points of a column at one
    step the last one written counts.

    Args:
        log: the run.
        columns: globs of the columns that become layers; those that look like gradient norms if not given.
        metrics: globs of the columns that become metrics; loss, epoch and learning rate if not given.

    Raises:
        InputError: a glob fits no column, no column looks like a gradient norm, or the chosen ones hold no point.
    """
    layers = choose_layers(log.names, columns, log.source)
    others = choose_metrics([name for name in log.names if name not in layers], metrics, log.source)
    series = log.series([*layers, *others.values()])
    steps = np.unique(np.concatenate([series[name].steps for name in layers]))
    if not len(steps):
        raise InputError(f"{log.source}: the columns {', '.join(layers)[:80]} hold no numbers")
    norms = np.stack([_at(steps, series[name])[0] for name in layers], axis=1)
    gaps = ~np.stack([_at(steps, series[name])[1] for name in layers], axis=1)
    measured = {name: _at(steps, series[column])[0] for name, column in others.items()}
    return Recording(layer_names(layers), steps, norms, measured, log.meta, gaps)


def _at(steps: NDArray[np.int64], series: Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values at ``steps``, nan where there is no point, and where there is one."""
    values, known = np.full(len(steps), np.nan), np.zeros(len(steps), dtype=bool)
    rows = np.searchsorted(steps, series.steps)
    fits = rows < len(steps)
    fits[fits] = steps[rows[fits]] == series.steps[fits]
    # The last point of each step: np.unique finds the first of a row read backwards.
    rows, at = np.unique(rows[fits][::-1], return_index=True)
    values[rows], known[rows] = series.values[fits][::-1][at], True
    return values, known
