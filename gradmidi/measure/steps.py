"""Where in an optimizer step its gradients are final: before it, after its closure, or before any clipping.

And how this is noticed: the end of a backward pass, and a replacement for a method of another library's object.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

# The code of the function that torch wraps around every ``step`` to run its hooks.
HOOKED_STEP: CodeType = Optimizer.profile_hook_step(lambda: None).__code__


def closure_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[..., Any] | None:
    """The closure among the arguments of ``step``; ``args[0]`` is the optimizer itself."""
    closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
    return closure if callable(closure) else None


def with_closure(
    closure: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of ``step`` with another closure in place."""
    if "closure" in kwargs:
        return args, {**kwargs, "closure": closure}
    return (args[0], closure, *args[2:]), dict(kwargs)


def after_first_call(closure: Callable[..., Any], then: Callable[[], None]) -> Callable[..., Any]:
    """``closure``, with ``then`` called after its first call: LBFGS calls it many times in one step.

    The first call has the gradients at the weights from which the step starts, as in every other optimizer.
    """
    called = False

    def measured(*args: Any, **kwargs: Any) -> Any:
        nonlocal called
        # LBFGS evaluates its closure with gradients enabled, whatever the mode around it; this wrapper does the same.
        result = closure(*args, **kwargs)
        if not called:
            called = True
            with torch.no_grad():
                then()
        return result

    return measured


def out_of_graphs(hook: Callable[..., Any]) -> Callable[..., Any]:
    """The hook as torch.compile should see it: a break in the graph rather than something to compile.

    Only where the compiler has been loaded, because loading it takes seconds.
    """
    if "torch._dynamo" not in sys.modules:
        return hook
    reason = "gradmidi's probe runs between graphs; compile optimizer.step() without fullgraph, or detach the probe"
    apart: Callable[..., Any] = torch.compiler.disable(hook, reason=reason)
    return apart


def may_nest(optimizer: Optimizer) -> bool:
    """Whether ``step`` may call the hooked ``step`` of a base class, which would fire the hooks twice."""
    owners = [kind for kind in type(optimizer).__mro__ if "step" in vars(kind) and kind is not Optimizer]
    return len(owners) > 1


def inside(code: CodeType) -> bool:
    """Whether the function with this code is running, further up in the call stack."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False


def is_nested(optimizer: Optimizer) -> bool:
    """Whether two or more hooked ``step`` calls of this optimizer are running, one within the other."""
    running = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and running < 2:
        running += frame.f_code is HOOKED_STEP and frame.f_locals.get("self") is optimizer
        frame = frame.f_back
    return running > 1


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
            parameter.register_post_accumulate_grad_hook(self._reached)
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
        # DistributedDataParallel queues its averaging during the pass, so after us: queue once more.
        _at_end_of_backward(self._then)


def _at_end_of_backward(call: Callable[[], None]) -> None:
    torch.autograd.Variable._execution_engine.queue_callback(call)


class StandIn:
    """Replaces ``owner.name``; a subclass is called in its place and calls :attr:`own`.

    Several may replace one another, and be removed in any order. Pickles as the owner's own method, so that the
    owner can be saved meanwhile.

    Attributes:
        own: what was there before, bound.
        removed: whether it only passes calls on.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self.own = getattr(owner, name)
        self.removed = False
        self._owner = owner
        self._name = name
        self._before = vars(owner).get(name)
        setattr(owner, name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._owner, self._name)

    def remove(self) -> None:
        """Put back what was there before; one that another hangs over stays until that one goes, and is idle."""
        self.removed = True
        attributes = vars(self._owner)
        while isinstance(top := attributes.get(self._name), StandIn) and top.removed:
            delattr(self._owner, self._name)
            if top._before is not None:
                setattr(self._owner, self._name, top._before)
