"""The tones of a scale as arrays of Hz, and the nearest of them. Pure functions that know nothing of names.

Every frequency that a scale gives out is computed in :func:`tone_table` and nowhere else, so that quantised values are
the very same floats as the listed ones.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Tones exist between these frequencies (Hz): any norm that float32 can hold, times a thousand, and no overflow.
LOWEST_HZ, HIGHEST_HZ = 1e-60, 1e60
_CHUNK = 1 << 18  # values quantised at a time: bounds the memory for indices and stays in cache


@dataclass(frozen=True)
class ToneTable:
    """Consecutive tones of a scale: ``hz`` ascending, and the number of the first one counted from the tonic."""

    hz: Floats
    first: int


def tone_table(ratios: Floats, period: float | None, tonic: float, lo: float, hi: float) -> ToneTable:
    """The tones that matter between ``lo`` and ``hi`` Hz, with at least one more on either side.

    ``ratios`` (D,) are relative to ``tonic`` (Hz), ascending and within one ``period`` (a ratio above 1); with a
    period of None they are all the tones that there are.
    """
    if period is None:
        return ToneTable(tonic * ratios, 0)
    lo, hi = (min(max(edge, LOWEST_HZ), HIGHEST_HZ) for edge in (lo, hi))
    first, last = (math.floor(math.log(edge / tonic) / math.log(period)) for edge in (lo, hi))
    # Python's pow, not numpy's: the same exponent must give the same float wherever it stands in the array.
    powers = np.array([period**k for k in range(first - 1, last + 2)])
    return ToneTable(np.outer(powers, tonic * ratios).ravel(), (first - 1) * len(ratios))


def nearest_index(tones: Floats, hz: Floats) -> NDArray[np.intp]:
    """For each of ``hz`` (positive, finite) the index of the tone nearest in log frequency, the lower one in a tie."""
    # The geometric mean is the point midway in log frequency; written so that it cannot overflow.
    boundaries = tones[:-1] * np.sqrt(tones[1:] / tones[:-1])
    return np.searchsorted(boundaries, hz, side="left")


def playable(hz: Floats) -> NDArray[np.bool_]:
    """Where a frequency is positive and finite, so that it has a nearest tone at all."""
    return (hz > 0) & (hz < np.inf)


def span(hz: Floats) -> tuple[float, float] | None:
    """The lowest and highest playable value, or None if there is none."""
    where = playable(hz)
    if not where.any():
        return None
    return float(hz.min(where=where, initial=np.inf)), float(hz.max(where=where, initial=0.0))


def take_nearest(tones: Floats, values: Floats, hz: Floats) -> Floats:
    """For each of ``hz``, any shape, the entry of ``values`` that belongs to the nearest of ``tones``; NaN if none."""
    result = np.empty(hz.shape)
    flat_in, flat_out = hz.ravel(), result.ravel()
    for start in range(0, flat_in.size, _CHUNK):
        part = flat_in[start : start + _CHUNK]
        nearest = values[nearest_index(tones, part).clip(max=len(tones) - 1)]
        flat_out[start : start + _CHUNK] = np.where(playable(part), nearest, np.nan)
    return result
