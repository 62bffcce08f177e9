"""The L2 norm of a layer's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gradmidi.measure.quantities.base import Quantity, Values


class WeightNorm(Quantity):
    """√Σw² over the layer's parameters, before the step."""

    cost: ClassVar[str] = "one fused norm of the weights"
    terms: ClassVar[tuple[str, ...]] = ("weight_norm",)

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        return terms["weight_norm"]
