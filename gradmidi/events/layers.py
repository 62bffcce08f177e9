"""Single layers: NaN, Inf, gradients of exactly zero, vanishing ones, and weights that do not move."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np

from gradmidi.events.bins import BIN, Bins, Rows
from gradmidi.events.episodes import Episodes
from gradmidi.events.rules import Found, Parameters


class Layers:
    """Watches each layer.

    Args:
        layers: L.
        parameters: see there.
    """

    def __init__(self, layers: int, parameters: Parameters) -> None:
        self._p = parameters
        quiet = parameters.quiet
        self.nan = Episodes("nan", layers, quiet)
        self.inf = Episodes("inf", layers, quiet)
        self.zero = Episodes("zero", layers, 2 * BIN)
        self.vanishing = Episodes("vanishing", layers, 2 * BIN)
        self.frozen = Episodes("frozen", layers, 2 * BIN)
        self.episodes = (self.nan, self.inf, self.zero, self.vanishing, self.frozen)
        self._leak = log(2.0) * BIN / parameters.half_life
        self._peak = np.full(layers, np.nan)
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
        """Bin ``i`` is complete, with ``row`` as its last."""
        level, zeros, updates = bins.level[i], bins.zeros[i], bins.updates[i]
        with np.errstate(invalid="ignore"):
            zero = zeros >= self._p.zero
            weak = level < np.fmax.reduce(level, initial=-np.inf) + log(self._p.vanishing_beside)
            still = updates < self._p.frozen
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
                    value = updates if episodes is self.frozen else np.exp(level)
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
        self._peak = np.append(self._peak, np.full(layers, np.nan))
        more = np.full(layers, -1)
        self._zero_since, self._weak_since = np.append(self._zero_since, more), np.append(self._weak_since, more)
        self._still_since = np.append(self._still_since, more)
