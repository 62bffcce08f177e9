"""What can be measured, one file each, by name. Each takes joined terms (L,) and scalars and gives a value a layer."""

from __future__ import annotations

from collections.abc import Sequence

from gradmidi.errors import InputError
from gradmidi.measure.quantities import (
    cosine,
    grad_max,
    grad_norm,
    learning_rate,
    loss,
    noise_scale,
    update_ratio,
    weight_norm,
    zeros,
)
from gradmidi.measure.quantities.base import Quantity

QUANTITIES: dict[str, type[Quantity]] = {
    "grad_norm": grad_norm.GradNorm,
    "weight_norm": weight_norm.WeightNorm,
    "update_ratio": update_ratio.UpdateRatio,
    "cosine": cosine.Cosine,
    "grad_max": grad_max.GradMax,
    "zeros": zeros.Zeros,
    "noise_scale": noise_scale.NoiseScale,
    "learning_rate": learning_rate.LearningRate,
    "loss": loss.Loss,
}


def quantities_named(names: Sequence[str]) -> list[Quantity]:
    """Fresh quantities by name.

    Raises:
        InputError: an unknown name, none at all, or a first one that has no value a layer.
    """
    for name in names:
        if name not in QUANTITIES:
            raise InputError(f"there is no quantity {name!r}; there are {', '.join(QUANTITIES)}")
    if not names or not QUANTITIES[names[0]].per_layer:
        fitting = ", ".join(name for name, kind in QUANTITIES.items() if kind.per_layer)
        raise InputError(f"the first quantity is the one that is heard and needs a value a layer: {fitting}")
    return [QUANTITIES[name]() for name in names]


__all__ = ["QUANTITIES", "Quantity", "quantities_named"]
