"""Parameters of which this process holds a part: local numbers, then one all-reduce per process group for them all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gradmidi.measure.distributed import is_sharded
from gradmidi.measure.reading import HostCopies, Reading, stored_values
from gradmidi.measure.terms import TERMS, Batch
from gradmidi.saying import warn

SAME = 1e-3  # relative difference allowed between the gradients of a replicated parameter


class _Reduction(NamedTuple):
    """One collective: its process group and the columns of the parameters that are sharded over that group.

    What is replicated on the group stays as this rank measured it, so that nothing is counted twice.
    """

    group: dist.ProcessGroup
    columns: Tensor


class ShardedReader:
    """As :class:`gradmidi.measure.reading.LocalReader`, for FSDP2 and tensor parallelism. Every rank has to join.

    Collectives involve the ranks of a parameter's own mesh only, in the order of the parameters, which is the same on
    each of them. A rank that fails to read still joins, with nan, because the others' trainings would wait for it.

    Args:
        parameters: the P tensors, DTensors or not.
        terms: names in :data:`gradmidi.measure.terms.TERMS`.

    Attributes:
        differs: whether parameters that are no DTensors had other gradients on another rank at the first reading:
            experts, for example, that differ by rank. Then this rank's are in the reading.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], terms: Sequence[str]) -> None:
        self.parameters = parameters
        self.differs = False
        self._terms = [(TERMS[name].make(), TERMS[name].join) for name in terms]
        self.copies = HostCopies()
        self._device = _device_of(next(filter(is_sharded, parameters)))
        self._reductions: list[_Reduction] | None = None
        self._failed = False

    def read(self, scalars: Mapping[str, float | Tensor]) -> Reading:
        """Start reading now; a collective. Which DTensors have a gradient must be the same on every rank."""
        with torch.no_grad():
            grads = [_local_grad(parameter) for parameter in self.parameters]
            table = self._table_or_nan(grads)
            if self._reductions is None:
                self._reductions = self._find_reductions(table.device)
                self.differs = self._whole_ones_differ(table, grads)
            for reduction in self._reductions:
                self._reduce(table, reduction)
            rows = [self._finished(row, join) for row, (_, join) in zip(table, self._terms, strict=True)]
            present = [i for i, grad in enumerate(grads) if grad is not None]
            names = [name for name, v in scalars.items() if isinstance(v, Tensor) and v.device == table.device]
            aboard = [torch.as_tensor(scalars[name]).double().reshape(()) for name in names]
            part = self.copies.send(present, names, [*torch.stack(rows)[:, present].flatten(), *aboard])
        here = {name: float(value) for name, value in scalars.items() if name not in names}
        return Reading([part], here)

    def _table_or_nan(self, grads: Sequence[Tensor | None]) -> Tensor:
        try:
            return self._table(grads)
        except Exception as error:
            if not self._failed:
                self._failed = True
                warn(f"gradmidi cannot read this rank's gradients and counts them as nan: {_said(error)}")
            return torch.full((len(self._terms), len(grads)), torch.nan, dtype=torch.float64, device=self._device)

    def _table(self, grads: Sequence[Tensor | None]) -> Tensor:
        """(T, P) float64: this rank's part of every number, in the form in which parts add up."""
        table = torch.zeros(len(self._terms), len(grads), dtype=torch.float64, device=self._device)
        kinds: dict[Any, dict[int, Tensor]] = defaultdict(dict)
        for i, grad in enumerate(grads):
            if grad is not None:
                kinds[grad.device, grad.dtype, grad.layout][i] = grad
        for kind in kinds.values():
            some = [grad if grad.layout == torch.strided else stored_values(grad) for grad in kind.values()]
            batch = Batch(list(kind), some, [_local(self.parameters[i].detach()) for i in kind])
            for row, (compute, join) in zip(table, self._terms, strict=True):
                numbers = torch.stack(list(compute(batch))).double().to(table.device)
                row[list(kind)] = numbers.square() if join == "norm" else numbers
        return table

    def _reduce(self, table: Tensor, reduction: _Reduction) -> None:
        split = table.index_select(1, reduction.columns)
        largest = [i for i, (_, join) in enumerate(self._terms) if join == "max"]
        kept = split[largest]
        dist.all_reduce(split, group=reduction.group)
        if largest:
            dist.all_reduce(kept, op=dist.ReduceOp.MAX, group=reduction.group)
            # Whether a maximum keeps a nan depends on the order of the ranks; the sum of the same numbers does.
            split[largest] = torch.where(split[largest].isnan(), torch.nan, kept)
        table.index_copy_(1, reduction.columns, split)

    def _finished(self, row: Tensor, join: str) -> Tensor:
        return row.sqrt() if join == "norm" else row

    def _find_reductions(self, device: torch.device) -> list[_Reduction]:
        found: dict[tuple[int, ...], tuple[dist.ProcessGroup, list[int]]] = {}
        for i, parameter in enumerate(self.parameters):
            for group in _groups_of(parameter):
                # By its ranks, because two meshes over the same ranks need not share a group.
                ranks = tuple(dist.get_process_group_ranks(group))
                found.setdefault(ranks, (group, []))[1].append(i)
        return [_Reduction(group, torch.tensor(columns, device=device)) for group, columns in found.values()]

    def _whole_ones_differ(self, table: Tensor, grads: Sequence[Tensor | None]) -> bool:
        """A collective of fixed size, because each rank may have another number of parameters that are no DTensors."""
        whole = [i for i, p in enumerate(self.parameters) if not is_sharded(p) and grads[i] is not None]
        size = table[:, whole].nan_to_num().sum()
        count = torch.full_like(size, len(whole))
        differ = False
        for reduction in self._reductions or ():
            most = torch.stack([size, -size, count, -count])
            dist.all_reduce(most, op=dist.ReduceOp.MAX, group=reduction.group)
            largest, negated, most_of_them, fewest = most.tolist()
            differ |= most_of_them != -fewest or abs(largest + negated) > SAME * abs(largest)
        return differ


def _device_of(parameter: Any) -> torch.device:
    """Where its mesh communicates; FSDP2 may keep the parameter itself in the host's memory."""
    own: torch.device = _local(parameter).device
    kind: str = parameter.device_mesh.device_type
    return own if own.type == kind else torch.device(kind)


def _groups_of(parameter: Any) -> list[dist.ProcessGroup]:
    """The groups of at least two ranks over which a parameter is split; none if it is replicated or elsewhere."""
    if not is_sharded(parameter) or parameter.device_mesh.get_coordinate() is None:
        return []
    mesh = parameter.device_mesh
    if any(placement.is_partial() for placement in parameter.placements):
        raise RuntimeError("a parameter is a sum that has not been added up (Partial), of which no norm can be taken")
    return [
        mesh.get_group(dim)
        for dim, placement in enumerate(parameter.placements)
        if not placement.is_replicate() and mesh.size(dim) > 1
    ]


def _local_grad(parameter: Any) -> Tensor | None:
    """This rank's part of the gradient, split as the parameter is.

    Backward passes may leave it otherwise, above all as a sum that has not been added up yet (``Partial``, as of the
    norms under sequence parallelism); the optimizer's own arithmetic adds it up as here.
    """
    grad = parameter.grad
    if grad is not None and is_sharded(grad) and grad.placements != parameter.placements:
        grad = grad.redistribute(placements=parameter.placements)
    return None if grad is None else _local(grad)


def _local(tensor: Any) -> Tensor:
    local: Tensor = tensor.to_local() if is_sharded(tensor) else tensor
    return local


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
