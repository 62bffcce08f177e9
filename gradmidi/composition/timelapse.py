"""A long run in a short piece: bins of consecutive steps, each the peak of its steps, with every anomaly kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.passage import nonfinite
from gradmidi.errors import InputError
from gradmidi.events import Event, Watch
from gradmidi.recording import RESUMED, Recording

CHUNK_ROWS = 16_384  # rows processed together, so that memory stays flat at any length


class TimeLapse(NamedTuple):
    """One row per bin, and what went wrong within the bins.

    Attributes:
        recording: B rows. A norm is the layer's largest finite one in the bin; nan or inf if the bin has nothing
            else, and a gap if the layer had no gradient in the entire bin. The bin in which a layer is exactly
            zero for the first time has 0. Steps are those at which bins begin; metrics are means of their finite values
            or, if all are integers (an epoch, a flag), the largest.
        events: those of the full run, each with its own step; ``row`` is the bin.
        alarms: for each bin and layer its first NaN and its first Inf, as
            :func:`gradmidi.composition.passage.nonfinite`; the row is the bin.
    """

    recording: Recording
    events: list[Event]
    alarms: NDArray[np.int64]

    def alarmed(self) -> Recording:
        """The bins with inf and nan in place of the peak wherever one occurred, for an output without events."""
        norms = self.recording.norms.copy()
        for kind, value in ((1, np.inf), (0, np.nan)):  # nan wins if both occurred
            row, layer, *_ = self.alarms[self.alarms[:, 2] == kind].T
            norms[row, layer] = value
        old = self.recording
        return Recording(old.layers, old.steps, norms, old.metrics, old.meta, old.gaps)


def time_lapse(recording: Recording, bins: int) -> TimeLapse:
    """``recording`` in ``bins`` bins of consecutive rows, equal in size to one row.

    Events are found in the full rows, as they would be without a time-lapse. A recording of no more rows than
    ``bins`` is returned unchanged.

    Raises:
        InputError: fewer than one bin.
    """
    if bins < 1:
        raise InputError(f"a time-lapse of {bins} bins is not possible; use 1 or more")
    watch = Watch(recording.layers)
    edges = bin_edges(len(recording), bins)
    count = len(edges) - 1
    norms = np.empty((count, len(recording.layers)))
    events: list[Event] = []
    alarms = [nonfinite(recording.rows(0, 0))]
    zero_before = np.zeros(len(recording.layers), dtype=bool)
    for first, last in _chunks(count, len(recording)):
        rows = recording.rows(int(edges[first]), int(edges[last]))
        starts = edges[first:last] - edges[first]
        norms[first:last] = _values(rows, starts, zero_before)
        found = watch.find(rows)
        places = first + _bin_of([event.row for event in found], starts)
        events += [event._replace(row=int(place)) for event, place in zip(found, places, strict=True)]
        alarms.append(_first_of_each(nonfinite(rows), starts, first))
    gaps = norms == -np.inf
    metrics = {name: _reduced(values, edges) for name, values in recording.metrics.items()}
    meta = {**recording.meta, **_resumed(recording, edges)}
    binned = Recording(
        recording.layers, recording.steps[edges[:-1]], np.where(gaps, np.nan, norms), metrics, meta, gaps
    )
    return TimeLapse(binned, events, np.concatenate(alarms))


def bin_edges(rows: int, bins: int) -> NDArray[np.int64]:
    """The first row of each bin and, at last, the number of rows; no more bins than rows."""
    count = min(bins, rows)
    return np.arange(count + 1) * rows // max(count, 1)


def _resumed(recording: Recording, edges: NDArray[np.int64]) -> dict[str, str]:
    """The seams as metadata of the bins that they are in."""
    bins = np.searchsorted(edges, recording.seams(), side="right") - 1
    return {RESUMED: ", ".join(map(str, recording.steps[edges[bins]].tolist()))} if len(bins) else {}


def _chunks(bins: int, rows: int) -> Iterator[tuple[int, int]]:
    """First and last (excluded) bin of pieces of about CHUNK_ROWS rows."""
    size = max(1, CHUNK_ROWS * bins // max(rows, 1))
    for first in range(0, bins, size):
        yield first, min(first + size, bins)


def _bin_of(rows: Sequence[int] | NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bins, counted from 0, that rows are in."""
    return np.asarray(np.searchsorted(starts, np.asarray(rows, dtype=np.int64), side="right") - 1)


def _first_of_each(alarms: NDArray[np.int64], starts: NDArray[np.int64], first_bin: int) -> NDArray[np.int64]:
    """The first of each kind in each bin and layer, in order of row, with the bin as its row."""
    row, layer, kind, step = alarms.T
    binned = np.stack([first_bin + _bin_of(row, starts), layer, kind, step], axis=1)
    _, first = np.unique(binned[:, :3], axis=0, return_index=True)
    return np.asarray(binned[np.sort(first)])


def _values(rows: Recording, starts: NDArray[np.int64], zero_before: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The norms (B, L) of the bins that begin at ``starts``; -inf for a gap; ``zero_before`` (L,) is updated."""
    finite = np.where(np.isfinite(rows.norms), rows.norms, -np.inf)
    peaks = np.maximum.reduceat(finite, starts, axis=0)
    nothing = peaks == -np.inf
    has_nan = np.logical_or.reduceat(np.isnan(rows.norms) & ~rows.gaps, starts, axis=0)
    has_inf = np.logical_or.reduceat(np.isinf(rows.norms), starts, axis=0)
    peaks[nothing & has_inf] = np.inf
    peaks[nothing & has_nan] = np.nan
    zero = np.logical_or.reduceat(rows.norms == 0, starts, axis=0)
    peaks[zero & (zero.cumsum(axis=0) == 1) & ~zero_before] = 0.0
    zero_before |= zero.any(axis=0)
    return np.asarray(peaks)


def _reduced(values: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """A metric (N,) by bins (B,): the mean of finite values or, for integers, the largest."""
    starts = edges[:-1]
    finite = np.isfinite(values)
    if (values[finite] == np.floor(values[finite])).all():
        peaks = np.maximum.reduceat(np.where(finite, values, -np.inf), starts) if len(starts) else np.empty(0)
        return np.where(np.isfinite(peaks), peaks, values[starts])
    counts = np.add.reduceat(finite, starts, dtype=np.int64)
    sums = np.add.reduceat(np.where(finite, values, 0.0), starts)
    return np.where(counts > 0, sums / np.maximum(counts, 1), values[starts])
