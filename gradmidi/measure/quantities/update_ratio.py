"""How large a plain gradient step is beside the weights that it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gradmidi.measure.quantities.base import Quantity, Values


class UpdateRatio(Quantity):
    """Learning rate × gradient norm / weight norm.

    For SGD without momentum it is the true relative change of a step; around 1e-3 is usually healthy. For adaptive
    optimizers it is what SGD would do with the same learning rate.
    """

    cost: ClassVar[str] = "two fused norms, of gradients and of weights"
    needs_rates: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("grad_norm", "weight_norm")

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        return rates * terms["grad_norm"] / scalars.get("grad_scale", 1.0) / terms["weight_norm"]
