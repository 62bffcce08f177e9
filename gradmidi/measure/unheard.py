"""Layers that only other ranks of a distributed training hold: rank 0 says once that it does not hear them.

Nobody else is asked, because a collective would wait for ranks that have no probe. What rank 0 knows by itself is how
its parameters are spread, and whether it is a stage of a pipeline.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradmidi.measure.finding import living
from gradmidi.measure.meter import warn
from gradmidi.measure.reading import Reader
from gradmidi.measure.row import StepNorms
from gradmidi.measure.setups import is_sharded, world_size

REMEDY = "call gradmidi.listen(..., ranks='each') on every rank and lay the recordings side by side with Recording.join"

Receive = Callable[[StepNorms], None]


def saying_what_is_unheard(on_step: Receive, readers: Callable[[], Sequence[Reader]], layers: int) -> Receive:
    """``on_step`` itself in a training of one process; otherwise it with a look around at the first row.

    Not earlier, because DistributedDataParallel or a pipeline may be put around the model after the probe.
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
    """What rank 0 does not hear, as a sentence for a person; None where it hears all that there is."""
    readers = list(readers)
    parameters = [parameter for reader in readers for parameter in reader.parameters]
    held, stages = _stages(parameters)
    if held < stages:
        return f"gradmidi records rank 0 alone, which holds {held} of the pipeline's {stages} stages; {REMEDY}"
    spread, covered = _spread(parameters)
    if len(covered) == world_size():
        if any(getattr(reader, "differs", False) for reader in readers):
            return (
                "gradmidi records rank 0 alone, though weights that are not sharded have other gradients on other "
                f"ranks (experts?); {REMEDY}"
            )
        if spread == len(parameters) or any(map(is_sharded, parameters)):
            return None
    return (
        f"gradmidi records rank 0 alone and its {layers} layers; if other ranks hold other layers (pipeline or expert "
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
