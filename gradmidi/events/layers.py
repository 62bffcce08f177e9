"""Single layers: NaN, Inf, gradients of exactly zero, vanishing ones, and weights that do not move."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np

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
        self.zero = Episodes("zero", layers, 2 * BIN)
        self.vanishing = Episodes("vanishing", layers, 2 * BIN)
        self.frozen = Episodes("frozen", layers, 2 * BIN)
        self.episodes = (self.nan, self.inf, self.zero, self.vanishing, self.frozen)
        self._learns = np.zeros(layers, dtype=bool)  # has had a gradient in all steps of a bin
        self._zero_since = np.full(layers, -1)
        self._weak_since = np.full(layers, -1)
        self._still_since = np.full(layers, -1)

    def look(self, rows: Rows, first: int) -> Iterator[Found]:
        """Rows of one bin, of which the first is number ``first`` of the run."""
        for where, episodes in ((rows.nan, self.nan), (np.isinf(rows.norms), self.inf)):
            if where.any():
                for i in np.flatnonzero(where.any(axis=1)).tolist():
                    yield from episodes.see(first + i, where[i])

    def close(self, bins: Bins, i: int, row: int) -> Iterator[Found]:
        """Bin ``i`` is complete, with ``row`` as its last; the loss has been told of it."""
        level, zeros, updates = bins.level[i], bins.zeros[i], bins.updates[i]
        with np.errstate(invalid="ignore"):
            zero = zeros >= self._p.zero
            weak = level < np.fmax.reduce(level, initial=-np.inf) + log(self._p.vanishing_beside)
            without = (bins.gaps[i] == 1) & self._learns & (bins.gaps[i].min(initial=1) == 0)
            self._learns |= bins.gaps[i] == 0
            still = without | (updates < (STILL if self._loss.has_fallen else self._p.frozen))
        for seen, since, episodes, bins_needed in (
            (zero, self._zero_since, self.zero, 1),
            (weak, self._weak_since, self.vanishing, 2),
            (still & ~zero, self._still_since, self.frozen, 2),
        ):
            if seen.any():
                since[seen & (since < 0)] = row - BIN + 1
                since[~seen] = -1
                lasting = seen & (row - since >= bins_needed * BIN - 1)
                if lasting.any():
                    value = updates if episodes is self.frozen else np.exp(np.minimum(level, LARGEST))
                    yield from episodes.see(row, lasting, since, value)
            elif since.max(initial=-1) >= 0:
                since[:] = -1
        for episodes in self.episodes:
            yield from episodes.pass_over(row)

    def onsets(self) -> list[Found]:
        """What has begun and not ended."""
        return [onset for episodes in self.episodes for onset in episodes.onsets]

    def widen(self, layers: int) -> None:
        """Add layers."""
        for episodes in self.episodes:
            episodes.widen(layers)
        self._learns = np.append(self._learns, np.zeros(layers, dtype=bool))
        more = np.full(layers, -1)
        self._zero_since, self._weak_since = np.append(self._zero_since, more), np.append(self._weak_since, more)
        self._still_since = np.append(self._still_since, more)
