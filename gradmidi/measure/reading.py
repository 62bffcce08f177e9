"""From parameters' gradients to one row of norms on the host: a fused norm, a stack, a copy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# The norm is accumulated and returned in float32 where the gradient is narrower or as wide; wider and complex ones
# keep their own type, because torch refuses to narrow.
NORM_DTYPE = {torch.float16: torch.float32, torch.bfloat16: torch.float32, torch.float32: torch.float32}


class Reading(NamedTuple):
    """A row that may still be on its way from a device.

    Attributes:
        where: for every copied part, the positions (K,) in the row of P parameters.
        host: the parts' values, (K,) float32 each, garbage until the event has happened.
        events: CUDA events, none for values that were on the CPU from the start.
        size: P.
    """

    where: list[list[int]]
    host: list[Tensor]
    events: list[torch.cuda.Event]
    size: int

    def ready(self) -> bool:
        """Whether the values may be read; asks without waiting."""
        return all(event.query() for event in self.events)  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Block until the values may be read."""
        for event in self.events:
            event.synchronize()

    def values(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Norms (P,) and which parameters had a gradient (P,)."""
        norms = np.full(self.size, np.nan, dtype=np.float32)
        present = np.zeros(self.size, dtype=bool)
        for where, host in zip(self.where, self.host, strict=True):
            norms[where] = host.numpy()[: len(where)]
            present[where] = True
        return norms, present


@dataclass
class _Slot:
    """A row on a CUDA device, its pinned twin and the event after which the twin holds the values."""

    device_row: Tensor
    host_row: Tensor
    event: torch.cuda.Event


@dataclass
class GradientNorms:
    """Reads the L2 norms of P parameters' gradients; the order of ``parameters`` is the order of the row."""

    parameters: Sequence[nn.Parameter]
    _free: dict[torch.device, list[_Slot]] = field(default_factory=lambda: defaultdict(list))
    _busy: dict[int, list[_Slot]] = field(default_factory=dict)

    def read(self) -> Reading:
        """Start reading now. Cost: one fused norm a device and dtype, one stack and one copy a device; no waiting."""
        groups: dict[torch.device, dict[torch.dtype, list[int]]] = defaultdict(lambda: defaultdict(list))
        grads = [parameter.grad for parameter in self.parameters]
        for i, grad in enumerate(grads):
            if grad is not None:
                groups[grad.device][grad.dtype].append(i)
        reading = Reading([], [], [], len(self.parameters))
        used = []
        with torch.no_grad():
            for device, by_dtype in groups.items():
                norms: list[Tensor] = []
                where: list[int] = []
                for dtype, positions in by_dtype.items():
                    some = [grad for i in positions if (grad := grads[i]) is not None]
                    norms += torch._foreach_norm(some, 2, dtype=NORM_DTYPE.get(dtype))
                    where += positions
                reading.where.append(where)
                row = torch.stack([norm.float() for norm in norms])
                if device.type != "cuda":
                    reading.host.append(row.cpu())
                    continue
                slot = self._slot(device)
                slot.device_row[: len(where)].copy_(row)
                slot.host_row.copy_(slot.device_row, non_blocking=True)
                slot.event.record(torch.cuda.current_stream(device))
                reading.host.append(slot.host_row)
                reading.events.append(slot.event)
                used.append((device, slot))
        self._busy[id(reading.host)] = [slot for _, slot in used]
        return reading

    def release(self, reading: Reading) -> None:
        """Give the row's buffers back for later steps, once its values have been taken."""
        for slot in self._busy.pop(id(reading.host), ()):
            self._free[slot.device_row.device].append(slot)

    def _slot(self, device: torch.device) -> _Slot:
        free = self._free[device]
        if free:
            return free.pop()
        size = len(self.parameters)
        return _Slot(
            torch.empty(size, device=device),
            torch.empty(size, pin_memory=True),
            torch.cuda.Event(),  # type: ignore[no-untyped-call]
        )
