"""Which parameters of a model make a layer, and what may be given as the model: one module."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from torch import nn
from torch.optim import Optimizer

from gradmidi.errors import InputError
from gradmidi.measure.names import UNNAMED, Named, named_modules, tensor_name

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
    """The layers of ``model``; each parameter belongs to the first layer that contains it.

    A module that LoRA or another PEFT adapter adds to, or that is parametrized, is one layer under its own name. What
    wrappers put into names is left out: torch.compile's, DistributedDataParallel's, PEFT's.

    Args:
        model: any module; DistributedDataParallel and torch.compile around it, or inside, are looked through.
        layers: ``"auto"`` for every module that owns a trainable parameter of the wanted kind, in registration order;
            ``"all"`` for every module that owns one, frozen or not. Or names or globs (``["conv1", "blocks.*.fc"]``),
            in the order given; one that matches only modules without direct parameters makes each of them, with
            everything below it, one layer. Or a callable ``(name, module) -> bool``; a module that it picks counts with
            everything below it.
        parameters: ``"weights"``, ``"biases"`` or ``"all"``.
        updated: with ``"auto"``, only parameters among these (the optimizers') count as trainable.

    Raises:
        InputError: an unknown ``parameters``, a pattern that matches nothing, or nothing to measure.
    """
    if parameters not in KINDS:
        raise InputError(f"parameters={parameters!r} is not one of {', '.join(map(repr, KINDS))}")
    kind = KINDS[parameters]
    modules = named_modules(model)
    if layers == "auto":
        allowed = None if updated is None else {id(parameter) for parameter in updated}
        picked = [(name, _trainable(own, allowed)) for name, own in _owners(modules, kind)]
    elif layers == "all":
        picked = _owners(modules, kind)
    elif callable(layers):
        picked = [(one.name, _all(one.module, kind)) for one in modules if one.name and layers(one.name, one.module)]
    else:
        patterns = [layers] if isinstance(layers, str) else list(layers)
        picked = [choice for pattern in patterns for choice in _fitting(modules, pattern, kind)]
    found = _once(picked)
    if not found:
        name = type(model).__name__
        raise InputError(f"{name} has no {parameters} to measure that the optimizer updates{_why(model, updated)}")
    return found


def _why(model: nn.Module, updated: Iterable[nn.Parameter] | None) -> str:
    """Why nothing was found, as far as is known."""
    held = set(map(id, model.parameters()))
    if updated is not None and held and not any(id(parameter) in held for parameter in updated):
        return f": it has none of its parameters; make it from those of this {type(model).__name__}"
    if not any(parameter.requires_grad for parameter in model.parameters()):
        return ': all are frozen; layers="all" waits for them'
    return ""


def chosen(owners: Sequence[Layer], layers: str | Sequence[str]) -> tuple[Layer, ...]:
    """All of ``owners`` for ``"auto"``, or those that match the names or globs, in the order given.

    Raises:
        InputError: a pattern that matches nothing, or nothing to measure.
    """
    patterns = [layers] if isinstance(layers, str) else list(layers)
    picked: list[tuple[str, Sequence[nn.Parameter]]] = []
    for pattern in ["*"] if layers == "auto" else patterns:
        fitting = [layer for layer in owners if fnmatchcase(layer.name, pattern)]
        if not fitting:
            raise InputError(f"no layer matches {pattern!r}; {_has(layer.name for layer in owners)}")
        picked += fitting
    return _once(picked)


def _owners(modules: Sequence[Named], kind: Callable[[str], bool]) -> list[tuple[str, list[nn.Parameter]]]:
    """Every voice that has parameters of the kind: its name, unique among them, and all of these parameters."""
    names = {one.path: one.name for one in modules}
    found: dict[str, list[nn.Parameter]] = {}
    for one in modules:
        inside = one.path.removeprefix(one.voice)
        own = [p for name, p in one.module.named_parameters(recurse=False) if kind(tensor_name(f"{inside}.{name}"))]
        if own:
            found.setdefault(one.voice, []).extend(own)
    uses = Counter(names[voice] for voice in found)
    return [(name if uses[name := names[voice]] == 1 else voice, own) for voice, own in found.items()]


def _all(module: nn.Module, kind: Callable[[str], bool]) -> list[nn.Parameter]:
    return [parameter for name, parameter in module.named_parameters() if kind(tensor_name(name))]


def _trainable(parameters: Iterable[nn.Parameter], allowed: set[int] | None) -> list[nn.Parameter]:
    return [p for p in parameters if p.requires_grad and (allowed is None or id(p) in allowed)]


def _fitting(
    modules: Sequence[Named], pattern: str, kind: Callable[[str], bool]
) -> list[tuple[str, list[nn.Parameter]]]:
    owners = _owners(modules, kind)
    fitting = [(name, own) for name, own in owners if fnmatchcase(name or UNNAMED, pattern)]
    fitting = fitting or [(one.name, _all(one.module, kind)) for one in modules if fnmatchcase(one.name, pattern)]
    if not fitting:
        raise InputError(f"no layer matches {pattern!r}; {_has(name for name, _ in owners)}")
    return fitting


def _has(names: Iterable[str]) -> str:
    return f"the model has {', '.join(name or UNNAMED for name in names)}"


def _once(picked: Iterable[tuple[str, Sequence[nn.Parameter]]]) -> tuple[Layer, ...]:
    """Tied parameters, and layers picked twice, count where they come first."""
    seen: set[int] = set()
    found: list[tuple[str, tuple[nn.Parameter, ...]]] = []
    for name, parameters in picked:
        fresh = tuple(parameter for parameter in parameters if id(parameter) not in seen)
        seen.update(map(id, fresh))
        if fresh:
            found.append((name, fresh))
    own = UNNAMED if all(name != UNNAMED for name, _ in found) else f"({UNNAMED})"
    return tuple(Layer(name or own, fresh) for name, fresh in found)


def check_model(model: Any) -> None:
    """Refuse what is not a module, such as a list of several.

    Raises:
        InputError: it is not an ``nn.Module``; the message has the line to write.
    """
    if isinstance(model, nn.Module):
        return
    kind = type(model).__name__
    if isinstance(model, Optimizer):
        raise InputError(f"{kind} is an optimizer; give the model first: listen(model, optimizer)")
    if isinstance(model, Mapping) and _are_modules(model.values()):
        raise InputError(f"the model is a {kind} of modules; join them: listen(nn.ModuleDict({_keys(model)}), …)")
    if isinstance(model, (list, tuple, set)) and _are_modules(model):
        names = _names(model)
        pairs = ", ".join(f'"{name}": {name}' for name in names)
        raise InputError(
            f"the model is a {kind} of {len(model)} modules; join them, each under the name that you want to read: "
            f"listen(nn.ModuleDict({{{pairs}}}), …)"
        )
    raise InputError(f"{kind} is not an nn.Module; give the network that the optimizer updates")


def _are_modules(given: Iterable[Any]) -> bool:
    given = list(given)
    return bool(given) and all(isinstance(one, nn.Module) for one in given)


def _keys(models: Mapping[Any, nn.Module]) -> str:
    """What to give to ``nn.ModuleDict``, whose keys are texts without a dot."""
    if all(isinstance(key, str) and key and "." not in key for key in models):
        return "your_dict"
    return "{name_without_dots: module for …}"


def _names(models: Iterable[nn.Module]) -> list[str]:
    """Names for an example, from the classes: ``generator``, ``discriminator``; ``linear_2`` for a second one."""
    names: list[str] = []
    for model in models:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(model).__name__).lower()
        again = sum(1 for other in names if re.fullmatch(rf"{re.escape(name)}(_\d+)?", other))
        names.append(f"{name}_{again + 1}" if again else name)
    return names
