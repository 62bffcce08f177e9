"""Which steps are far above what was usual before them, told as they come and for the cost of a few µs."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
from numpy.typing import NDArray

from gradmidi.events.rules import DEFAULTS

NOT_COMPARED = 5  # first steps, of which none is usual yet
LEAK = 0.5 ** (1 / DEFAULTS.half_life)
LEARNT_AT_ONCE = 3.0  # times the peak; a larger norm does not make the next one usual


class Peak:
    """The leaking peak of the norm of the whole gradient, brought up to date at each step.

    The events of a session are found more exactly, but ten steps at a time; see :class:`gradmidi.events.Watch`.
    """

    def __init__(self) -> None:
        self._peak = nan
        self._seen = 0
        self._is_above = False

    @property
    def limit(self) -> float:
        """The norm from which a step is far above; inf in the first steps."""
        return inf if isnan(self._peak) or self._seen < NOT_COMPARED else DEFAULTS.spike * self._peak

    def rise(self, norms: NDArray[np.float64]) -> list[int]:
        """The rows of norms (N, L) at which the gradient begins to be far above."""
        with np.errstate(over="ignore"):
            totals = np.sqrt((np.where(np.isfinite(norms), norms, 0.0) ** 2).sum(axis=1)).tolist()
        risen = []
        for row, total in enumerate(totals):
            above = total > self.limit
            if above and not self._is_above:
                risen.append(row)
            self._is_above = above
            if total > 0:
                known = not isnan(self._peak)
                self._peak = max(self._peak * LEAK, min(total, LEARNT_AT_ONCE * self._peak)) if known else total
                self._seen += 1
        return risen
