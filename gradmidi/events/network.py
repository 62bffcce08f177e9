"""The whole gradient: a spike in a single step, an explosion that stays, a slow drift, noise."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isnan, log, nan

import numpy as np
from numpy.typing import NDArray

from gradmidi.events.bins import BIN, Bins, Rows, norm_of
from gradmidi.events.episodes import Episode
from gradmidi.events.loss import Loss
from gradmidi.events.rules import Found, Parameters

LEARNT_AT_ONCE = log(3.0)  # a bin raises the leaking peak by no more, so that one step does not make the next usual
LEAST_STEEP = 10.0  # gradient norm; a smaller one is no bad start, however small the loss
NOT_COMPARED = 5  # first steps, of which none is usual yet
USUAL_WEIGHT = 0.1  # of the newest bin in what is usual for a layer
SMOOTHED = 5  # bins, whose mean is compared for drift and noise


class Network:
    """Watches ln of the norm of the whole gradient, and which layer has grown most.

    Args:
        layers: L.
        loss: whether it is low.
        parameters: see there.
    """

    def __init__(self, layers: int, loss: Loss, parameters: Parameters) -> None:
        self._p, self._loss = parameters, loss
        self._leak = log(2.0) * BIN / parameters.half_life
        self._peak = nan  # leaking
        self._first = nan  # the largest norm of the first steps
        self._before = nan  # the leaking peak before what may be an explosion
        self.usual = np.full(layers, nan)  # each layer's level, to tell which one has grown
        self._totals: list[float] = []  # the newest bins
        self._changes: list[float] = []
        self._early: list[float] = []
        self._calm = inf  # the least noise so far
        self.spike = Episode("spike", parameters.quiet)
        self.explosion = Episode("explosion", 2 * BIN)
        self.drift = Episode("drift", 2 * BIN)
        self.noise = Episode("noise", parameters.quiet)
        self.start = Episode("bad-start", 10 * BIN)
        self.episodes = (self.start, self.explosion, self.drift, self.spike, self.noise)

    @property
    def limit(self) -> float:
        """ln of the norm from which a step is a spike; inf while none is known."""
        return inf if isnan(self._peak) else self._peak + log(self._p.spike)

    def begin(self, rows: Rows) -> None:
        """A block of rows follows."""
        self._highest = float(np.fmax.reduce(rows.total, initial=-inf))

    def look(self, rows: Rows, first: int) -> Iterator[Found]:
        """Rows of one bin, of which the first is number ``first`` of the run."""
        if not first:
            self.usual = rows.logs[0].copy()
        if first >= self._p.warm_up and not self._highest > self.limit:
            return  # which spares most blocks the rest
        peaks, ratio = np.full(len(rows.total), self._peak), self._p.spike
        if first < self._p.warm_up:
            peaks, ratio = self._early_peaks(rows, first), self._p.early_spike
        hot = np.flatnonzero(rows.total > peaks + log(ratio)).tolist()
        if hot and isnan(self._before):
            self._before = float(peaks[hot[0]])
        for i in hot:
            yield from self.spike.see(
                first + i, self._most(rows.logs[i]), norm_of(rows.total[i]), norm_of(float(peaks[i]))
            )

    def _early_peaks(self, rows: Rows, first: int) -> NDArray[np.float64]:
        """In the warm-up, the largest norm of the first five steps; nan for these, which are not compared."""
        count = max(0, NOT_COMPARED - first)
        self._first = float(np.fmax.reduce(rows.total[:count], initial=self._first))
        self._peak = float(np.fmax.reduce(rows.total, initial=self._peak))
        peaks = np.full(len(rows.total), self._first)
        peaks[:count] = nan
        return peaks

    def _most(self, logs: NDArray[np.float64]) -> tuple[int, ...]:
        """The layer that is farthest above its usual level; at first, the one with the largest norm."""
        if not len(logs):
            return ()
        above = np.where(np.isnan(logs), -inf, logs - np.where(np.isnan(self.usual), 0.0, self.usual))
        return (int(np.argmax(above)),)

    def close(self, bins: Bins, i: int, row: int) -> Iterator[Found]:
        """Bin ``i`` is complete, with ``row`` as its last."""
        total, peak = float(bins.total[i]), float(bins.peak[i])
        if isnan(total):
            yield from self._end(row)
            return
        level = bins.level[i]
        yield from self._explosion(total, level, row)
        self._totals = [*self._totals[1 - SMOOTHED :], total]
        if not isnan(change := float(bins.change[i])):
            self._changes = [*self._changes[1 - SMOOTHED :], change]
        yield from self._drift(level, row)
        yield from self._noise(level, row)
        yield from self._end(row)
        self._learn(peak, level)

    def _explosion(self, total: float, level: NDArray[np.float64], row: int) -> Iterator[Found]:
        if isnan(self._before):
            return
        above = total - self._before
        if above > log(self._p.explosion):
            yield from self.explosion.see(
                row, self._most(level), norm_of(total), norm_of(self._before), since=row - BIN + 1
            )
        elif above < log(self._p.explosion) / 2 and self.explosion.onset is None:
            self._before = nan

    def _drift(self, level: NDArray[np.float64], row: int) -> Iterator[Found]:
        if len(self._early) * BIN < self._p.warm_up:
            self._early.append(self._totals[-1])
            if len(self._early) * BIN == self._p.warm_up:
                yield from self._start(level, row)
            return
        if len(self._totals) == SMOOTHED:
            now, early = sum(self._totals) / SMOOTHED, sum(self._early) / len(self._early)
            if now - early > log(self._p.drift):
                yield from self.drift.see(
                    row, self._most(level), norm_of(now), norm_of(early), since=row - SMOOTHED * BIN + 1
                )

    def _start(self, level: NDArray[np.float64], row: int) -> Iterator[Found]:
        """The norm relative to the loss does not depend on how the loss is summed, but on the scale of the network."""
        norm, loss = norm_of(sum(self._early) / len(self._early)), self._loss.early
        largest = self._p.bad_start if isnan(loss) else max(LEAST_STEEP, self._p.steep * loss)
        if norm > largest:
            yield from self.start.see(row, (int(np.nanargmax(level)),), norm, loss, since=0)

    def _noise(self, level: NDArray[np.float64], row: int) -> Iterator[Found]:
        if len(self._changes) < SMOOTHED:
            return
        now = sum(self._changes) / SMOOTHED
        # A net that has converged is lively on a low level; one that is in trouble has not come down.
        is_high = sum(self._totals) / len(self._totals) > sum(self._early) / len(self._early) - log(2.0)
        if is_high and not self._loss.is_low and now > max(self._p.noise, self._p.noise_growth * self._calm):
            yield from self.noise.see(row, self._most(level), now, self._calm, since=row - SMOOTHED * BIN + 1)
        self._calm = min(self._calm, now)

    def _end(self, row: int) -> Iterator[Found]:
        for episode in self.episodes:
            yield from episode.pass_over(row)
        if self.explosion.onset is None and self.spike.onset is None:
            self._before = nan

    def _learn(self, peak: float, level: NDArray[np.float64]) -> None:
        before = self._peak
        if isnan(before):
            self._peak = peak
        else:
            self._peak = max(before - self._leak, min(peak, before + LEARNT_AT_ONCE))
        nearer = self.usual + USUAL_WEIGHT * (level - self.usual)
        if isnan(float(nearer.sum())):
            nearer = np.where(np.isnan(level), self.usual, np.where(np.isnan(self.usual), level, nearer))
        self.usual = nearer

    @property
    def lasting(self) -> list[tuple[Found, tuple[int, ...]]]:
        """What has begun and not ended: onsets, each with its layers."""
        return [one for episode in self.episodes for one in episode.lasting]

    def widen(self, layers: int) -> None:
        """Add layers."""
        self.usual = np.append(self.usual, np.full(layers, nan))
