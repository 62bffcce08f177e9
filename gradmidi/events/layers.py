"""Single layers: NaN, Inf, gradients of exactly zero, vanishing ones, and weights that do not move."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np
from numpy.typing import NDArray

from gradmidi.events.bins import BIN, LARGEST, Bins, Rows
from gradmidi.events.episodes import Episodes
from gradmidi.events.loss import Loss
from gradmidi.events.rules import Found, Parameters

STILL = 1e-12  # update ratio of weights that do not move at all


class Layers:
    """Watches each layer.

    Args:
        layers: L.
        loss: whether it has fallen.
        parameters: see there.
    """

    def __init__(self, layers: int, loss: Loss, parameters: Parameters) -> None:
        self._p, self._loss = parameters, loss
        quiet = parameters.quiet
        self.nan = Episodes("nan", layers, quiet)
        self.inf = Episodes("inf", layers, quiet)
        self.zero = Episodes("zero", layers, quiet)
        self.vanishing = Episodes("vanishing", layers, 2 * BIN)
        self.frozen = Episodes("frozen", layers, 2 * BIN)
        self.episodes = (self.nan, self.inf, self.zero, self.vanishing, self.frozen)
        self._learns = np.zeros(layers, dtype=bool)  # has had a gradient in all steps of a bin
        self._learn_all = False
        self._speed = np.full(layers, np.nan)  # update ratio of the newest bin in which the weights moved
        self._braked = np.zeros(layers, dtype=bool)
        self._any_braked = False
        self._has_suspects = False  # in the bin before
        self._tail = np.zeros(layers, dtype=np.int64)  # rows of exactly zero at its end
        self._zero_since = np.full(layers, -1)
        self._weak_since = np.full(layers, -1)
        self._still_since = np.full(layers, -1)

    def begin(self, rows: Rows) -> None:
        """A block of rows follows."""
        self._is_finite = not (rows.nan.any() or np.isinf(rows.norms).any())

    def compare(self, bins: Bins) -> None:
        """Its whole bins; what can be compared at once is, as a block has many."""
        with np.errstate(invalid="ignore"):
            self._zeros = bins.zeros >= self._p.zero
            highest = np.fmax.reduce(bins.level, axis=1, initial=-np.inf, keepdims=True)
            self._weak = bins.level < highest + log(self._p.vanishing_beside)
            self._slow = bins.updates < self._p.frozen
            self._still = bins.updates < STILL
        self._knows_updates = not bool(np.isnan(bins.updates).all())
        whole = bins.gaps == 1
        self._missing = whole & ~whole.all(axis=1, keepdims=True)
        self._has_gaps = bool((bins.gaps > 0).any())
        anything = self._zeros | self._weak | self._slow | self._missing
        self._suspect: list[bool] = anything.any(axis=1).tolist()

    def look(self, rows: Rows, first: int) -> Iterator[Found]:
        """Rows of one bin, of which the first is number ``first`` of the run."""
        if self._is_finite:
            return
        for where, episodes in ((rows.nan, self.nan), (np.isinf(rows.norms), self.inf)):
            if where.any():
                for i in np.flatnonzero(where.any(axis=1)).tolist():
                    yield from episodes.see(first + i, where[i])

    def close(self, bins: Bins, i: int, row: int) -> Iterator[Found]:
        """Bin ``i`` is complete, with ``row`` as its last; the loss has been told of it."""
        if self._knows_updates:
            self._brake(bins.updates[i])
        if self._suspect[i] or self._has_suspects or self._any_braked:
            yield from self._see(bins, i, row)
        if self._has_gaps or not self._learn_all:
            self._learns |= bins.gaps[i] == 0
            self._learn_all = bool(self._learns.all())
        self._tail = bins.tail[i]
        for episodes in self.episodes:
            yield from episodes.pass_over(row)

    def _see(self, bins: Bins, i: int, row: int) -> Iterator[Found]:
        level, updates, zero, weak = bins.level[i], bins.updates[i], self._zeros[i], self._weak[i]
        still = (self._missing[i] & self._learns) | (self._still if self._loss.has_fallen else self._slow)[i]
        still |= self._braked
        self._has_suspects = self._suspect[i] or self._any_braked
        for seen, since, episodes, bins_needed in (
            (zero, self._zero_since, self.zero, 1),
            (weak, self._weak_since, self.vanishing, 2),
            (still & ~zero, self._still_since, self.frozen, 2),
        ):
            if seen.any():
                new = seen & (since < 0)
                since[new] = row - BIN + 1
                if episodes is self.zero:
                    since[new] = self._first_zero(bins.tail[i], row)[new]
                since[~seen] = -1
                lasting = seen & (row - since >= (bins_needed - 1) * BIN)
                if lasting.any():
                    value = updates if episodes is self.frozen else np.exp(np.minimum(level, LARGEST))
                    yield from episodes.see(row, lasting, since, value)
            else:
                since[:] = -1

    def _brake(self, updates: NDArray[np.float64]) -> None:
        """Weights that move a thousandth as much as in the bin before have stopped until they move again."""
        with np.errstate(invalid="ignore"):
            braked = updates < self._p.braked * self._speed
        self._speed = np.where(braked | np.isnan(updates), self._speed, updates)
        self._braked = np.where(np.isnan(updates), self._braked, braked)
        self._any_braked = bool(self._braked.any())

    def _first_zero(self, tail: NDArray[np.int64], row: int) -> NDArray[np.int64]:
        """The first row of the zeros that a bin ends with, which may have begun in the bin before, (L,)."""
        dead = tail >= self._p.zero * BIN
        return np.where(dead, row + 1 - tail - np.where(tail == BIN, self._tail, 0), row - BIN + 1)

    @property
    def lasting(self) -> list[tuple[Found, tuple[int, ...]]]:
        """What has begun and not ended: onsets, each with those of its layers that have not recovered."""
        return [one for episodes in self.episodes for one in episodes.lasting]

    def widen(self, layers: int) -> None:
        """Add layers."""
        for episodes in self.episodes:
            episodes.widen(layers)
        self._learns = np.append(self._learns, np.zeros(layers, dtype=bool))
        self._learn_all = False
        self._speed = np.append(self._speed, np.full(layers, np.nan))
        self._braked = np.append(self._braked, np.zeros(layers, dtype=bool))
        self._tail = np.append(self._tail, np.zeros(layers, dtype=np.int64))
        more = np.full(layers, -1)
        self._zero_since, self._weak_since = np.append(self._zero_since, more), np.append(self._weak_since, more)
        self._still_since = np.append(self._still_since, more)
