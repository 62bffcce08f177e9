"""GradientProbe: one row of per-layer gradient norms at each optimizer step, and nothing else about the training."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from gradmidi.errors import InputError, TrainingWarning
from gradmidi.measure.layers import find_layers
from gradmidi.measure.reading import GradientNorms, Reading


class StepNorms(NamedTuple):
    """What was measured at one optimizer step; the arrays are the receiver's to keep.

    Attributes:
        step: the optimizer step, counted from 0.
        norms: (L,) float32 L2 norms in the order of the probe's layers; nan where there was no gradient.
        gaps: (L,) bool, True where there was no gradient.
    """

    step: int
    norms: NDArray[np.float32]
    gaps: NDArray[np.bool_]


class GradientProbe:
    """Calls ``on_step`` with the gradient norm of every layer at each step of ``optimizer``.

    Attaches at construction; :meth:`detach`, or leaving it as a context manager, takes every hook away again. On the
    CPU ``on_step`` runs inside ``optimizer.step()``, before the weights change. On CUDA the row is copied without
    waiting for the device, and arrives at a later step or at :meth:`flush`.

    Never changes gradients, weights or random state, and never raises into the training: if measuring or ``on_step``
    fails, one :class:`TrainingWarning` says so and the probe is off.

    Args:
        model: whose layers are measured.
        optimizer: whose steps are counted.
        on_step: receives one :class:`StepNorms` a measured step.
        layers: ``"auto"`` (modules that own trainable parameters), or names or globs of modules.
        parameters: ``"weights"`` as in the 2019 post, ``"biases"`` or ``"all"``; several in one module are joined
            by root-sum-square.
        every: measure every so many steps.

    Cost: one fused norm call, one stack and one copy a measured step.

    Raises:
        InputError: nothing to measure, an unknown layer, ``every`` below 1.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        on_step: Callable[[StepNorms], None],
        *,
        layers: str | Sequence[str] = "auto",
        parameters: str = "weights",
        every: int = 1,
    ) -> None:
        if every < 1:
            raise InputError(f"every={every} must be at least 1")
        updated = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        found = find_layers(model, layers, parameters, updated)
        self.layers: tuple[str, ...] = tuple(layer.name for layer in found)
        self._starts = np.cumsum([0, *(len(layer.parameters) for layer in found)])[:-1]
        self._reader = GradientNorms([parameter for layer in found for parameter in layer.parameters])
        self._optimizer = optimizer
        self._on_step = on_step
        self._every = every
        self._step = 0
        self._pending: deque[tuple[int, Reading]] = deque()
        self._hook: RemovableHandle | None = None
        self.attach()

    def attach(self) -> None:
        """Hook into the optimizer; does nothing if already attached. Steps are counted on."""
        if self._hook is None:
            self._hook = self._optimizer.register_step_pre_hook(self._before_step)

    def flush(self) -> None:
        """Deliver every row that is still on its way from the device; waits for it."""
        try:
            self._deliver(wait=True)
        except Exception as error:
            self._switch_off(error)

    def detach(self) -> None:
        """Deliver what is on its way and take every hook away; may be called twice."""
        self.flush()
        self._unhook()

    def __enter__(self) -> GradientProbe:
        self.attach()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        step = self._step
        self._step += 1
        try:
            if step % self._every == 0:
                self._pending.append((step, self._reader.read()))
            self._deliver(wait=False)
        except Exception as error:
            self._switch_off(error)

    def _deliver(self, wait: bool) -> None:
        """Hand over the rows that have arrived, in order."""
        while self._pending:
            step, reading = self._pending[0]
            if wait:
                reading.wait()
            elif not reading.ready():
                return
            self._pending.popleft()
            values, present = reading.values()
            self._reader.release(reading)
            self._on_step(self._row(step, values, present))

    def _row(self, step: int, values: NDArray[np.float32], present: NDArray[np.bool_]) -> StepNorms:
        """Join the parameters of each layer: root-sum-square in float64, so that the squares cannot overflow."""
        gaps = ~np.logical_or.reduceat(present, self._starts)
        if len(values) == len(gaps):
            return StepNorms(step, values, gaps)
        squares = np.where(present, values, 0).astype(np.float64) ** 2
        norms = np.sqrt(np.add.reduceat(squares, self._starts)).astype(np.float32)
        norms[gaps] = np.nan
        return StepNorms(step, norms, gaps)

    def _switch_off(self, error: Exception) -> None:
        self._unhook()
        self._pending.clear()
        message = f"gradmidi stopped measuring, the training goes on: {type(error).__name__}: {error}"
        # Someone may have turned warnings into errors; not even that may stop a training.
        with suppress(TrainingWarning):
            warnings.warn(message, TrainingWarning, stacklevel=2)

    def _unhook(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
