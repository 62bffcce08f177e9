"""From parameters to one row of numbers on the host: fused calls, one stack and one copy per device, no waiting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradmidi.measure.terms import TERMS, Batch, Compute


class Buffer(NamedTuple):
    """Pinned memory on the host and the event after which it holds what was copied there."""

    host: Tensor
    event: torch.cuda.Event


class Part(NamedTuple):
    """What one device contributes to a reading.

    Attributes:
        positions: (K,) which parameters.
        names: scalars that travel behind the T × K numbers.
        numbers: (T · K + scalars,); of a buffer they are garbage until its event has happened.
        buffer: where they arrive from a CUDA device; None for numbers that are there.
    """

    positions: Sequence[int]
    names: Sequence[str]
    numbers: NDArray[np.floating]
    buffer: Buffer | None


class Reading(NamedTuple):
    """A row that may still be on its way: its parts and the scalars that never were on a device."""

    parts: Sequence[Part]
    scalars: dict[str, float]

    def ready(self) -> bool:
        """Whether the numbers may be read; asks without waiting."""
        return all(part.buffer is None or _has_happened(part.buffer.event) for part in self.parts)

    def wait(self) -> None:
        """Block until the numbers may be read."""
        for part in self.parts:
            if part.buffer is not None:
                part.buffer.event.synchronize()


def _has_happened(event: torch.cuda.Event) -> bool:
    happened: bool = event.query()
    return happened


class Reader(Protocol):
    """Reads T terms of P parameters."""

    parameters: Sequence[nn.Parameter]
    copies: HostCopies

    def read(self, scalars: Mapping[str, float | Tensor]) -> Reading: ...


class HostCopies:
    """Copies rows to the host without waiting, into pinned buffers that are used again once they were taken back."""

    def __init__(self) -> None:
        self._free: dict[tuple[torch.dtype, int], list[Buffer]] = defaultdict(list)

    def send(self, positions: Sequence[int], names: Sequence[str], numbers: list[Tensor]) -> Part:
        """The part that holds 0-d tensors of one device, or will hold them."""
        if numbers[0].is_cuda:
            return self._sent(positions, names, torch.stack(numbers).detach())
        if numbers[0].is_cpu:
            # For the CPU's own numbers this is quicker than a stack, and exact.
            return Part(positions, names, np.array([number.item() for number in numbers]), None)
        return Part(positions, names, torch.stack(numbers).detach().cpu().numpy(), None)

    def add(self, reading: Reading, scalars: Mapping[str, float | Tensor]) -> Reading:
        """The reading with more scalars; those it has already stay."""
        late = {name: v for name, v in scalars.items() if isinstance(v, Tensor) and v.is_cuda}
        parts = [self.send((), (name,), [value.detach().reshape(())]) for name, value in late.items()]
        here = {name: float(value) for name, value in scalars.items() if name not in late}
        return Reading([*reading.parts, *parts], here | reading.scalars)

    def take_back(self, reading: Reading) -> None:
        """The buffers of a reading whose numbers have been taken, or will never be."""
        for part in reading.parts:
            if part.buffer is not None:
                self._free[part.buffer.host.dtype, part.buffer.host.numel()].append(part.buffer)

    def _sent(self, positions: Sequence[int], names: Sequence[str], row: Tensor) -> Part:
        if torch.cuda.is_current_stream_capturing():
            raise RuntimeError("a CUDA graph replays steps without calling Python; run optimizer.step() outside of it")
        free = self._free[row.dtype, row.numel()]
        buffer = free.pop() if free else _buffer(row)
        # The row itself may be freed at once: the allocator hands its memory on in the order of the same stream.
        buffer.host.copy_(row, non_blocking=True)
        buffer.event.record(torch.cuda.current_stream(row.device))
        return Part(positions, names, buffer.host.numpy(), buffer)


def _buffer(row: Tensor) -> Buffer:
    host = torch.empty(row.shape, dtype=row.dtype, pin_memory=True)
    return Buffer(host, torch.cuda.Event())


class LocalReader:
    """Reads parameters that are not sharded, on any number of devices and in any dtypes.

    Args:
        parameters: the P tensors, in the order of the row.
        terms: names in :data:`gradmidi.measure.terms.TERMS`.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], terms: Sequence[str]) -> None:
        self.parameters: Sequence[nn.Parameter] = list(parameters)
        self._terms: list[Compute] = [TERMS[name].make() for name in terms]
        self._groups: list[_Group] = []
        self._some_missing = False
        self.copies = HostCopies()

    def read(self, scalars: Mapping[str, float | Tensor]) -> Reading:
        """Start reading now.

        Args:
            scalars: numbers that go with the row; those on a CUDA device travel with its copy.
        """
        grads = [parameter.grad for parameter in self.parameters]
        if self._some_missing or not self._groups:
            self._group(grads)
        try:
            return self._read(grads, scalars)
        except (RuntimeError, TypeError, AttributeError):
            # Since the parameters were grouped the model was moved, its dtype changed, or a gradient has gone.
            self._group(grads)
            return self._read(grads, scalars)

    def _group(self, grads: Sequence[Tensor | None]) -> None:
        """What can be computed together: parameters of one device, then of one dtype and layout."""
        groups: dict[torch.device, dict[tuple[torch.dtype, torch.layout], list[int]]]
        groups = defaultdict(lambda: defaultdict(list))
        for i, grad in enumerate(grads):
            if grad is not None:
                groups[grad.device][grad.dtype, grad.layout].append(i)
        self._groups = [_Group(device, list(kinds.values()), len(grads)) for device, kinds in groups.items()]
        self._some_missing = any(grad is None for grad in grads)

    def _read(self, grads: Sequence[Tensor | None], scalars: Mapping[str, float | Tensor]) -> Reading:
        here, aboard = dict(scalars), dict[str, Tensor]()
        for name, value in scalars.items():
            if isinstance(value, Tensor) and any(value.device == group.device for group in self._groups):
                aboard[name] = value
                del here[name]
        parts = [self._part(group, grads, aboard) for group in self._groups]
        return Reading(parts, {name: float(value) for name, value in here.items()} if here else {})

    def _part(self, group: _Group, grads: Sequence[Tensor | None], aboard: Mapping[str, Tensor]) -> Part:
        batches = [_batch(positions, grads, self.parameters) for positions in group.kinds]
        numbers = [number for term in self._terms for batch in batches for number in term(batch)]
        names = [name for name, value in aboard.items() if value.device == group.device] if aboard else ()
        numbers += [aboard[name].detach().reshape(()) for name in names]
        return self.copies.send(group.positions, names, numbers)


class _Group:
    """Parameters of one device: kinds that one fused call can take, and all their positions in that order.

    Where the kinds' order is the row's own, positions are ranges, which compare and slice without a loop.
    """

    def __init__(self, device: torch.device, kinds: list[list[int]], size: int) -> None:
        self.device = device
        self.kinds: list[Sequence[int]] = [range(size)] if kinds == [list(range(size))] else list(kinds)
        self.positions: Sequence[int] = self.kinds[0] if len(kinds) == 1 else [i for kind in kinds for i in kind]


def _batch(positions: Sequence[int], grads: Sequence[Tensor | None], parameters: Sequence[nn.Parameter]) -> Batch:
    some: Any = grads
    weights: Any = parameters
    if not isinstance(positions, range):
        some = [grads[i] for i in positions]
        weights = [parameters[i] for i in positions]
    if some[0].layout != torch.strided:
        some = [stored_values(grad) for grad in some]
    return Batch(positions, some, weights)


def stored_values(grad: Tensor) -> Tensor:
    """A sparse gradient may hold an entry twice; the two have to be added up before anything is measured."""
    return grad.coalesce().values() if grad.layout == torch.sparse_coo else grad.values()


def numbers_of(part: Part, terms: int) -> tuple[NDArray[np.floating], dict[str, float]]:
    """The numbers (T, K) and the scalars of a part that has arrived; nothing of them is overwritten later."""
    numbers = part.numbers if part.buffer is None else part.numbers.copy()
    cut = terms * len(part.positions)
    scalars = {name: float(value) for name, value in zip(part.names, numbers[cut:], strict=True)}
    return numbers[:cut].reshape(terms, -1), scalars
