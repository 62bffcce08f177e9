"""How late notes went out: a histogram of fixed size, so that days take no more memory than seconds."""

from __future__ import annotations

from math import ceil, log

FINEST = 1e-6  # s; anything below counts as this
RATIO = 1.02  # width of a bin, so that a quantile is exact to 2 %
BINS = 1000  # up to 400 s
LATE = 0.01  # s; from here on a note counts as late, as ears begin to notice


class Lateness:
    """Counts delays in s; quantiles are the upper edge of their bin, the maximum is exact."""

    def __init__(self) -> None:
        self._bins = [0] * BINS
        self.count = 0
        self.late = 0
        self.largest = 0.0

    def add(self, seconds: float) -> None:
        place = int(log(max(seconds, FINEST) / FINEST) / log(RATIO))
        self._bins[min(place, BINS - 1)] += 1
        self.count += 1
        self.late += seconds >= LATE
        self.largest = max(self.largest, seconds)

    def quantile(self, share: float) -> float:
        """The delay in s that ``share`` (0–1) of the notes stay within; 0 where nothing was counted."""
        wanted, seen = ceil(share * self.count), 0
        for place, count in enumerate(self._bins):
            seen += count
            if count and seen >= wanted:
                return float(min(FINEST * RATIO ** (place + 1), self.largest))
        return 0.0
