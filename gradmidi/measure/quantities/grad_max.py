"""The largest element of a layer's gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gradmidi.measure.quantities.base import Quantity, Values


class GradMax(Quantity):
    """max |g| over the layer's parameters, without the factor of automatic mixed precision."""

    cost: ClassVar[str] = "an absolute value and a maximum a parameter"
    terms: ClassVar[tuple[str, ...]] = ("grad_max",)

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        return terms["grad_max"] / scalars.get("grad_scale", 1.0)
