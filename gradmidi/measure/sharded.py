"""Parameters of which this process holds a part: local numbers, then one all-reduce a mesh dimension for them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gradmidi.measure.reading import HostCopies, Reading
from gradmidi.measure.setups import is_sharded
from gradmidi.measure.terms import TERMS, Batch


class _Reduction(NamedTuple):
    """One collective: its process group and which parameters (P,) this rank adds to it.

    A parameter that is whole on every rank of the group is added by the group's first rank alone.
    """

    group: dist.ProcessGroup
    adds: Tensor


class ShardedReader:
    """As :class:`gradmidi.measure.reading.LocalReader`, for FSDP2 and tensor parallelism. Every rank has to join.

    Args:
        parameters: the P tensors, DTensors or whole ones, all on one device.
        terms: names in :data:`gradmidi.measure.terms.TERMS`.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], terms: Sequence[str]) -> None:
        self.parameters = parameters
        self._terms = [(TERMS[name].make(), TERMS[name].join) for name in terms]
        self.copies = HostCopies()
        self._reductions: list[_Reduction] = []

    def read(self, scalars: Mapping[str, float | Tensor]) -> Reading:
        """Start reading now; a collective. Which parameters have a gradient must be the same on every rank."""
        grads = [None if p.grad is None else _local(p.grad) for p in self.parameters]
        present = [i for i, grad in enumerate(grads) if grad is not None]
        device = _local(self.parameters[0]).device
        with torch.no_grad():
            table = self._table(grads, present, device)
            for reduction in self._reductions or self._find_reductions(device):
                self._reduce(table, reduction)
            rows = [self._finished(row, join) for row, (_, join) in zip(table, self._terms, strict=True)]
            names = [name for name, v in scalars.items() if isinstance(v, Tensor) and v.device == device]
            aboard = [torch.as_tensor(scalars[name]).double().reshape(()) for name in names]
            part = self.copies.send(present, names, [*torch.stack(rows)[:, present].flatten(), *aboard])
        here = {name: float(value) for name, value in scalars.items() if name not in names}
        return Reading([part], here)

    def _table(self, grads: Sequence[Tensor | None], present: Sequence[int], device: torch.device) -> Tensor:
        """(T, P) float64: this rank's part of every number, in the form in which parts add up."""
        table = torch.zeros(len(self._terms), len(self.parameters), dtype=torch.float64, device=device)
        for dtype in {grad.dtype for grad in grads if grad is not None}:
            of_kind = [i for i in present if (grad := grads[i]) is not None and grad.dtype == dtype]
            some = [grad for i in of_kind if (grad := grads[i]) is not None]
            batch = Batch(of_kind, some, [_local(self.parameters[i].detach()) for i in of_kind])
            for row, (compute, join) in zip(table, self._terms, strict=True):
                numbers = torch.stack(list(compute(batch))).double()
                row[of_kind] = numbers.square() if join == "norm" else numbers
        return table

    def _reduce(self, table: Tensor, reduction: _Reduction) -> None:
        table.copy_(torch.where(reduction.adds, table, 0.0))
        largest = [i for i, (_, join) in enumerate(self._terms) if join == "max"]
        kept = table[largest]
        if len(largest) < len(self._terms):
            dist.all_reduce(table, group=reduction.group)
        if largest:
            dist.all_reduce(kept, op=dist.ReduceOp.MAX, group=reduction.group)
            table[largest] = kept

    def _finished(self, row: Tensor, join: str) -> Tensor:
        return row.sqrt() if join == "norm" else row

    def _find_reductions(self, device: torch.device) -> list[_Reduction]:
        placed: list[Any] = [p if is_sharded(p) else None for p in self.parameters]
        meshes = {p.device_mesh for p in placed if p is not None}
        for mesh in sorted(meshes, key=lambda mesh: mesh.mesh.tolist()):
            for dim in range(mesh.ndim):
                split = [p is not None and p.device_mesh == mesh and _is_split(p.placements[dim]) for p in placed]
                if any(split):
                    first = mesh.get_local_rank(dim) == 0
                    adds = torch.tensor([first or one for one in split], device=device)
                    self._reductions.append(_Reduction(mesh.get_group(dim), adds))
        return self._reductions


def _is_split(placement: Any) -> bool:
    if placement.is_partial():
        raise RuntimeError("a gradient is a sum that has not been added up yet; step the optimizer after it has been")
    return not placement.is_replicate()


def _local(tensor: Any) -> Tensor:
    local: Tensor = tensor.to_local() if is_sharded(tensor) else tensor
    return local
