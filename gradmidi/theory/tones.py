"""The tones of a scale as arrays of Hz, and the nearest of them. Pure functions that know nothing of names.

Every frequency that a scale gives out is computed in :meth:`ToneSet.table` and nowhere else, so that quantised values
are the very same floats as the listed ones.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Tones exist between these frequencies (Hz): any norm that float32 can hold, times a thousand, and no overflow.
LOWEST_HZ, HIGHEST_HZ = 1e-60, 1e60
_EDGE = 1e-9  # relative: a tone at 440.00000000000006 Hz belongs to "up to 440"
_CHUNK = 1 << 18  # values quantised at a time: bounds the memory for indices and stays in cache


@dataclass(frozen=True)
class ToneSet:
    """The tones of a scale: ``ratios`` (D,) to the ``tonic`` (Hz), ascending, repeated at ``period``.

    The ratios lie within one ``period``, which is a ratio above 1; with a period of None they are all there are.
    """

    ratios: Floats
    period: float | None
    tonic: float

    def table(self, lo: float, hi: float) -> tuple[Floats, int]:
        """Consecutive tones in Hz, ascending, and the number of the first one counted from the tonic.

        They hold all tones from ``lo`` to ``hi`` Hz and at least one more on either side, if there is one.
        """
        if self.period is None:
            return self.tonic * self.ratios, 0
        edges = (min(max(edge, LOWEST_HZ), HIGHEST_HZ) for edge in (lo, hi))
        first, last = (math.floor(math.log(edge / self.tonic) / math.log(self.period)) for edge in edges)
        # Python's pow, not numpy's: the same exponent must give the same float at any position in the array.
        powers = np.array([self.period**k for k in range(first - 1, last + 2)])
        return np.outer(powers, self.tonic * self.ratios).ravel(), (first - 1) * len(self.ratios)

    def between(self, lo: float, hi: float) -> Floats:
        """Every tone from ``lo`` to ``hi`` Hz, both included, ascending (M,)."""
        hz, _ = self.table(lo, hi)
        return hz[(hz >= lo * (1 - _EDGE)) & (hz <= hi * (1 + _EDGE))]

    def nearest(self, hz: Floats) -> Floats:
        """The tone nearest to each of ``hz``, any shape; NaN for what is not a positive, finite frequency."""
        table, _ = self.table(*_span(hz))
        return _take_nearest(table, table, hz)

    def nearest_number(self, hz: Floats) -> Floats:
        """The number, counted from the tonic, of the tone nearest to each of ``hz``, any shape; NaN where none."""
        table, first = self.table(*_span(hz))
        return _take_nearest(table, first + np.arange(len(table), dtype=np.float64), hz)


def playable(hz: Floats) -> NDArray[np.bool_]:
    """Where a frequency is positive and finite, so that it has a nearest tone at all."""
    return (hz > 0) & (hz < np.inf)


def _span(hz: Floats) -> tuple[float, float]:
    where = playable(hz)
    lo, hi = hz.min(where=where, initial=np.inf), hz.max(where=where, initial=0.0)
    return (float(lo), float(hi)) if lo <= hi else (1.0, 1.0)  # nothing playable: any span will do


def _take_nearest(tones: Floats, values: Floats, hz: Floats) -> Floats:
    """For each of ``hz`` the entry of ``values`` that belongs to the nearest of ``tones``, the lower one in a tie."""
    # The geometric mean is the point midway in log frequency; written so that it cannot overflow.
    boundaries = tones[:-1] * np.sqrt(tones[1:] / tones[:-1])
    result = np.empty(hz.shape)
    flat_in, flat_out = hz.ravel(), result.ravel()
    for start in range(0, flat_in.size, _CHUNK):
        part = flat_in[start : start + _CHUNK]
        # side="left" sends a value on a boundary downwards.
        nearest = values[np.searchsorted(boundaries, part, side="left")]
        flat_out[start : start + _CHUNK] = np.where(playable(part), nearest, np.nan)
    return result
