"""How noisy the gradient is: the simple noise scale, from successive gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from gradmidi.measure.quantities.base import Quantity, Values

WEIGHT_OF_NEWEST = 0.05


class NoiseScale(Quantity):
    """Noise scale in batches: trace of the gradient's covariance / squared norm of the true gradient (McCandlish 2018).

    A batch's gradient is the true one plus independent noise, so the product of two successive ones estimates |G|²,
    and the squared norm |G|² + noise. Both are averaged exponentially before the division, as the paper advises.
    Multiply by the batch size for the critical batch size in examples. Holds while the weights change little from step
    to step; nan until two gradients were seen or while the estimate of |G|² is not positive.
    """

    cost: ClassVar[str] = "that of cosine"
    terms: ClassVar[tuple[str, ...]] = ("grad_norm", "product")

    def __init__(self) -> None:
        self._signal: Values = np.array(np.nan)
        self._power: Values = np.array(np.nan)
        self._scale = 1.0

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        scale = scalars.get("grad_scale", 1.0)
        self._signal = _averaged(self._signal, terms["product"] / (scale * self._scale))
        self._power = _averaged(self._power, (terms["grad_norm"] / scale) ** 2)
        self._scale = scale
        return np.where(self._signal > 0, (self._power - self._signal) / self._signal, np.nan)


def _averaged(average: Values, newest: Values) -> Values:
    """The newest starts the average; where it is not finite the average stays."""
    moved = np.where(np.isnan(average), newest, average + WEIGHT_OF_NEWEST * (newest - average))
    return np.where(np.isfinite(newest), moved, average)
