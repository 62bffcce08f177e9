"""What is attached to a training and removed again: optimizer hooks, gradient hooks, the scaler's step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from gradmidi.forking import keep_from_children
from gradmidi.measure.amp import WatchedStep, scale_of, scales_itself
from gradmidi.measure.meter import Meter, say_once_and_stop
from gradmidi.measure.quick import Hook, Refit, quick_hook
from gradmidi.measure.reading import Reading
from gradmidi.measure.steps import (
    AfterBackward,
    after_first_call,
    closure_of,
    inside,
    is_nested,
    may_nest,
    out_of_graphs,
    with_closure,
)
from gradmidi.saying import warn


class StepHooks:
    """Measures each optimizer at its steps. After an internal error every hook is idle; none raises into the training.

    Args:
        meter: source ``i`` belongs to optimizer ``i``.
        optimizers: whose steps are watched.
        early: parameters whose backward pass is measured instead of the step; none to measure at the step.
        scaler: whose skipped steps are watched.
        keep_going: keep measuring though no receiver is left, because other ranks wait for this one.
    """

    def __init__(
        self,
        meter: Meter,
        optimizers: Sequence[Optimizer],
        early: Sequence[nn.Parameter],
        scaler: GradScaler | None,
        keep_going: bool,
    ) -> None:
        self._meter = meter
        self._optimizers = optimizers
        self._scaler = scaler if scaler is not None and scaler.is_enabled() else None
        self._keep_going = keep_going
        self._early: dict[int, Reading] = {}
        self._steps: Counter[int] = Counter()
        self._off = False
        self._inherited = False
        self._later: Callable[[], None] | None = None
        self._refits: list[Refit] = []
        self._backward: AfterBackward | None = None
        self._hung: list[Any] = []
        for index, optimizer in enumerate(optimizers):
            self._hung.append(optimizer.register_step_pre_hook(self._hook(index, optimizer, early)))
        if early:
            self._backward = AfterBackward(early, partial(self.guard, self._after_backward))
            self._hung.append(self._backward)
        if self._scaler is not None:
            self._hung.append(WatchedStep(self._scaler, self._steps_of, self._skipped))
        keep_from_children(self)

    def leave_to_parent(self) -> None:
        """See :class:`gradmidi.forking.Inherited`. The hooks stay, as the fork may have come out of one."""
        self._off = self._inherited = True
        for refit in self._refits:
            refit(None)

    def remove(self) -> None:
        """Remove everything; may be called twice."""
        for hook in self._hung:
            hook.remove()
        self._hung.clear()

    @property
    def off(self) -> bool:
        """Whether an internal error has ended the measuring, with a warning."""
        return self._off

    def guard(self, call: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        """Call our function, and switch off rather than raise."""
        if self._off:
            return
        try:
            call(*args, **kwargs)
        except Exception as error:
            self._off = True
            say_once_and_stop(error)
        # Only the flag is set: removing a hook while torch iterates over its hooks would raise into the training.
        self._off |= self._meter.silent and not self._keep_going

    def between_steps(self, call: Callable[[], None]) -> None:
        """Call our function when no row is half measured: now, or after a later measurement."""
        if self._meter.idle and not self._early:
            self._later = None
            call()
        else:
            self._later = call

    def refit(self, joined: Sequence[nn.Parameter]) -> None:
        """To be called between steps, after the meter was given other sources, with the parameters new to it."""
        for refit in self._refits:
            refit(self._meter.plain_parameters())
        if self._backward is not None:
            self._backward.add(joined)

    def _hook(self, index: int, optimizer: Optimizer, early: Sequence[nn.Parameter]) -> Hook:
        nests = may_nest(optimizer)
        general = out_of_graphs(self._before_step(index, nests))
        parameters = self._meter.plain_parameters()
        scaled = self._scaler is not None or scales_itself(optimizer)
        if parameters is None or nests or early or scaled:
            return general
        hook, refit = quick_hook(parameters, self._meter, general)
        self._refits.append(refit)
        return hook

    def _before_step(self, index: int, nests: bool) -> Hook:
        """The hook of one optimizer."""

        def before_step(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if self._off or (nests and is_nested(optimizer)):
                self._say_that_it_is_inherited()
                return None
            self._steps[index] += 1
            closure = closure_of(args, kwargs)
            if closure is None:
                self.guard(self._measure, index)
                return None
            return with_closure(after_first_call(closure, partial(self.guard, self._measure, index)), args, kwargs)

        return before_step

    def _say_that_it_is_inherited(self) -> None:
        if self._inherited:
            self._inherited = False
            warn("this process was forked from one that gradmidi listens in; to record its steps, call listen in it")

    def _measure(self, index: int, **scalars: float) -> None:
        if self._scaler is not None:
            scalars.setdefault("skipped", 0.0)
        elif self._early and inside(GradScaler.step.__code__):
            raise RuntimeError("before-clip gradients still carry the GradScaler's factor; pass scaler= as well")
        self._meter.measure(index, self._early.pop(index, None), **scalars)
        if self._later is not None:
            self.between_steps(self._later)

    def _after_backward(self) -> None:
        for index in range(len(self._optimizers)):
            if index in self._early:
                self._meter.release(index, self._early.pop(index))
            if self._meter.is_due(index):
                scale = {} if self._scaler is None else scale_of(self._scaler)
                self._early[index] = self._meter.read(index, scale)

    def _steps_of(self, optimizer: Optimizer) -> int | None:
        """How many steps of this optimizer were seen; None if it is not watched."""
        found = [i for i, one in enumerate(self._optimizers) if one is optimizer]
        return self._steps[found[0]] if found else None

    def _skipped(self, optimizer: Optimizer) -> None:
        """A step was skipped: measure the gradients that caused this."""
        index = next(i for i, one in enumerate(self._optimizers) if one is optimizer)
        self.guard(self._measure, index, skipped=1.0)
