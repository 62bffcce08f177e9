"""One of two gloo processes: trains as told and prints, as JSON, the rows that its probe gave.

python distributed_worker.py RANK PORT CASE
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gradmidi.measure.probe import GradientProbe

STEPS = 3
RANKS = 2
QUANTITIES = ["grad_norm", "weight_norm", "grad_max", "zeros", "cosine"]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    # Three rows split over two ranks unevenly, and one row leaves the second rank without any.
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 3), nn.Tanh(), nn.Linear(3, 1))


def batches() -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(5)
    for _ in range(STEPS):
        yield torch.randn(8, 6, generator=generator)


def plain(rank: int) -> tuple[nn.Module, dict[str, Any]]:
    return net(), {}


def ddp(rank: int) -> tuple[nn.Module, dict[str, Any]]:
    return nn.parallel.DistributedDataParallel(net()), {}


def ddp_before_clip(rank: int) -> tuple[nn.Module, dict[str, Any]]:
    return nn.parallel.DistributedDataParallel(net()), {"when": "before-clip"}


def fsdp2(rank: int) -> tuple[nn.Module, dict[str, Any]]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model, mesh = net(), init_device_mesh("cpu", (RANKS,))
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model, {"quantities": QUANTITIES}


def fsdp2_partly(rank: int) -> tuple[nn.Module, dict[str, Any]]:
    """The last layer is whole on every rank; :func:`train` averages its gradients."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model, mesh = net(), init_device_mesh("cpu", (RANKS,))
    for layer in (model[0], model[2]):
        fully_shard(layer, mesh=mesh)
    return model, {"quantities": QUANTITIES}


def fsdp2_fails_on_rank_0(rank: int) -> tuple[nn.Module, dict[str, Any]]:
    return fsdp2(rank)


CASES = {case.__name__: case for case in (plain, ddp, ddp_before_clip, fsdp2, fsdp2_partly, fsdp2_fails_on_rank_0)}


def train(rank: int, ranks: int, case: str) -> dict[str, Any]:
    model, options = CASES[case](rank)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rows = []

    def receive(row: Any) -> None:
        if case == "fsdp2_fails_on_rank_0":
            raise OSError("disk full")
        rows.append(row)

    with GradientProbe(model, optimizer, receive, **options) as probe:
        for batch in batches():
            optimizer.zero_grad()
            model(batch.chunk(ranks)[rank]).square().mean().backward()
            if case == "fsdp2_partly":
                for parameter in model[4].parameters():
                    dist.all_reduce(parameter.grad)
                    parameter.grad /= ranks
            if "before-clip" in options.values():
                nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
    return {
        "layers": probe.layers,
        "norms": [row.norms.tolist() for row in rows],
        "metrics": [dict(row.metrics) for row in rows],
        "weights": [whole(parameter).tolist() for parameter in model.parameters()],
    }


def whole(parameter: Any) -> Tensor:
    return (parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter).detach()


if __name__ == "__main__":
    rank, port, case = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    print(json.dumps(train(rank, RANKS, case)), flush=True)
    dist.barrier()
    # Gloo's own threads now and then abort while Python shuts down; what is tested is over by now.
    os._exit(0)
