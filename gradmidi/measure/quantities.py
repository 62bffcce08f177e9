"""What can be measured: one table of formulas, from numbers that were read on the device to one value per layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError

Values = NDArray[np.float64]

WEIGHT_OF_NEWEST = 0.05  # in the noise scale's running means


class Seen(NamedTuple):
    """What a formula is given at a step.

    Attributes:
        terms: numbers by name, each (L,), joined over a layer's parameters; nan where there was no gradient.
        scalars: what came with the row.
        rates: learning rate of each layer (L,), nan if no optimizer has it.
        memory: what the formula keeps from step to step, its own in each probe; empty at first.
    """

    terms: Mapping[str, Values]
    scalars: Mapping[str, float]
    rates: Values
    memory: dict[str, Values]

    @property
    def scale(self) -> float:
        """The factor that automatic mixed precision has put on the gradients, 1 if none."""
        return self.scalars.get("grad_scale", 1.0)


class Quantity(NamedTuple):
    """Something measured at each step.

    Attributes:
        meaning: what it is.
        cost: what it adds to a step.
        formula: gives the values: (L,), or (1,) for one per step.
        terms: names in :data:`gradmidi.measure.terms.TERMS` that have to be read from the device.
        needs_rates: whether the formula uses the layers' learning rates.
        per_layer: True for one value per layer, False for one per step.
    """

    meaning: str
    cost: str
    formula: Callable[[Seen], Values]
    terms: tuple[str, ...] = ()
    needs_rates: bool = False
    per_layer: bool = True


def _cosine(seen: Seen) -> Values:
    norm, before = seen.terms["grad_norm"], seen.memory.get("norm", np.array(np.nan))
    seen.memory["norm"] = np.where(np.isnan(norm), before, norm)
    # Both norms still carry the factor of mixed precision, as the product does; it cancels.
    return seen.terms["product"] / (norm * before)


def _noise_scale(seen: Seen) -> Values:
    """A batch's gradient is the true one, G, plus independent noise.

    So the product of two successive ones estimates |G|², and the squared norm |G|² + noise. Both are averaged
    exponentially before the division, as McCandlish et al. (2018) advise.
    """
    scales = seen.scale * seen.memory.get("scale", np.array(1.0))
    signal = _averaged(seen.memory, "signal", seen.terms["product"] / scales)
    power = _averaged(seen.memory, "power", (seen.terms["grad_norm"] / seen.scale) ** 2)
    seen.memory["scale"] = np.array(seen.scale)
    return np.where(signal > 0, (power - signal) / signal, np.nan)


def _averaged(memory: dict[str, Values], name: str, newest: Values) -> Values:
    """The running mean: the newest value starts it, and one that is not finite leaves it as it was."""
    average = memory.get(name, np.array(np.nan))
    moved = np.where(np.isnan(average), newest, average + WEIGHT_OF_NEWEST * (newest - average))
    memory[name] = np.where(np.isfinite(newest), moved, average)
    return memory[name]


QUANTITIES: dict[str, Quantity] = {
    "grad_norm": Quantity(
        "√Σg² over the layer's parameters, without the factor of automatic mixed precision",
        "one fused norm of the gradients",
        lambda seen: seen.terms["grad_norm"] / seen.scale,
        terms=("grad_norm",),
    ),
    "weight_norm": Quantity(
        "√Σw² over the layer's parameters, before the step",
        "one fused norm of the weights",
        lambda seen: seen.terms["weight_norm"],
        terms=("weight_norm",),
    ),
    "update_ratio": Quantity(
        "learning rate × gradient norm / weight norm: how large a step is relative to the weights that it changes. "
        "For SGD without momentum it is the true relative change, and around 1e-3 is usually healthy; for adaptive "
        "optimizers it is what SGD would do with the same learning rate",
        "two fused norms, of gradients and of weights",
        lambda seen: seen.rates * seen.terms["grad_norm"] / seen.scale / seen.terms["weight_norm"],
        terms=("grad_norm", "weight_norm"),
        needs_rates=True,
    ),
    "cosine": Quantity(
        "cosine between this gradient and the one measured before it: 1 the same way, -1 straight back (oscillation), "
        "nan at first",
        "one fused norm, one inner product per parameter, and a copy of all measured gradients",
        _cosine,
        terms=("grad_norm", "product"),
    ),
    "grad_max": Quantity(
        "max |g| over the layer's parameters, without the factor of automatic mixed precision",
        "an absolute value and a maximum per parameter",
        lambda seen: seen.terms["grad_max"] / seen.scale,
        terms=("grad_max",),
    ),
    "zeros": Quantity(
        "share of the gradient's elements that are exactly 0, from 0 to 1: dead units, unused rows of an embedding, "
        "underflow; elements that a sparse gradient leaves out count",
        "a count per parameter",
        lambda seen: 1.0 - seen.terms["nonzeros"] / seen.terms["sizes"],
        terms=("nonzeros", "sizes"),
    ),
    "noise_scale": Quantity(
        "the simple noise scale (McCandlish et al. 2018) in batches, from successive gradients: trace of the "
        "gradient's covariance / squared norm of the true gradient. Multiply by the batch size for the critical batch "
        "size in examples. Holds while the weights change little from step to step; nan until two gradients were "
        "seen, or while the estimate of the true gradient's norm is not positive",
        "the same as cosine",
        _noise_scale,
        terms=("grad_norm", "product"),
    ),
    "learning_rate": Quantity(
        "the first layer's learning rate, as the schedule has it at the step",
        "negligible",
        lambda seen: seen.rates[:1],
        needs_rates=True,
        per_layer=False,
    ),
    "loss": Quantity(
        "what was given by note(loss=…) since the step before; nan if nothing was",
        "none; on CUDA it travels with the norms",
        lambda seen: np.array([seen.scalars.get("loss", np.nan)]),
        per_layer=False,
    ),
}


def quantities_named(names: Sequence[str]) -> list[Quantity]:
    """Quantities by name.

    Raises:
        InputError: an unknown name, none at all, or a first one that has no value per layer.
    """
    for name in names:
        if name not in QUANTITIES:
            raise InputError(f"there is no quantity {name!r}; there are {', '.join(QUANTITIES)}")
    if not names or not QUANTITIES[names[0]].per_layer:
        fitting = ", ".join(name for name, quantity in QUANTITIES.items() if quantity.per_layer)
        raise InputError(f"the first quantity becomes the notes and needs a value per layer: {fitting}")
    return [QUANTITIES[name] for name in names]
