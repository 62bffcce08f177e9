"""How the training is spread over processes, and set-ups in which no right number can be read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def sounds_here() -> bool:
    """Whether this process hands rows on: rank 0, or the only one."""
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


def is_sharded(parameter: Tensor) -> bool:
    """Whether this process holds only its part of the parameter (FSDP2, tensor parallelism)."""
    # By its method, because importing DTensor costs most of a second and most trainings have none.
    return hasattr(parameter, "placements") and hasattr(parameter, "to_local")


def obstacle(model: nn.Module, parameters: Sequence[nn.Parameter]) -> str | None:
    """Why no right number can be read, as a sentence for a person; None if nothing is in the way."""
    if any(hasattr(module, "_fsdp_wrapped_module") for module in model.modules()):
        return "the first FSDP hides how it splits parameters; use fully_shard (FSDP2)"
    if any(hasattr(parameter, "ds_id") for parameter in parameters):
        return "DeepSpeed ZeRO keeps gradients to itself; use fully_shard (FSDP2)"
    return None
