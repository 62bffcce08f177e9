"""An exponentially weighted mean that gives the same bits however its values are divided into blocks."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
from numpy.typing import NDArray


class RunningMean:
    """The mean of the values so far; the first value is its own mean.

    Args:
        weight: of the newest value, above 0 and up to 1.
    """

    def __init__(self, weight: float) -> None:
        self._weight, self._mean = weight, nan

    def after(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean after each of K finite values, (K,)."""
        means, mean = [], self._mean
        for value in values.tolist():
            mean = value if isnan(mean) else mean + self._weight * (value - mean)
            means.append(mean)
        self._mean = mean
        return np.array(means, dtype=np.float64)
