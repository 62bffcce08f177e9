"""Automatic mixed precision: the factor that a fused optimizer leaves on the gradients, and steps that are skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from gradmidi.measure.steps import StandIn


def scalars_of(optimizer: Optimizer) -> dict[str, float | Tensor]:
    """``grad_scale`` and ``skipped`` (0 or 1) while GradScaler runs a fused optimizer's step, which unscales itself."""
    found: dict[str, float | Tensor] = {}
    if isinstance(scale := getattr(optimizer, "grad_scale", None), Tensor):
        found["grad_scale"] = scale
    if isinstance(overflow := getattr(optimizer, "found_inf", None), Tensor):
        found["skipped"] = overflow
    return found


def scales_itself(optimizer: Optimizer) -> bool:
    """Whether it is a fused optimizer, which under a GradScaler steps on gradients that are still scaled."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def scale_of(scaler: GradScaler) -> dict[str, float | Tensor]:
    """``grad_scale`` as it is during a backward pass; nothing before the first loss was scaled."""
    scale = getattr(scaler, "_scale", None)
    return {} if scale is None else {"grad_scale": scale}


class WatchedStep(StandIn):
    """Replaces ``scaler.step`` and reports when a step was skipped because a gradient was not finite.

    A plain optimizer's ``step`` is then never called, so none of its hooks can know.

    Args:
        scaler: whose ``step`` is watched.
        steps_of: how many steps of an optimizer were seen so far; None for one that is not watched.
        on_skip: called with the optimizer after a skipped step.
    """

    def __init__(
        self, scaler: GradScaler, steps_of: Callable[[Optimizer], int | None], on_skip: Callable[[Optimizer], None]
    ) -> None:
        self._steps_of = steps_of
        self._on_skip = on_skip
        super().__init__(scaler, "step")

    def __call__(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        before = None if self.removed else self._steps_of(optimizer)
        result = self.own(optimizer, *args, **kwargs)
        if before is not None and self._steps_of(optimizer) == before:
            self._on_skip(optimizer)
        return result
