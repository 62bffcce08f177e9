"""What every quantity is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class Quantity:
    """Something measured at each step.

    Attributes:
        cost: what it adds to a step.
        terms: names in :data:`gradmidi.measure.terms.TERMS` that have to be read from the device.
        needs_rates: whether it wants the layers' learning rates.
        per_layer: True for a value a layer, False for one a step.
    """

    cost: ClassVar[str]
    terms: ClassVar[tuple[str, ...]] = ()
    needs_rates: ClassVar[bool] = False
    per_layer: ClassVar[bool] = True

    def of(self, terms: Mapping[str, Values], scalars: Mapping[str, float], rates: Values) -> Values:
        """The quantity's values: (L,), or (1,) for one a step.

        Args:
            terms: the joined terms, each (L,); nan where there was no gradient.
            scalars: what came with the row; ``grad_scale`` is the factor that automatic mixed precision has put on
                the gradients, 1 if none.
            rates: learning rate of each layer (L,), nan if no optimizer has it.
        """
        raise NotImplementedError
