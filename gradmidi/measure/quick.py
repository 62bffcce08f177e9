"""The usual case without detours: one optimizer, one weight a layer, all on the CPU.

After a backward pass nothing of ours is in the processor's caches, so that on a small net every further Python function
costs more than a norm does. Here a step is one function; whatever is unusual goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], Any]


def quick_hook(parameters: Sequence[nn.Parameter], hand_over: Callable[[list[float]], bool], general: Hook) -> Hook:
    """A step hook for parameters that all have a dense gradient of at most float32 on the CPU.

    Args:
        parameters: one a layer.
        hand_over: takes the norms and says whether it wants more; never raises.
        general: the hook for everything else. It is the only one from the first step on in which the gradients are of
            another kind, and once ``hand_over`` wants no more.
    """
    norm, float32 = torch._foreach_norm, torch.float32
    usual = True

    def before_step(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        nonlocal usual
        if usual and not kwargs and (len(args) == 1 or args[1:] == (None,)):
            try:
                norms = norm([parameter.grad for parameter in parameters], 2, dtype=float32)  # type: ignore[misc]
                if norms[0].is_cpu:
                    usual = hand_over([value.item() for value in norms])
                    return None
            except (RuntimeError, TypeError):
                pass
            usual = False
        return general(optimizer, args, kwargs)

    return before_step
