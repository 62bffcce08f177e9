"""The loss, where it is known: Inf, jumps, and a loss that does not fall. A NaN may be a step without a loss."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isnan, nan

import numpy as np

from gradmidi.events.bins import BIN, Bins, Rows
from gradmidi.events.episodes import Episode
from gradmidi.events.rules import Found, Parameters

RECENT = 10  # bins
RISEN = 1.5  # times its first value, a loss is stuck even if it changes
STEADY = 0.1  # their standard deviation, relative to their mean, below which a loss does not change


class Loss:
    """Watches the loss.

    Args:
        parameters: see :class:`gradmidi.events.rules.Parameters`.

    Attributes:
        early: the mean of the warm-up's bins; nan where the loss is not known.
        has_fallen: whether the mean of a hundred steps has been below half of that.
        is_low: whether it is below half of that now.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._p = parameters
        self.inf = Episode("inf", parameters.quiet)
        self.spike = Episode("loss-spike", parameters.quiet)
        self.plateau = Episode("plateau", 2 * BIN)
        self.episodes = (self.inf, self.spike, self.plateau)
        self._early: list[float] = []
        self._recent: list[float] = []
        self._best = inf
        self.early = nan
        self.has_fallen = self.is_low = False
        self._steps = 0
        self._peak = nan

    def begin(self, rows: Rows) -> None:
        """A block of rows follows."""
        self._highest = float(np.fmax.reduce(rows.loss, initial=-inf))

    def look(self, rows: Rows, first: int) -> Iterator[Found]:
        """Rows of one bin, of which the first is number ``first`` of the run."""
        limit = self._p.loss_spike * self._peak
        if not self._highest > limit and self._highest != inf:
            return  # which spares most blocks the rest
        loss = rows.loss
        for i in np.flatnonzero(np.isinf(loss)).tolist():
            yield from self.inf.see(first + i, ())
        if self._peak > 0 and self._steps >= self._p.warm_up:
            for i in np.flatnonzero(loss > limit).tolist():
                if np.isfinite(loss[i]):
                    yield from self.spike.see(first + i, (), float(loss[i]), self._peak)

    def close(self, bins: Bins, i: int, row: int) -> Iterator[Found]:
        """Bin ``i`` is complete, with ``row`` as its last."""
        loss, peak = float(bins.loss[i]), float(bins.loss_peak[i])
        if not isnan(loss):
            self._steps += BIN
            self._recent = [*self._recent[1 - RECENT :], loss]
            if len(self._early) * BIN < self._p.warm_up:
                self._early.append(loss)
                self.early = sum(self._early) / len(self._early)
            early, now = self.early, sum(self._recent) / len(self._recent)
            self._best = min(self._best, now)
            self.has_fallen, self.is_low = self._best < 0.5 * early, now < 0.5 * early
            is_stuck = self._steps >= self._p.plateau_steps and early > 0 and now > self._p.plateau * early
            if is_stuck and (now > RISEN * early or np.std(self._recent) < STEADY * now):
                yield from self.plateau.see(row, (), now, early, since=max(0, row + 1 - RECENT * BIN))
            leak = 0.5 ** (BIN / self._p.half_life)
            self._peak = peak if isnan(self._peak) else max(self._peak * leak, min(peak, 3 * self._peak))
        for episode in self.episodes:
            yield from episode.pass_over(row)

    @property
    def lasting(self) -> list[tuple[Found, tuple[int, ...]]]:
        """What has begun and not ended: onsets, each with its layers."""
        return [one for episode in self.episodes for one in episode.lasting]
