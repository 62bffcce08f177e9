"""From parameters to one row of numbers on the host: fused calls, one stack and one copy a device, no waiting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradmidi.measure.terms import TERMS, Batch, Compute


class Part(NamedTuple):
    """What one device contributes to a reading.

    Attributes:
        positions: (K,) which parameters.
        names: scalars that travel behind the T × K numbers.
        host: (T · K + scalars,) the numbers, garbage until the event has happened.
        event: a CUDA event, none for numbers that were on the CPU from the start.
    """

    positions: Sequence[int]
    names: Sequence[str]
    host: Tensor
    event: torch.cuda.Event | None


class Reading(NamedTuple):
    """A row that may still be on its way: its parts and the scalars that never were on a device."""

    parts: Sequence[Part]
    scalars: dict[str, float]

    def ready(self) -> bool:
        """Whether the numbers may be read; asks without waiting."""
        return all(part.event is None or part.event.query() for part in self.parts)  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Block until the numbers may be read."""
        for part in self.parts:
            if part.event is not None:
                part.event.synchronize()


class Reader(Protocol):
    """Reads T terms of P parameters."""

    parameters: Sequence[nn.Parameter]

    def read(self, scalars: Mapping[str, float | Tensor]) -> Reading: ...

    def release(self, reading: Reading) -> None:
        """Give the row's buffers back for later steps, once its numbers have been taken."""


class HostCopies:
    """Copies rows to the host without waiting, into pinned buffers that are used again once they were taken back."""

    def __init__(self) -> None:
        self._free: dict[tuple[torch.dtype, int], list[tuple[Tensor, torch.cuda.Event]]] = defaultdict(list)

    def send(self, row: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
        """The host tensor, and the event after which it holds the row; no event if it does already."""
        if not row.is_cuda:
            return row.cpu(), None
        if torch.cuda.is_current_stream_capturing():
            raise RuntimeError("a CUDA graph replays steps without calling Python; run optimizer.step() outside of it")
        free = self._free[row.dtype, row.numel()]
        host, event = free.pop() if free else _pinned(row)
        # The row itself may be freed at once: the allocator hands its memory on in the order of the same stream.
        host.copy_(row, non_blocking=True)
        event.record(torch.cuda.current_stream(row.device))
        return host, event

    def take_back(self, reading: Reading) -> None:
        """The buffers of a reading whose numbers have been taken, or will never be."""
        for part in reading.parts:
            if part.event is not None:
                self._free[part.host.dtype, part.host.numel()].append((part.host, part.event))


def _pinned(row: Tensor) -> tuple[Tensor, torch.cuda.Event]:
    host = torch.empty(row.shape, dtype=row.dtype, pin_memory=True)
    return host, torch.cuda.Event()  # type: ignore[no-untyped-call]


class LocalReader:
    """Reads parameters that are whole in this process, on any number of devices and in any dtypes.

    Args:
        parameters: the P tensors, in the order of the row.
        terms: names in :data:`gradmidi.measure.terms.TERMS`.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], terms: Sequence[str]) -> None:
        self.parameters = parameters
        self._terms: list[Compute] = [TERMS[name].make() for name in terms]
        self._missing: list[int] = []
        self._batches: list[tuple[torch.device, list[list[int]]]] = []
        self._copies = HostCopies()

    def read(self, scalars: Mapping[str, float | Tensor]) -> Reading:
        """Start reading now.

        Args:
            scalars: numbers that go with the row; those on a CUDA device travel with its copy.
        """
        grads = [parameter.grad for parameter in self.parameters]
        missing = [i for i, grad in enumerate(grads) if grad is None]
        if missing != self._missing or not self._batches:
            self._group(grads)
        try:
            return self._read(grads, scalars)
        except (RuntimeError, TypeError):
            # The model was moved or its dtype changed since the parameters were grouped.
            self._group(grads)
            return self._read(grads, scalars)

    def release(self, reading: Reading) -> None:
        self._copies.take_back(reading)

    def _group(self, grads: Sequence[Tensor | None]) -> None:
        groups: dict[torch.device, dict[tuple[torch.dtype, torch.layout], list[int]]]
        groups = defaultdict(lambda: defaultdict(list))
        for i, grad in enumerate(grads):
            if grad is not None:
                groups[grad.device][grad.dtype, grad.layout].append(i)
        self._batches = [(device, list(kinds.values())) for device, kinds in groups.items()]
        self._missing = [i for i, grad in enumerate(grads) if grad is None]

    def _read(self, grads: Sequence[Tensor | None], scalars: Mapping[str, float | Tensor]) -> Reading:
        devices = [device for device, _ in self._batches]
        aboard = {name: v.device for name, v in scalars.items() if isinstance(v, Tensor) and v.device in devices}
        here = {name: float(value) for name, value in scalars.items() if name not in aboard}
        parts = []
        for device, kinds in self._batches:
            names = [name for name, place in aboard.items() if place == device]
            parts.append(self._part(device, kinds, grads, scalars, names))
        return Reading(parts, here)

    def _part(
        self,
        device: torch.device,
        kinds: Sequence[Sequence[int]],
        grads: Sequence[Tensor | None],
        scalars: Mapping[str, float | Tensor],
        names: Sequence[str],
    ) -> Part:
        batches = [_batch(positions, grads, self.parameters) for positions in kinds]
        numbers = [number for term in self._terms for batch in batches for number in term(batch)]
        numbers += [value.detach().reshape(()) for name in names if isinstance(value := scalars[name], Tensor)]
        row = torch.stack(numbers).detach()
        positions = [i for positions in kinds for i in positions]
        return Part(positions, names, *self._copies.send(row))


def _batch(positions: Sequence[int], grads: Sequence[Tensor | None], parameters: Sequence[nn.Parameter]) -> Batch:
    some = [grad for i in positions if (grad := grads[i]) is not None]
    if some[0].layout != torch.strided:
        some = [_stored_values(grad) for grad in some]
    return Batch(positions, some, [parameters[i] for i in positions])


def _stored_values(grad: Tensor) -> Tensor:
    """A sparse gradient may hold an entry twice; the two have to be added up before anything is measured."""
    return grad.coalesce().values() if grad.layout == torch.sparse_coo else grad.values()


def numbers_of(part: Part, terms: int) -> tuple[NDArray[np.floating], dict[str, float]]:
    """The numbers (T, K) and the scalars of a part that has arrived."""
    numbers = part.host.numpy()
    cut = terms * len(part.positions)
    scalars = {name: float(value) for name, value in zip(part.names, numbers[cut:], strict=True)}
    return numbers[:cut].reshape(terms, -1), scalars
