"""How the training is spread over processes: which of them record, and what cannot be measured or is not recorded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gradmidi.errors import InputError
from gradmidi.measure.finding import living
from gradmidi.measure.reading import Reader
from gradmidi.measure.row import StepNorms
from gradmidi.saying import warn

REMEDY = "call gradmidi.listen(..., ranks='each') on every rank and combine the recordings with Recording.join"

Receive = Callable[[StepNorms], None]

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
    """The file that this process records to: ``norms.rank1.csv`` if each rank records, None if this one does not."""
    if not records_here(ranks):
        return None
    return path if ranks == "first" else path.with_name(f"{path.stem}.rank{launched_rank()}{path.suffix}")


def is_sharded(parameter: Tensor) -> bool:
    """Whether this process holds only its part of the parameter (FSDP2, tensor parallelism)."""
    # By its method, because importing DTensor takes most of a second and most trainings do not use it.
    return hasattr(parameter, "placements") and hasattr(parameter, "to_local")


def obstacle(model: nn.Module, parameters: Sequence[nn.Parameter]) -> str | None:
    """Why no correct norm can be read, as a sentence; None if there is no obstacle."""
    if any(hasattr(module, "_fsdp_wrapped_module") for module in model.modules()):
        return "FSDP1 hides how it splits parameters; use fully_shard (FSDP2)"
    if any(hasattr(parameter, "ds_id") for parameter in parameters):
        return "DeepSpeed ZeRO keeps gradients to itself; use fully_shard (FSDP2)"
    return None


def saying_what_is_unheard(on_step: Receive, readers: Callable[[], Sequence[Reader]], layers: int) -> Receive:
    """``on_step`` with a warning at the first row about what only other ranks hold; unchanged if there are no others.

    Other ranks are not asked, because a collective would wait for ranks without a probe. What rank 0 knows by itself is
    how its parameters are spread, and whether it is a stage of a pipeline. Not before the first row, because
    DistributedDataParallel or a pipeline may be put around the model after the probe.
    """
    if world_size() == 1:
        return on_step
    looked = False

    def receive(row: StepNorms) -> None:
        nonlocal looked
        if not looked:
            looked = True
            with suppress(Exception):  # a hint; without it everything else still holds
                if hint := unheard(readers(), layers):
                    warn(hint)
        on_step(row)

    return receive


def unheard(readers: Iterable[Reader], layers: int) -> str | None:
    """What rank 0 does not record, as a sentence; None if it records everything."""
    readers = list(readers)
    parameters = [parameter for reader in readers for parameter in reader.parameters]
    held, stages = _stages(parameters)
    if held < stages:
        return f"gradmidi records only rank 0, which holds {held} of the pipeline's {stages} stages; {REMEDY}"
    spread, covered = _spread(parameters)
    if len(covered) == world_size():
        if any(getattr(reader, "differs", False) for reader in readers):
            return (
                "gradmidi records only rank 0, though weights that are not sharded have other gradients on other "
                f"ranks (experts?); {REMEDY}"
            )
        if spread == len(parameters) or any(map(is_sharded, parameters)):
            return None
    return (
        f"gradmidi records only rank 0 and its {layers} layers; if other ranks hold other layers (pipeline or expert "
        f"parallelism), {REMEDY}"
    )


def _stages(parameters: Sequence[nn.Parameter]) -> tuple[int, int]:
    """How many stages of the pipeline that trains the parameters are in this process, and how many there are."""
    module = sys.modules.get("torch.distributed.pipelining.stage")
    if module is None:
        return 0, 0
    ours = set(map(id, parameters))
    stages = [one for one in living(module._PipelineStageBase) if _has(one.submod, ours)]
    return len(stages), max([stage.num_stages for stage in stages], default=0)


def _has(module: nn.Module, parameters: set[int]) -> bool:
    return any(id(parameter) in parameters for parameter in module.parameters())


def _spread(parameters: Sequence[Any]) -> tuple[int, set[int]]:
    """How many of the parameters other ranks are known to have as well, and the ranks that have them."""
    covered: set[int] = set()
    sharded = [parameter for parameter in parameters if is_sharded(parameter)]
    for parameter in sharded:
        covered.update(parameter.device_mesh.mesh.flatten().tolist())
    whole = {id(parameter) for parameter in parameters} - set(map(id, sharded))
    copied: set[int] = set()
    for model in living(DistributedDataParallel) if whole else ():
        copies = {id(p) for name, p in model.module.named_parameters() if name not in model.parameters_to_ignore}
        if copies & whole:
            copied |= copies & whole
            covered.update(dist.get_process_group_ranks(model.process_group))
    return len(sharded) + len(copied), covered
