"""Which parameters make a layer, and what the layer is called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch import nn

from gradmidi.errors import InputError

# Names that torch.compile and (Distributed)DataParallel put in front of what the person wrote.
WRAPPERS = frozenset({"_orig_mod", "module", "_fsdp_wrapped_module"})


def _is_bias(name: str) -> bool:
    """``bias``, ``bias_ih_l0``, ``in_proj_bias``; everything else that a module owns counts as a weight."""
    return "bias" in name


KINDS: dict[str, Callable[[str], bool]] = {
    "weights": lambda name: not _is_bias(name),
    "biases": _is_bias,
    "all": lambda name: True,
}


class Layer(NamedTuple):
    """One voice's worth of parameters: its name and the P ≥ 1 tensors whose joint norm is measured."""

    name: str
    parameters: tuple[nn.Parameter, ...]


def find_layers(
    model: nn.Module,
    layers: str | Sequence[str] = "auto",
    parameters: str = "weights",
    updated: Collection[nn.Parameter] | None = None,
) -> tuple[Layer, ...]:
    """The layers of ``model`` in registration order.

    Args:
        model: any module; one inside DistributedDataParallel or torch.compile is looked through.
        layers: ``"auto"`` for every module that owns a trainable parameter of the wanted kind; or names or globs
            (``["conv1", "blocks.*.mlp"]``) of modules.
        parameters: ``"weights"``, ``"biases"`` or ``"all"``.
        updated: with ``"auto"``, only parameters among these (an optimizer's) count as trainable.

    Raises:
        InputError: an unknown ``parameters``, a pattern that fits nothing, or nothing to measure.
    """
    if parameters not in KINDS:
        raise InputError(f"parameters={parameters!r} is none of {', '.join(map(repr, KINDS))}")
    owners = _owners(model, parameters)
    if layers == "auto":
        allowed = None if updated is None else {id(parameter) for parameter in updated}
        owners = [_trainable(layer, allowed) for layer in owners]
        found = [layer for layer in owners if layer.parameters]
    else:
        found = _matching(owners, [layers] if isinstance(layers, str) else list(layers))
    if not found:
        raise InputError(f"{type(model).__name__} has no trainable {parameters} that the optimizer updates")
    return tuple(found)


def _owners(model: nn.Module, parameters: str) -> list[Layer]:
    """Every module that owns parameters of the kind itself; one shared by two modules belongs to the first."""
    wanted = KINDS[parameters]
    seen: set[int] = set()
    owners = []
    for path, module in model.named_modules():
        own = []
        for name, parameter in module.named_parameters(recurse=False):
            if wanted(name) and id(parameter) not in seen:
                seen.add(id(parameter))
                own.append(parameter)
        if own:
            owners.append(Layer(plain_name(path) or type(module).__name__, tuple(own)))
    return owners


def _trainable(layer: Layer, allowed: set[int] | None) -> Layer:
    kept = [p for p in layer.parameters if p.requires_grad and (allowed is None or id(p) in allowed)]
    return Layer(layer.name, tuple(kept))


def _matching(owners: Iterable[Layer], patterns: Sequence[str]) -> list[Layer]:
    owners = list(owners)
    for pattern in patterns:
        if not any(fnmatchcase(layer.name, pattern) for layer in owners):
            names = ", ".join(layer.name for layer in owners)
            raise InputError(f"no layer fits {pattern!r}; the model has {names}")
    return [layer for layer in owners if any(fnmatchcase(layer.name, pattern) for pattern in patterns)]


def plain_name(path: str) -> str:
    """``module._orig_mod.features.0`` → ``features.0``."""
    return ".".join(part for part in path.split(".") if part not in WRAPPERS)
