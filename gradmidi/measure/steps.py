"""Where in an optimizer step its gradients are final: before it, or after its closure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any

import torch
from torch.optim import Optimizer

from gradmidi.errors import InputError

# The code of the function that torch wraps around every ``step`` to run its hooks.
HOOKED_STEP: CodeType = Optimizer.profile_hook_step(lambda: None).__code__


def raw_optimizer(optimizer: Any) -> Optimizer:
    """The torch optimizer inside all wrappers: Accelerate's, Lightning's, SAM, Lookahead and others that keep one.

    Raises:
        InputError: there is none.
    """
    passed = {id(optimizer)}
    while (inner := _inner(optimizer)) is not None and id(inner) not in passed:
        passed.add(id(inner))
        optimizer = inner
    if not isinstance(optimizer, Optimizer):
        raise InputError(
            f"{type(optimizer).__name__} is not a torch.optim optimizer; give the one that updates the model"
        )
    return optimizer


def _inner(optimizer: Any) -> Optimizer | None:
    """The one optimizer that is kept inside under whatever name and updates at least the same parameters."""
    if isinstance(named := getattr(optimizer, "optimizer", None), Optimizer):
        return named
    # By type() rather than isinstance, which would ask lazy proxies for their class and so wake them.
    attributes = getattr(optimizer, "__dict__", {}).values()
    kept = {id(one): one for one in attributes if issubclass(type(one), Optimizer)}
    if len(kept) != 1:
        return None
    (inner,) = kept.values()
    return inner if _parameters(optimizer) <= _parameters(inner) else None


def _parameters(optimizer: Any) -> set[int]:
    return {id(parameter) for group in getattr(optimizer, "param_groups", ()) for parameter in group["params"]}


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
        # LBFGS evaluates its closure with gradients enabled, whatever the mode around it; so does this pass through.
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
    apart: Callable[..., Any] = torch.compiler.disable(hook, reason=reason)  # type: ignore[no-untyped-call]
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
