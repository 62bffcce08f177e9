"""Why a probe measured nothing: what can be found out afterwards, without observing anything during training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from gradmidi.measure.finding import living, living_optimizers

AGAIN = "call listen() after that"


class Scene(NamedTuple):
    """What was listened to, and what can still be seen of it.

    Attributes:
        model: the module.
        optimizers: those whose steps were waited for.
        parameters: those whose gradients were to be measured.
        versions: of the parameters when the probe was attached; see :func:`versions_of`.
        steps: how many steps were seen.
        left_out: how many of them ``every`` skipped.
    """

    model: nn.Module
    optimizers: Sequence[Optimizer]
    parameters: Sequence[nn.Parameter]
    versions: Sequence[int]
    steps: int
    left_out: int


def versions_of(parameters: Sequence[Tensor]) -> list[int]:
    """torch's count of in-place changes of each parameter; 0 if torch does not count them."""
    return [0 if parameter.is_inference() else parameter._version for parameter in parameters]


def why_silent(scene: Scene) -> str:
    """Why no gradient was measured at any step, as a sentence."""
    return next(said for cause in CAUSES if (said := cause(scene)))


def _left_out(scene: Scene) -> str | None:
    if scene.steps and scene.left_out == scene.steps:
        return f"every= skips each of its {scene.steps} steps"
    return None


def _frozen(scene: Scene) -> str | None:
    if not any(parameter.requires_grad for parameter in scene.parameters):
        return "all of its layers are frozen (requires_grad=False)"
    return None


def _replaced(scene: Scene) -> str | None:
    held = {id(parameter) for parameter in scene.model.parameters()}
    if not any(id(parameter) in held for parameter in scene.parameters):
        return f"the parameters of {type(scene.model).__name__} were replaced by others; {AGAIN}"
    return None


def _gradients_none(scene: Scene) -> str | None:
    if not scene.steps:
        return None
    return (
        f"every gradient was None at each of its {scene.steps} steps. torch.func and torch.autograd.grad leave .grad "
        "empty, and so does zero_grad() before step(); otherwise backward() went through another model or a copy"
    )


def _another_optimizer(scene: Scene) -> str | None:
    """Another optimizer with the same parameters: most likely recreated after listen()."""
    wanted = set(map(id, scene.parameters))
    ours = set(map(id, scene.optimizers))
    others = [
        one
        for one in living_optimizers()
        if id(one) not in ours and any(id(p) in wanted for group in one.param_groups for p in group["params"])
    ]
    if not others:
        return None
    names = ", ".join(dict.fromkeys(type(one).__name__ for one in others))
    return (
        f"{_names(scene)}.step() was never called, and another optimizer ({names}) has the same parameters. If it was "
        f"recreated, {AGAIN}; several optimizers are given as a list"
    )


def _own_steps(scene: Scene) -> str | None:
    """As in SAM: ``first_step`` and ``second_step``, where no optimizer inside could be found."""
    odd = [one for one in scene.optimizers if hasattr(one, "first_step") and hasattr(one, "second_step")]
    if not odd:
        return None
    name = type(odd[0]).__name__
    return (
        f"{name}.step() was never called: first_step() and second_step() do not call it; give the optimizer inside it"
    )


def _changed(scene: Scene) -> str | None:
    if versions_of(scene.parameters) == list(scene.versions):
        return None
    return (
        f"{_names(scene)}.step() was never called, though the weights have changed: by hand, or by an optimizer that "
        f"was made after listen(). {AGAIN.capitalize()}"
    )


def _scaler(scene: Scene) -> str | None:
    if _has_gradients(scene) and any(scaler.is_enabled() for scaler in living(GradScaler)):
        return (
            f"{_names(scene)}.step() was never called, though backward() was: a GradScaler leaves out every step whose "
            "gradients are not finite. With scaler=… each of these is recorded too"
        )
    return None


def _only_backward(scene: Scene) -> str | None:
    return f"{_names(scene)}.step() was never called, though backward() was" if _has_gradients(scene) else None


def _nothing(scene: Scene) -> str:
    return f"neither {_names(scene)}.step() nor backward() was called while it listened"


CAUSES: Sequence[Callable[[Scene], str | None]] = (
    *(_left_out, _frozen, _replaced, _gradients_none),
    *(_own_steps, _another_optimizer, _changed, _scaler, _only_backward, _nothing),
)


def _names(scene: Scene) -> str:
    return "/".join(dict.fromkeys(type(one).__name__ for one in scene.optimizers))


def _has_gradients(scene: Scene) -> bool:
    return any(parameter.grad is not None for parameter in scene.parameters)
