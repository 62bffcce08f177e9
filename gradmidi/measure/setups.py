"""How the training is spread over processes, and set-ups in which no right number can be read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from gradmidi.errors import InputError

RANKS = ("first", "each")  # which processes of a distributed training record


def rank() -> int:
    """This process's number in a distributed training; 0 if it is the only one."""
    return torch.distributed.get_rank() if _joined() else 0


def world_size() -> int:
    """How many processes train together; 1 if this is the only one."""
    return torch.distributed.get_world_size() if _joined() else 1


def launched_rank() -> int:
    """:func:`rank`, or what the launcher says before the process joins its process group."""
    given = os.environ.get("RANK", "")
    return rank() if _joined() or not given.isdecimal() else int(given)


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def sounds_here() -> bool:
    """Whether this process is rank 0, or the only one."""
    return rank() == 0


def records_here(ranks: str) -> bool:
    """Whether this process receives rows.

    Args:
        ranks: one of :data:`RANKS`.

    Raises:
        InputError: it is not one of them.
    """
    if ranks not in RANKS:
        raise InputError(f"ranks={ranks!r} is not one of {', '.join(map(repr, RANKS))}")
    return ranks == "each" or sounds_here()


def path_here(path: Path, ranks: str) -> Path | None:
    """The file that this process records to: ``norms.rank1.csv`` where each rank does, None where this one does not."""
    if not records_here(ranks):
        return None
    return path if ranks == "first" else path.with_name(f"{path.stem}.rank{launched_rank()}{path.suffix}")


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
