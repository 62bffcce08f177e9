"""The learning rate, as the schedule has it at the step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gradmidi.measure.quantities.base import Quantity, Values


class LearningRate(Quantity):
    """The first layer's learning rate."""

    cost: ClassVar[str] = "none worth naming"
    needs_rates: ClassVar[bool] = True
    per_layer: ClassVar[bool] = False

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        return rates[:1]
