"""A long run in a short piece: bins of consecutive steps, each the peak of its steps, with every anomaly kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.events import ANOMALIES, Event, Spotted, Watch
from gradmidi.errors import InputError
from gradmidi.recording import RESUMED, Recording

CHUNK_ROWS = 16_384  # rows processed together, so that memory stays flat at any length
NEVER = np.iinfo(np.int64).max
KIND = {kind: index for index, kind in enumerate(ANOMALIES)}


class TimeLapse(NamedTuple):
    """One row per bin, and what went wrong within the bins.

    Attributes:
        recording: B rows. A norm is the layer's largest finite one in the bin; nan or inf if the bin has nothing
            else, and a gap if the layer had no gradient in the entire bin. The bin in which a layer becomes exactly
            zero has 0, unless it explodes there as well. Steps are those at which bins begin; metrics
            are means of their finite values or, if all are integers (an epoch, a flag), the largest.
        events: for each bin, layer and kind the first anomaly, with its own layer and step; ``row`` is the bin.
    """

    recording: Recording
    events: list[Event]

    def alarmed(self) -> Recording:
        """The bins with inf and nan in place of the peak wherever one occurred, for an output without events."""
        norms = self.recording.norms.copy()
        for kind, value in (("inf", np.inf), ("nan", np.nan)):  # nan wins if both occurred
            places = [(event.row, event.layer) for event in self.events if event.kind == kind]
            for row, layer in places:
                norms[row, layer] = value
        old = self.recording
        return Recording(old.layers, old.steps, norms, old.metrics, old.meta, old.gaps)


def time_lapse(recording: Recording, bins: int) -> TimeLapse:
    """``recording`` in ``bins`` bins of consecutive rows, equal in size to one row.

    Anomalies are found in the full rows, as they would be without a time-lapse. A recording of no more rows than
    ``bins`` is returned unchanged.

    Raises:
        InputError: fewer than one bin.
    """
    if bins < 1:
        raise InputError(f"a time-lapse of {bins} bins is not possible; use 1 or more")
    watch = Watch(len(recording.layers))
    count = min(bins, len(recording))
    edges = np.arange(count + 1) * len(recording) // max(count, 1)
    norms = np.empty((count, len(recording.layers)))
    events: list[Event] = []
    zero_before = np.zeros(len(recording.layers), dtype=bool)
    for first, last in _chunks(count, len(recording)):
        rows = recording.rows(int(edges[first]), int(edges[last]))
        starts = edges[first:last] - edges[first]
        spotted = watch.spot(rows)
        found = _first_of_each(spotted, starts)
        norms[first:last] = _values(rows, starts, found, zero_before)
        events += _events(rows, spotted, found, first)
        zero_before |= (found[:, :, KIND["zero"]] != NEVER).any(axis=0)
    gaps = norms == -np.inf
    metrics = {name: _reduced(values, edges) for name, values in recording.metrics.items()}
    meta = {**recording.meta, **_resumed(recording, edges)}
    binned = Recording(
        recording.layers, recording.steps[edges[:-1]], np.where(gaps, np.nan, norms), metrics, meta, gaps
    )
    return TimeLapse(binned, events)


def _resumed(recording: Recording, edges: NDArray[np.int64]) -> dict[str, str]:
    """The seams as metadata of the bins that they are in."""
    bins = np.searchsorted(edges, recording.seams(), side="right") - 1
    return {RESUMED: ", ".join(map(str, recording.steps[edges[bins]].tolist()))} if len(bins) else {}


def _chunks(bins: int, rows: int) -> Iterator[tuple[int, int]]:
    """First and last (excluded) bin of pieces of about CHUNK_ROWS rows."""
    size = max(1, CHUNK_ROWS * bins // max(rows, 1))
    for first in range(0, bins, size):
        yield first, min(first + size, bins)


def _first_of_each(spotted: Spotted, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(B, L, kinds): the row of the first anomaly of a kind in a bin, or NEVER."""
    rows, layers = np.nonzero(spotted.code)
    bins = np.searchsorted(starts, rows, side="right") - 1
    shape = (len(starts), spotted.code.shape[1], len(ANOMALIES))
    first = np.full(shape, NEVER)
    np.minimum.at(first.ravel(), np.ravel_multi_index((bins, layers, spotted.code[rows, layers] - 1), shape), rows)
    return first


def _values(
    rows: Recording, starts: NDArray[np.int64], found: NDArray[np.int64], zero_before: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The norms (B, L) of the bins that begin at ``starts``; -inf for a gap."""
    finite = np.where(np.isfinite(rows.norms), rows.norms, -np.inf)
    peaks = np.maximum.reduceat(finite, starts, axis=0)
    seen = found != NEVER
    nothing = peaks == -np.inf
    peaks[nothing & seen[:, :, KIND["inf"]]] = np.inf
    peaks[nothing & seen[:, :, KIND["nan"]]] = np.nan
    zero = seen[:, :, KIND["zero"]]
    first_zero = zero & (zero.cumsum(axis=0) == 1) & ~zero_before
    peaks[first_zero & ~seen[:, :, KIND["explosion"]]] = 0.0
    return np.asarray(peaks)


def _events(rows: Recording, spotted: Spotted, found: NDArray[np.int64], first_bin: int) -> list[Event]:
    """In order of bin, then step, then layer."""
    places = [(int(found[b, layer, kind]), layer, b) for b, layer, kind in np.argwhere(found != NEVER).tolist()]
    return [spotted.event(rows, row, layer)._replace(row=first_bin + b) for row, layer, b in sorted(places)]


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
