"""The end of a backward pass, which is before any clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class AfterBackward:
    """Calls ``then`` once at the end of every backward pass that reaches one of the parameters.

    DistributedDataParallel has averaged the gradients by then. Under FSDP2 it never fires.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], then: Callable[[], None]) -> None:
        self._then = then
        self._task = -1
        self._hooks: list[RemovableHandle] = []
        self.add(parameters)

    def add(self, parameters: Iterable[nn.Parameter]) -> None:
        """Wait for these parameters too."""
        self._hooks += [
            parameter.register_post_accumulate_grad_hook(self._reached)  # type: ignore[no-untyped-call]
            for parameter in parameters
            if parameter.requires_grad
        ]

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _reached(self, parameter: Tensor) -> None:
        task = torch._C._current_graph_task_id()
        if task != self._task:
            self._task = task
            _at_end_of_backward(self._finished)

    def _finished(self) -> None:
        # DistributedDataParallel queues its averaging during the pass, so behind us: stand in line once more.
        _at_end_of_backward(self._then)


def _at_end_of_backward(call: Callable[[], None]) -> None:
    torch.autograd.Variable._execution_engine.queue_callback(call)
