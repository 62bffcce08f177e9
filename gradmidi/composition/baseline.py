"""What is usual for a layer: the running mean of its log-norms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Baseline:
    """The exponentially weighted mean of log-norms, one value per layer, kept from one block of steps to the next.

    Args:
        layers: L.
        weight: weight of the newest step; 0.1 remembers about ten steps.
    """

    def __init__(self, layers: int, weight: float) -> None:
        self._weight = weight
        self._mean = np.full(layers, np.nan)

    @property
    def now(self) -> NDArray[np.float64]:
        """The mean after all steps so far: (L,) natural logarithms, nan where a layer has had no norm yet."""
        return self._mean

    def before(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean as it was before each row: (N, L) natural logarithms for norms (N, L); nan before the first.

        Norms that are zero, not finite or missing leave it unchanged. Steps are processed one by one, so that blocks of
        any size give identical bits.
        """
        usable = np.isfinite(norms) & (norms > 0)
        logs = np.log(norms, where=usable, out=np.zeros_like(norms))
        unknown = bool(np.isnan(self._mean).any())
        means = np.empty((len(norms) + 1, norms.shape[1]))
        means[0] = self._mean
        whole = np.asarray(usable.all(axis=1)).tolist()
        rows = iter(means)
        mean = next(rows)
        # In place, as this loop takes most of the time for a million steps.
        for after, log, counts, is_whole in zip(rows, logs, usable, whole, strict=True):
            np.subtract(log, mean, out=after)
            np.multiply(after, self._weight, out=after)
            np.add(mean, after, out=after)
            if not is_whole:
                np.copyto(after, mean, where=~counts)
            if unknown:
                np.copyto(after, log, where=counts & np.isnan(mean))
                unknown = bool(np.isnan(after).any())
            mean = after
        self._mean = mean.copy()
        return means[:-1]
