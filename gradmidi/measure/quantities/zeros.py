"""How much of a layer gets no gradient: dead units, unused rows of an embedding, underflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gradmidi.measure.quantities.base import Quantity, Values


class Zeros(Quantity):
    """Share of the gradient's elements that are exactly 0, from 0 to 1; elements a sparse gradient leaves out count."""

    cost: ClassVar[str] = "a count a parameter"
    terms: ClassVar[tuple[str, ...]] = ("nonzeros", "sizes")

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        return 1.0 - terms["nonzeros"] / terms["sizes"]
