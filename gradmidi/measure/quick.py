"""The fast path of the usual case: one optimizer, one weight per layer, all float32 on the CPU.

After a backward pass none of our code is in the processor's caches, so that on a small net every further Python
function and object costs as much as a norm does. Here a step is one function that has torch write the norms straight
into the row that is handed on; a row that its receiver did not keep is overwritten at the next step. Everything else
takes the general path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from gradmidi.measure.meter import Meter
from gradmidi.measure.row import StepNorms

OURS = 3  # references to a row that was not kept: the hook's, the tensor's over it, and that of the call that counts

Places = list[tuple[nn.Parameter, Tensor]]
Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], Any]
Refit = Callable[[Sequence[nn.Parameter] | None], None]


def quick_hook(parameters: Sequence[nn.Parameter], meter: Meter, general: Hook) -> tuple[Hook, Refit]:
    """A step hook for parameters that all have a dense float32 gradient on the CPU.

    Args:
        parameters: L of them, one per layer.
        meter: what counts the steps and receives the rows.
        general: the hook for everything else. It takes over at the first step in which the gradients are of
            another kind, or in which no row can be received. Only it may be called while a step is compiled.

    Returns:
        The hook, and what gives it other parameters; with None everything is left to ``general`` from then on.
    """
    # One call per layer, because the fused one makes L tensors that would have to be read one by one.
    norm, compiling = torch.linalg.vector_norm, torch.compiler.is_dynamo_compiling
    on_step, no_gaps = meter.on_step, meter.maker.no_gaps
    norms, places = _row(parameters)
    ours_alone = min(getrefcount(norms), OURS)  # a debugger may hold one more
    keeps = False
    usual = True

    def before_step(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        nonlocal norms, places, keeps, usual
        if compiling() or not usual or kwargs or (len(args) != 1 and args[1:] != (None,)):
            return general(optimizer, args, kwargs)
        if getrefcount(norms) > ours_alone:  # kept, as most likely the next ones will be: those are copies
            keeps = True
            norms, places = _row(parameters)
        try:
            for parameter, place in places:
                norm(parameter.grad, out=place)
        except (RuntimeError, TypeError):
            usual = False  # no gradient, or one of another device, type or layout
            return general(optimizer, args, kwargs)
        step = meter.steps
        meter.steps = step + 1
        notes: Any = meter.notes
        meter.notes = {}
        try:
            on_step(StepNorms(step, norms.copy() if keeps else norms, no_gaps, notes))
        except Exception as error:
            usual = False
            meter.fall_silent(error)
        return None

    def refit(parameters: Sequence[nn.Parameter] | None) -> None:
        nonlocal norms, places, no_gaps, usual
        if parameters is None:
            usual = False
        else:
            norms, places = _row(parameters)
            no_gaps = meter.maker.no_gaps

    return before_step, refit


def _row(parameters: Sequence[nn.Parameter]) -> tuple[NDArray[np.float32], Places]:
    """An array (L,) for the norms, and a view of it for the norm of each parameter's gradient."""
    norms = np.zeros(len(parameters), dtype=np.float32)
    return norms, list(zip(parameters, torch.from_numpy(norms).unbind(), strict=True))
