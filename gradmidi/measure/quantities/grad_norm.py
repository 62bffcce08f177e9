"""The L2 norm of a layer's gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gradmidi.measure.quantities.base import Quantity, Values


class GradNorm(Quantity):
    """√Σg² over the layer's parameters, without the factor of automatic mixed precision."""

    cost: ClassVar[str] = "one fused norm of the gradients"
    terms: ClassVar[tuple[str, ...]] = ("grad_norm",)

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        return terms["grad_norm"] / scalars.get("grad_scale", 1.0)
