"""Whether the gradient goes on in its direction or turns back: oscillation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from gradmidi.measure.quantities.base import Quantity, Values


class Cosine(Quantity):
    """Cosine between this gradient and the one measured before it: 1 the same way, −1 straight back, nan at first."""

    cost: ClassVar[str] = "one fused norm, one inner product a parameter, and a copy of all measured gradients"
    terms: ClassVar[tuple[str, ...]] = ("grad_norm", "product")

    def __init__(self) -> None:
        self._before: Values = np.array(np.nan)

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        # Both norms still carry the factor of mixed precision, as the product does; it cancels.
        cosine = terms["product"] / (terms["grad_norm"] * self._before)
        self._before = np.where(np.isnan(terms["grad_norm"]), self._before, terms["grad_norm"])
        return cosine
