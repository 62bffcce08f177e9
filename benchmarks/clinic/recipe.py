"""How a healthy net is trained: optimizer, schedule and what else real trainings have."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.optim import Optimizer

STEPS = 1000  # of a healthy run; faults are shorter


class Recipe(NamedTuple):
    """How a net is trained.

    Attributes:
        optimizer: a name in :data:`OPTIMIZERS`.
        lr: the highest learning rate, which the schedule reduces.
        momentum: of SGD; β₁ of Adam and AdamW.
        weight_decay: as the optimizer understands it.
        batch: examples per batch.
        warmup: steps over which the learning rate rises to ``lr``.
        schedule: a name in :data:`SCHEDULES`.
        clip: the norm of all gradients that they are scaled down to; 0 for no clipping.
        dropout: the share of each hidden layer's outputs that is left out.
        pretrained: steps that the net was trained before the run, which then fine-tunes it with another data order.
        frozen: the first so many layers are frozen before the run, as when only a head is fine-tuned.
        steps: how long the run is.
        least_batch: examples without which the net cannot learn, as for batch normalisation.
    """

    optimizer: str
    lr: float
    momentum: float
    weight_decay: float
    batch: int
    warmup: int = 0
    schedule: str = "constant"
    clip: float = 0.0
    dropout: float = 0.0
    pretrained: int = 0
    frozen: int = 0
    steps: int = STEPS
    least_batch: int = 2

    def rate(self, step: int) -> float:
        """The factor that the schedule puts on the learning rate at a step."""
        rising = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return rising * SCHEDULES[self.schedule](step / self.steps)

    def make_optimizer(self, parameters: list[torch.nn.Parameter]) -> Optimizer:
        """The optimizer for these parameters."""
        return OPTIMIZERS[self.optimizer](parameters, self)


def _sgd(parameters: list[torch.nn.Parameter], recipe: Recipe) -> Optimizer:
    return torch.optim.SGD(parameters, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, fused=True)


def _adam(parameters: list[torch.nn.Parameter], recipe: Recipe) -> Optimizer:
    return torch.optim.Adam(
        parameters, recipe.lr, (recipe.momentum, 0.999), weight_decay=recipe.weight_decay, fused=True
    )


def _adamw(parameters: list[torch.nn.Parameter], recipe: Recipe) -> Optimizer:
    return torch.optim.AdamW(
        parameters, recipe.lr, (recipe.momentum, 0.999), weight_decay=recipe.weight_decay, fused=True
    )


def _one_cycle(done: float) -> float:
    """Up from a twenty-fifth in the first 30 % of the run, down to a ten-thousandth at its end, along cosines."""
    if done < 0.3:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * done / 0.3)) / 2
    return 1e-4 + (1 - 1e-4) * (1 + math.cos(math.pi * (done - 0.3) / 0.7)) / 2


OPTIMIZERS: dict[str, Callable[[list[torch.nn.Parameter], Recipe], Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
}
# From the share of the run that is done to the factor on the learning rate.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "step": lambda done: 0.1 ** (int(done >= 0.5) + int(done >= 0.75)),
    "one-cycle": _one_cycle,
}
