"""What the ranks of :mod:`tests.measure.distributed_worker` do, each a function (rank, folder) → results as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    return {"files": sorted(one.name for one in folder.glob("all*"))}


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
    **options: Any,
) -> Results:
    """Each rank takes its part of every batch."""
    optimizer = optimizer_of(model)
    rows: list[Any] = []
    with GradientProbe(model, optimizer, receive or rows.append, **options) as probe:
        for batch in batches():
            optimizer.zero_grad()
            model(batch.chunk(dist.get_world_size())[dist.get_rank()]).square().mean().backward()
            before_step()
            optimizer.step()
    return {
        "layers": probe.layers,
        "norms": [row.norms.tolist() for row in rows],
        "metrics": [dict(row.metrics) for row in rows],
        "weights": [_whole(parameter).tolist() for parameter in model.parameters()],
    }


def _steps(model: nn.Module, optimizer: torch.optim.Optimizer, scale: float = 1.0) -> None:
    for batch in batches():
        optimizer.zero_grad()
        (scale * model(batch).square().mean()).backward()
        optimizer.step()


def _sharded(model: nn.Sequential, layers: list[int]) -> nn.Sequential:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for layer in layers:
        fully_shard(model[layer], mesh=mesh)
    if len(layers) == 3:
        fully_shard(model, mesh=mesh)
    return model


def _average(model: nn.Module) -> None:
    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)
        parameter.grad /= dist.get_world_size()


def _whole(parameter: Any) -> Tensor:
    return (parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter).detach()
