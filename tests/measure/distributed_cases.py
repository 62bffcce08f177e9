"""What the ranks of :mod:`tests.measure.distributed_worker` do, each a function (rank, folder) → results as JSON."""

from __future__ import annotations

import gc
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

import gradmidi
from gradmidi.measure.probe import GradientProbe

STEPS = 3
QUANTITIES = ["grad_norm", "weight_norm", "grad_max", "zeros", "cosine"]

Results = dict[str, Any]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    # Three rows split over two ranks unevenly, and one row leaves the second rank without any.
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 3), nn.Tanh(), nn.Linear(3, 1))


def net_with_norm() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 6), nn.LayerNorm(6), nn.Linear(6, 3))


def batches() -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(5)
    for _ in range(STEPS):
        yield torch.randn(8, 6, generator=generator)


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def ddp(rank: int, folder: Path) -> Results:
    return train(nn.parallel.DistributedDataParallel(net()))


def ddp_before_clip(rank: int, folder: Path) -> Results:
    model = nn.parallel.DistributedDataParallel(net())
    return train(model, lambda: nn.utils.clip_grad_norm_(model.parameters(), 1e-3), when="before-clip")


def fsdp2(rank: int, folder: Path) -> Results:
    return train(_sharded(net(), [0, 2, 4]), quantities=QUANTITIES)


def fsdp2_partly(rank: int, folder: Path) -> Results:
    """The last layer is whole on every rank, and its gradients are averaged by hand."""
    model = _sharded(net(), [0, 2])
    return train(model, lambda: _average(model[4]), quantities=QUANTITIES)


def fsdp2_fails_on_rank_0(rank: int, folder: Path) -> Results:
    def receive(row: Any) -> None:
        raise OSError("disk full")

    return train(_sharded(net(), [0, 2, 4]), receive=receive)


def tensor_parallel(rank: int, folder: Path) -> Results:
    """Seven rows over two ranks; the biases of the second layer are DTensors that every rank has whole, as the
    plain last layer is."""
    return train(_tensor_parallel(net(), _mesh()), parameters="all", quantities=QUANTITIES, split=False)


def replicated(rank: int, folder: Path) -> Results:
    """DTensors of which nothing is split."""
    from torch.distributed.tensor import DTensor, distribute_module

    mesh = _mesh()
    model = distribute_module(net(), mesh)

    def forward(x: Tensor) -> Tensor:
        return model(DTensor.from_local(x, mesh)).to_local()

    return train(model, forward=forward, quantities=QUANTITIES, split=False)


def sequence_parallel(rank: int, folder: Path) -> Results:
    """The gradient of the norm's weight is a sum of which each rank has a part (``Partial``)."""
    from torch.distributed.tensor import Replicate, Shard
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        SequenceParallel,
        parallelize_module,
    )

    plan = {
        "0": ColwiseParallel(use_local_output=False),
        "2": RowwiseParallel(output_layouts=Shard(0), use_local_output=False),
        "3": SequenceParallel(sequence_dim=0, use_local_output=False),
        "4": ColwiseParallel(input_layouts=Shard(0), output_layouts=Replicate()),
    }
    model = parallelize_module(net_with_norm(), _mesh(), plan)
    return train(model, quantities=QUANTITIES, split=False)


def nan_on_rank_1(rank: int, folder: Path) -> Results:
    """In a row that the second rank holds."""
    model = _sharded(net(), [0, 2, 4])

    def spoil() -> None:
        if rank == 1:
            model[0].weight.grad.to_local()[0, 0] = float("nan")

    return train(model, spoil, quantities=["grad_norm", "grad_max"])


def reading_fails_on_rank_1(rank: int, folder: Path) -> Results:
    """One rank's device runs out of memory, say; the others must neither wait nor believe that all is well."""
    from gradmidi.measure.sharded import ShardedReader

    def fail(*args: Any) -> Tensor:
        raise RuntimeError("out of memory")

    whole = ShardedReader._table
    if rank == 1:
        ShardedReader._table = fail  # type: ignore[method-assign]
    results = train(_sharded(net(), [0, 2, 4]))
    ShardedReader._table = whole  # type: ignore[method-assign]
    return results


def experts_beside_fsdp2(rank: int, folder: Path) -> Results:
    """Two ranks with experts of their own, of another number each, that no other rank knows."""
    model = nn.ModuleDict({"dense": _sharded(net(), [0, 2, 4])})
    for number in range(1 + rank):
        model[f"expert{rank}{number}"] = nn.Linear(1, 1)

    def both(x: Tensor) -> Tensor:
        y = model["dense"](x)
        for name, expert in model.items():
            y = y if name == "dense" else y + expert(y)
        return y

    return train(model, forward=both)


def fsdp2_and_tensor_parallel(rank: int, folder: Path) -> Results:
    """A 2 × 2 mesh. The norm and the last layer are not in the plan, so that FSDP2 alone splits them, over a part of
    the mesh."""
    from torch.distributed.fsdp import fully_shard

    mesh = _mesh(2, 2)
    model = _tensor_parallel(net_with_norm(), mesh["tp"])
    for layer in model:
        if not isinstance(layer, nn.Tanh):
            fully_shard(layer, mesh=mesh["dp"])
    return train(model, quantities=QUANTITIES, part=mesh["dp"].get_local_rank())


def fsdp2_with_replicas(rank: int, folder: Path) -> Results:
    """HSDP: split over one dimension of the mesh, whole over the other."""
    from torch.distributed.fsdp import fully_shard

    model = net()
    fully_shard(model, mesh=_mesh(2, 2))
    return train(model, quantities=QUANTITIES)


def two_trainings_side_by_side(rank: int, folder: Path) -> Results:
    """Each half of the world shards a model of its own, and one half makes more steps than the other."""
    from torch.distributed.fsdp import fully_shard

    half = _mesh(2, 2)["tp"]
    model = net()
    fully_shard(model, mesh=half)
    results = train(model, quantities=QUANTITIES, part=half.get_local_rank(), ranks="each")
    return train(model, part=half.get_local_rank()) | results if rank < 2 else results


def averaged_by_hand(rank: int, folder: Path) -> Results:
    model = net()
    return train(model, lambda: _average(model))


def ddp_around_it_later(rank: int, folder: Path) -> Results:
    """The probe gets the module, and DDP is put around that when it listens already."""
    model = net()
    optimizer = optimizer_of(model)
    with GradientProbe(model, optimizer, lambda row: None):
        _steps(nn.parallel.DistributedDataParallel(model), optimizer)
    return {}


def experts_beside_ddp(rank: int, folder: Path) -> Results:
    model = net()
    model[4].weight.data += rank
    model._ddp_params_and_buffers_to_ignore = ["4.weight", "4.bias"]  # type: ignore[assignment]
    return train(nn.parallel.DistributedDataParallel(model))


def pipeline(rank: int, folder: Path) -> Results:
    """Two stages, of which the first rank has one layer and the second two."""
    return _pipelined(rank, folder / "pipeline.csv")


def pipeline_each(rank: int, folder: Path) -> Results:
    return _pipelined(rank, folder / "pipeline.csv", ranks="each")


def pipeline_under_run(rank: int, folder: Path) -> Results:
    return _pipelined(rank, None, hear=_unattended(folder, "pipeline-run"))


def tensor_parallel_under_run(rank: int, folder: Path) -> Results:
    """The listener is in one process only, as when `gradmidi run` was given a part of the launch."""
    hear = _unattended(folder, "sharded-run") if rank == 0 else lambda optimizer: None
    model = _tensor_parallel(net(), _mesh())
    optimizer = optimizer_of(model)
    optimizer.register_step_pre_hook(lambda one, args, kwargs: hear(one))
    _steps(model, optimizer)
    return {}


def unfrozen_under_fsdp2(rank: int, folder: Path) -> Results:
    """A layer joins, in memory; every rank has to measure it from the same step on."""
    return _unfreeze(None)


def unfrozen_under_fsdp2_with_a_file(rank: int, folder: Path) -> Results:
    """Rank 0 has no column for the layer, so that rank 1 may not measure it either."""
    return _unfreeze(folder / "unfrozen.csv")


def unfrozen_under_fsdp2_with_a_file_on_rank_0(rank: int, folder: Path) -> Results:
    """The other rank has room for the layer, and must measure the same nevertheless."""
    return _unfreeze(folder / "unfrozen-0.csv" if rank == 0 else None, quantities=["grad_norm", "zeros"])


def _unfreeze(path: Path | None, **options: Any) -> Results:
    model = net()
    model[2].requires_grad_(False)
    model = _sharded(model, [0, 2, 4])
    optimizer = optimizer_of(model)
    session = gradmidi.listen(model, optimizer, path=path, **options)
    _steps(model, optimizer)
    model[2].requires_grad_(True)
    _steps(model, optimizer)
    session.detach()
    recording = session.recording
    return {
        "layers": recording.layers,
        "norms": recording.norms.tolist(),
        "gaps": recording.gaps.tolist(),
        "metrics": list(recording.metrics),
    }


def one_file_for_all_ranks(rank: int, folder: Path) -> Results:
    """Rank 1 starts to listen when rank 0 has written some steps; the two then go on together."""
    model = net()
    optimizer = optimizer_of(model)
    path = folder / "all.csv"
    if rank == 0:
        session = gradmidi.listen(model, optimizer, path=path)
        _steps(model, optimizer)
    dist.barrier()
    if rank == 1:
        session = gradmidi.listen(model, optimizer, path=path)
    _steps(model, optimizer)
    session.detach()
    return {"files": sorted(one.name for one in folder.glob("all*")), "report": str(session.report)}


def saved_by_all_ranks(rank: int, folder: Path) -> Results:
    """The line that people write at the end of a script; rank 1 comes to it last."""
    model = nn.parallel.DistributedDataParallel(net())
    optimizer = optimizer_of(model)
    with gradmidi.listen(model, optimizer) as session:
        _steps(model, optimizer)
    for turn in range(2):
        if turn == rank:
            session.recording.save(folder / "saved.csv")
        dist.barrier()
    return {"steps": len(session.recording)}


def continued_every_other_step(rank: int, folder: Path) -> Results:
    """Rank 0 continues its file at step 3, of which the other rank knows nothing; the two must measure together."""
    path = folder / "continued.csv"
    for _ in range(2):
        model = _sharded(net(), [0, 2, 4])
        optimizer = optimizer_of(model)
        with gradmidi.listen(model, optimizer, path=path, existing="append", every=2):
            _steps(model, optimizer)
    return {}


def listened_to_again(rank: int, folder: Path) -> Results:
    """A cell that is run twice: on rank 0 the second session ends the first, as both name one file."""
    model = _sharded(net(), [0, 2, 4])
    optimizer = optimizer_of(model)
    sessions = []
    for _ in range(2):
        sessions.append(gradmidi.listen(model, optimizer, path=folder / "again.csv"))
        _steps(model, optimizer)
    sessions[-1].detach()
    return {}


def late_numbers(rank: int, folder: Path) -> Results:
    """As the callback of the Hugging Face Trainer logs them, on every rank."""
    model = _sharded(net(), [0, 2, 4])
    optimizer = optimizer_of(model)
    with gradmidi.listen(model, optimizer, late=True) as session:
        for loss in (3.0, 2.0, 1.0):
            _steps(model, optimizer, steps=1)
            session.log(loss=loss)
        waiting = len(session._delivery._late or {})
    return {"waiting": waiting, "losses": session.recording.metrics.get("loss", torch.zeros(0)).tolist()}


def a_file_per_rank(rank: int, folder: Path) -> Results:
    model = net()
    optimizer = optimizer_of(model)
    with gradmidi.listen(model, optimizer, path=folder / "each.csv", ranks="each") as session:
        _steps(model, optimizer, scale=1 + rank)
    return {"norms": session.recording.norms.tolist(), "meta": dict(session.recording.meta)}


def in_memory_per_rank(rank: int, folder: Path) -> Results:
    model = net()
    optimizer = optimizer_of(model)
    with gradmidi.listen(model, optimizer, ranks="each") as session:
        _steps(model, optimizer, scale=1 + rank)
    return {"norms": session.recording.norms.tolist(), "meta": dict(session.recording.meta)}


def train(
    model: nn.Module,
    before_step: Callable[[], object] = lambda: None,
    receive: Callable[[Any], None] | None = None,
    forward: Callable[[Tensor], Tensor] | None = None,
    split: bool = True,
    part: int | None = None,
    **options: Any,
) -> Results:
    """Each rank takes its part of every batch, as many as there are ranks, or one of two parts, or all of it."""
    optimizer = optimizer_of(model)
    parts = 1 if not split else dist.get_world_size() if part is None else 2
    part = 0 if not split else dist.get_rank() if part is None else part
    rows: list[Any] = []
    with GradientProbe(model, optimizer, receive or rows.append, **options) as probe:
        for batch in batches():
            optimizer.zero_grad()
            (forward or model)(batch.chunk(parts)[part]).square().mean().backward()
            before_step()
            optimizer.step()
    return {
        "layers": probe.layers,
        "norms": [row.norms.tolist() for row in rows],
        "metrics": [dict(row.metrics) for row in rows],
        "weights": [_whole(parameter).tolist() for parameter in model.parameters()],
    }


def _steps(model: nn.Module, optimizer: torch.optim.Optimizer, scale: float = 1.0, steps: int = STEPS) -> None:
    for batch in islice(batches(), steps):
        optimizer.zero_grad()
        (scale * model(batch).square().mean()).backward()
        optimizer.step()


def _pipelined(
    rank: int, path: Path | None, hear: Callable[[torch.optim.Optimizer], None] | None = None, **options: Any
) -> Results:
    from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

    whole = net()
    names = ["01", "234"][rank]
    part = nn.Sequential(OrderedDict((name, whole[int(name)]) for name in names))
    schedule = ScheduleGPipe(
        PipelineStage(part, rank, 2, torch.device("cpu")), n_microbatches=2, loss_fn=lambda y, _: y.square().mean()
    )
    optimizer = optimizer_of(part)
    session = gradmidi.listen(part, optimizer, path=path, **options) if hear is None else None
    if hear is not None:
        optimizer.register_step_pre_hook(lambda one, args, kwargs: hear(one))
    for batch in batches():
        optimizer.zero_grad()
        losses: list[Tensor] = []
        schedule.step(*[batch][rank:], target=batch, losses=losses)
        if session is not None and losses:
            session.log(loss=torch.stack(losses).mean())
        optimizer.step()
    if session is not None:
        session.detach()
    return {}


def _unattended(folder: Path, name: str) -> Callable[[torch.optim.Optimizer], None]:
    """What `gradmidi run` calls before each step; it leaves its recording in a folder of that name."""
    from gradmidi.unattended.autolisten import AutoListener
    from gradmidi.unattended.handover import VARIABLE, Handover, give

    between = folder / f"{name}-{dist.get_rank()}"
    between.mkdir()
    os.environ[VARIABLE] = give(Handover(folder / name, {"title": name}), between)[VARIABLE]
    gc.collect()  # optimizers of earlier cases are not to be heard with this one's
    return AutoListener().hear


def _mesh(*shape: int) -> Any:
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(
        "cpu", shape or (dist.get_world_size(),), mesh_dim_names=("dp", "tp")[-max(1, len(shape)) :]
    )


def _sharded(model: nn.Sequential, layers: list[int]) -> nn.Sequential:
    from torch.distributed.fsdp import fully_shard

    mesh = _mesh()
    for layer in layers:
        fully_shard(model[layer], mesh=mesh)
    if len(layers) == 3:
        fully_shard(model, mesh=mesh)
    return model


def _tensor_parallel(model: nn.Sequential, mesh: Any) -> nn.Sequential:
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    # The seven columns do not split evenly, which only a DTensor knows how to pass on.
    plan = {"0": ColwiseParallel(use_local_output=False), "2": RowwiseParallel()}
    return parallelize_module(model, mesh, plan)


def _average(model: nn.Module) -> None:
    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)
        parameter.grad /= dist.get_world_size()


def _whole(parameter: Any) -> Tensor:
    return (parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter).detach()
