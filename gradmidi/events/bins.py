"""Bins: consecutive rows in groups of ten, what the rules that need more than one row look at."""

from __future__ import annotations

from math import exp, inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.recording import Recording

BIN = 10  # measured steps
Values = NDArray[np.float64]
UPDATE_RATIO = "update_ratio"
LARGEST = 709.78  # ln of the largest float


def norm_of(log: float) -> float:
    """The norm of a natural logarithm; inf where it exceeds the largest float."""
    return exp(log) if log < LARGEST else inf


class Rows(NamedTuple):
    """Rows as the rules see them.

    Attributes:
        steps: (N,) optimizer steps.
        norms: (N, L); nan where there was no gradient, too.
        logs: (N, L) ln(norm); nan where a norm is not finite and positive.
        total: (N,) ln of the norm of the whole gradient, of the layers that have one; nan where no layer has.
        loss: (N,) nan where it is unknown.
        updates: (N, L) update ratios, nan where they are unknown.
        nan: (N, L) True where a norm is NaN although there was a gradient.
    """

    steps: NDArray[np.int64]
    norms: Values
    logs: Values
    total: Values
    loss: Values
    updates: Values
    nan: NDArray[np.bool_]

    @classmethod
    def of(cls, recording: Recording) -> Rows:
        """The rows of a recording."""
        norms = np.asarray(recording.norms, dtype=np.float64)
        usable = np.isfinite(norms) & (norms > 0)
        logs = np.full(norms.shape, np.nan)
        np.log(norms, out=logs, where=usable)
        unknown = np.full(len(norms), np.nan)
        return cls(
            recording.steps,
            norms,
            logs,
            _total(logs),
            np.asarray(recording.metrics.get("loss", unknown), dtype=np.float64),
            _updates(recording, norms.shape),
            np.isnan(norms) & ~recording.gaps,
        )

    def part(self, first: int, end: int) -> Rows:
        """The rows from ``first`` up to, not including, ``end``."""
        return Rows._make(column[first:end] for column in self)

    def after(self, before: Rows) -> Rows:
        """These rows with others before them."""
        return Rows._make(np.concatenate(pair) for pair in zip(before, self, strict=True))

    def widened(self, layers: int) -> Rows:
        """These rows with further layers that had no gradient."""
        more = np.full((len(self.steps), layers), np.nan)
        wide = {name: np.append(getattr(self, name), more, axis=1) for name in ("norms", "logs", "updates")}
        return self._replace(**wide, nan=np.append(self.nan, np.zeros(more.shape, dtype=bool), axis=1))


def _updates(recording: Recording, shape: tuple[int, ...]) -> Values:
    """The layers' update ratios (N, L), nan where they are unknown."""
    updates = np.full(shape, np.nan)
    if any(name.startswith(UPDATE_RATIO) for name in recording.metrics):
        for i, layer in enumerate(recording.layers):
            if (ratios := recording.metrics.get(f"{UPDATE_RATIO} {layer}")) is not None:
                updates[:, i] = ratios
    return updates


def _total(logs: Values) -> Values:
    """ln of the root of the sum of squares, without overflow (N,)."""
    if not logs.shape[1]:
        return np.full(len(logs), np.nan)
    filled = np.where(np.isnan(logs), -np.inf, logs)
    largest = filled.max(axis=1)
    known = np.isfinite(largest)
    base = np.where(known, largest, 0.0)
    with np.errstate(divide="ignore"):
        total = base + 0.5 * np.log(np.exp(2 * (filled - base[:, np.newaxis])).sum(axis=1))
    return np.where(known, total, np.nan)


class Bins(NamedTuple):
    """Statistics of B whole bins.

    Attributes:
        level: (B, L) median of ln(norm); nan where no row has a finite positive norm.
        total: (B,) the same of the whole gradient's.
        peak: (B,) largest ln(norm) of the whole gradient.
        change: (B,) mean absolute change of the whole gradient's ln(norm) from row to row.
        gaps: (B, L) share of rows without a gradient.
        zeros: (B, L) share of rows with a norm of exactly zero among those with a gradient; nan without any gradient.
        tail: (B, L) number of rows of exactly zero at the end of the bin.
        updates: (B, L) largest update ratio, nan where it is unknown.
        loss: (B,) median loss of the rows that have a finite one, nan without.
        loss_peak: (B,) largest of these.
    """

    level: Values
    total: Values
    peak: Values
    change: Values
    gaps: Values
    zeros: Values
    tail: NDArray[np.int64]
    updates: Values
    loss: Values
    loss_peak: Values

    @classmethod
    def of(cls, rows: Rows) -> Bins:
        """The bins of rows of which there are a multiple of ten."""
        loss = _in_bins(np.where(np.isfinite(rows.loss), rows.loss, np.nan))
        total = _in_bins(rows.total)
        gaps = _in_bins(np.isnan(rows.norms) & ~rows.nan)
        measured = BIN - gaps.sum(axis=1)
        with np.errstate(invalid="ignore"):
            zero = _in_bins(rows.norms) == 0
            zeros = zero.sum(axis=1) / measured
        return cls(
            _median(_in_bins(rows.logs)),
            _median(total),
            _largest(total),
            _mean(np.abs(np.diff(total, axis=1))),
            gaps.mean(axis=1),
            zeros,
            np.logical_and.accumulate(zero[:, ::-1], axis=1).sum(axis=1),
            _largest(_in_bins(rows.updates)),
            _median(loss),
            _largest(loss),
        )


def _in_bins(column: NDArray) -> NDArray:  # type: ignore[type-arg]
    return column.reshape(len(column) // BIN, BIN, *column.shape[1:])


def _median(values: Values) -> Values:
    """The median along axis 1 of what is not nan; nan where there is nothing."""
    ordered = np.sort(values, axis=1)  # nan comes last
    count = (~np.isnan(values)).sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, values.shape[1] - 1)
    middle = [np.take_along_axis(ordered, np.expand_dims(at, 1), axis=1).squeeze(1) for at in (low, high)]
    return np.asarray(np.where(count > 0, (middle[0] + middle[1]) / 2, np.nan))


def _largest(values: Values) -> Values:
    return np.asarray(np.fmax.reduce(values, axis=1))


def _mean(values: Values) -> Values:
    """The mean along axis 1 of what is not nan; nan where there is nothing."""
    count = (~np.isnan(values)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(values, axis=1) / np.where(count, count, np.nan))
