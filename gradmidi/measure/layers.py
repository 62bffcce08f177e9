"""Which parameters make a layer, and what the layer is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch import nn

from gradmidi.errors import InputError

# Names that torch.compile and (Distributed)DataParallel put in front of what the person wrote.
WRAPPERS = frozenset({"_orig_mod", "module"})

UNNAMED = "model"  # what a model is called that is itself the layer

LayerChoice = str | Sequence[str] | Callable[[str, nn.Module], bool]


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
    layers: LayerChoice = "auto",
    parameters: str = "weights",
    updated: Iterable[nn.Parameter] | None = None,
) -> tuple[Layer, ...]:
    """The layers of ``model``; each parameter belongs to the first layer that has it.

    Args:
        model: any module; DistributedDataParallel and torch.compile around it, or inside, are looked through.
        layers: ``"auto"`` for every module that owns a trainable parameter of the wanted kind, in registration order.
            Or names or globs (``["conv1", "blocks.*.fc"]``), in the order given; one that fits only modules without
            parameters of their own takes each with everything below it as one layer. Or a callable
            ``(name, module) -> bool``; a module that it picks counts with everything below it.
        parameters: ``"weights"``, ``"biases"`` or ``"all"``.
        updated: with ``"auto"``, only parameters among these (the optimizers') count as trainable.

    Raises:
        InputError: an unknown ``parameters``, a pattern that fits nothing, or nothing to measure.
    """
    if parameters not in KINDS:
        raise InputError(f"parameters={parameters!r} is none of {', '.join(map(repr, KINDS))}")
    modules = _named_modules(model)
    kind = KINDS[parameters]
    if layers == "auto":
        allowed = None if updated is None else {id(parameter) for parameter in updated}
        picked = [(name, _trainable(_own(module, kind), allowed)) for name, module in modules]
    elif callable(layers):
        picked = [(name, _all(module, kind)) for name, module in modules if name and layers(name, module)]
    else:
        patterns = [layers] if isinstance(layers, str) else list(layers)
        picked = [choice for pattern in patterns for choice in _fitting(modules, pattern, kind)]
    found = _once(picked)
    if not found:
        raise InputError(f"{type(model).__name__} has no {parameters} to measure that the optimizer updates")
    return found


def chosen(owners: Sequence[Layer], layers: str | Sequence[str]) -> tuple[Layer, ...]:
    """All of ``owners`` for ``"auto"``, or those that fit the names or globs, in the order given.

    Raises:
        InputError: a pattern that fits nothing, or nothing to measure.
    """
    patterns = [layers] if isinstance(layers, str) else list(layers)
    picked: list[tuple[str, Sequence[nn.Parameter]]] = []
    for pattern in ["*"] if layers == "auto" else patterns:
        fitting = [layer for layer in owners if fnmatchcase(layer.name, pattern)]
        if not fitting:
            raise InputError(f"no layer fits {pattern!r}; {_has(layer.name for layer in owners)}")
        picked += fitting
    return _once(picked)


def _named_modules(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Modules with the names that the person gave them, or the full path where two would be called the same."""
    paths = list(model.named_modules())
    uses = Counter(plain_name(path) for path, _ in paths if path and not _is_wrapper(path))
    return [(plain if uses[plain := plain_name(path)] <= 1 else path, module) for path, module in paths]


def _is_wrapper(path: str) -> bool:
    return path.rpartition(".")[2] in WRAPPERS


def plain_name(path: str) -> str:
    """``module._orig_mod.features.0`` → ``features.0``."""
    return ".".join(part for part in path.split(".") if part not in WRAPPERS)


def _own(module: nn.Module, kind: Callable[[str], bool]) -> list[nn.Parameter]:
    return [parameter for name, parameter in module.named_parameters(recurse=False) if kind(name)]


def _all(module: nn.Module, kind: Callable[[str], bool]) -> list[nn.Parameter]:
    return [parameter for name, parameter in module.named_parameters() if kind(name.rpartition(".")[2])]


def _trainable(parameters: Iterable[nn.Parameter], allowed: set[int] | None) -> list[nn.Parameter]:
    return [p for p in parameters if p.requires_grad and (allowed is None or id(p) in allowed)]


def _fitting(
    modules: Sequence[tuple[str, nn.Module]], pattern: str, kind: Callable[[str], bool]
) -> list[tuple[str, list[nn.Parameter]]]:
    owners = [(name, own) for name, module in modules if (own := _own(module, kind))]
    fitting = [(name, own) for name, own in owners if fnmatchcase(name or UNNAMED, pattern)]
    fitting = fitting or [(name, _all(module, kind)) for name, module in modules if fnmatchcase(name, pattern)]
    if not fitting:
        raise InputError(f"no layer fits {pattern!r}; {_has(name for name, _ in owners)}")
    return fitting


def _has(names: Iterable[str]) -> str:
    return f"the model has {', '.join(name or UNNAMED for name in names)}"


def _once(picked: Iterable[tuple[str, Sequence[nn.Parameter]]]) -> tuple[Layer, ...]:
    """Tied parameters, and layers picked twice, count where they come first."""
    seen: set[int] = set()
    layers = []
    for name, parameters in picked:
        fresh = tuple(parameter for parameter in parameters if id(parameter) not in seen)
        seen.update(map(id, fresh))
        if fresh:
            layers.append(Layer(name or UNNAMED, fresh))
    return tuple(layers)
