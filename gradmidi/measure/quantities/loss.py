"""The loss that the training loop reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from gradmidi.measure.quantities.base import Quantity, Values


class Loss(Quantity):
    """What was given by note(loss=…) since the step before; nan if nothing was."""

    cost: ClassVar[str] = "none; on CUDA it travels with the norms"
    per_layer: ClassVar[bool] = False

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        return np.array([scalars.get("loss", np.nan)])
