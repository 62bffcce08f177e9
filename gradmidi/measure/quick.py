"""The usual case without detours: one optimizer, one weight a layer, all float32 on the CPU.

After a backward pass nothing of ours is in the processor's caches, so that on a small net every further Python function
and object costs as much as a norm does. Here a step is one function that has torch write the norms where numpy reads
them; whatever is unusual goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

from gradmidi.measure.meter import Meter
from gradmidi.measure.row import StepNorms

ROWS_AHEAD = 16

Row = tuple[NDArray[np.float32], memoryview]
Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], Any]


def quick_hook(parameters: Sequence[nn.Parameter], meter: Meter, general: Hook) -> Hook:
    """A step hook for parameters that all have a dense float32 gradient on the CPU.

    Args:
        parameters: L of them, one a layer.
        meter: what counts the steps and receives the rows.
        general: the hook for everything else. It is the only one from the first step on in which the gradients are of
            another kind, or in which nobody could take the row. It alone may be called while a step is compiled.
    """
    # A call a layer, because the fused one makes L tensors that would have to be read one by one.
    norm, compiling = torch.linalg.vector_norm, torch.compiler.is_dynamo_compiling
    measured = torch.zeros(len(parameters), dtype=torch.float32, device="cpu")
    numbers = measured.numpy().data
    places = list(zip(parameters, measured.unbind(), strict=True))
    on_step, no_gaps = meter.on_step, meter.maker.no_gaps
    ahead: list[Row] = []
    usual = True

    def before_step(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        nonlocal usual
        if compiling() or not usual or kwargs or (len(args) != 1 and args[1:] != (None,)):
            return general(optimizer, args, kwargs)
        try:
            for parameter, place in places:
                norm(parameter.grad, out=place)
        except (RuntimeError, TypeError):
            usual = False  # no gradient, or one of another device, type or layout
            return general(optimizer, args, kwargs)
        if not ahead:
            ahead.extend(_rows(len(parameters)))
        norms, room = ahead.pop()
        room[:] = numbers
        step = meter.steps
        meter.steps = step + 1
        notes: Any = meter.notes
        meter.notes = {}
        try:
            on_step(StepNorms(step, norms, no_gaps, notes))
        except Exception as error:
            usual = False
            meter.fall_silent(error)
        return None

    return before_step


def _rows(layers: int) -> list[Row]:
    """Arrays (L,) and their memory. Many at a time, because making one at a step costs as much as a norm."""
    return [(row, row.data) for row in np.empty((ROWS_AHEAD, layers), dtype=np.float32)]
