"""From wrapped optimizers to bare ones, and from these to the model that they train, with the script's own names."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from gradmidi.errors import InputError
from gradmidi.measure.names import WRAPPERS


def raw_optimizer(optimizer: Any) -> Optimizer:
    """The torch optimizer inside all wrappers: Accelerate's, Lightning's, SAM, Lookahead and others that keep one.

    Raises:
        InputError: there is no torch optimizer in it.
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
    """The one optimizer that is kept inside, under any name, and updates at least the same parameters."""
    if isinstance(named := getattr(optimizer, "optimizer", None), Optimizer):
        return named
    # By type() rather than isinstance, which would make lazy proxies load.
    attributes = getattr(optimizer, "__dict__", {}).values()
    kept = {id(one): one for one in attributes if issubclass(type(one), Optimizer)}
    if len(kept) != 1:
        return None
    (inner,) = kept.values()
    return inner if _updated_by(optimizer) <= _updated_by(inner) else None


def _updated_by(optimizer: Any) -> set[int]:
    return {id(parameter) for group in getattr(optimizer, "param_groups", ()) for parameter in group["params"]}


def living_optimizers(*first: Optimizer) -> list[Optimizer]:
    """``first`` and every other optimizer of this process that has parameters; each once, without its wrappers."""
    found = {id(one): one for one in (raw_optimizer(one) for one in [*first, *living(Optimizer)])}
    return [one for one in found.values() if getattr(one, "param_groups", None)]


def model_of(optimizers: Sequence[Optimizer]) -> nn.Module:
    """The outermost module that holds the optimizers' parameters.

    Where no single one holds them all, a dictionary of several, by class (``Generator``, ``Discriminator``). Tensors
    that belong to no module are called ``tensor 0``, ``tensor 1``, ….
    """
    wanted = {id(p): p for one in optimizers for group in one.param_groups for p in group["params"]}
    roots = _holders(set(wanted))
    held = {id(parameter) for root in roots for parameter in root.parameters()}
    loose = [parameter for key, parameter in wanted.items() if key not in held]
    parts = dict(_named(roots)) | ({"loose": LooseTensors(loose)} if loose else {})
    return next(iter(parts.values())) if len(parts) == 1 else nn.ModuleDict(parts)


class LooseTensors(nn.Module):
    """Tensors that an optimizer updates and no module owns: an image in style transfer, a set of coefficients."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        super().__init__()
        for i, tensor in enumerate(tensors):
            self.add_module(f"tensor {i}", _Loose(tensor))


class _Loose(nn.Module):
    """One tensor as the only parameter of a module; torch itself would insist on an ``nn.Parameter``."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self._parameters["weight"] = tensor  # type: ignore[assignment]


def living(kind: type[Any]) -> Iterator[Any]:
    """Every object of a class, or of one derived from it, that this process has."""
    # By type() rather than isinstance, which would make lazy proxies load.
    return (thing for thing in gc.get_objects() if issubclass(type(thing), kind))


def _holders(wanted: set[int]) -> list[nn.Module]:
    """The fewest outermost modules that together hold the wanted parameters, as far as modules do."""
    modules = list(living(nn.Module))
    inner = {id(child) for module in modules for child in _children(module)}
    covers = []
    for top in modules:
        if id(top) not in inner and (cover := {id(p) for p in _parameters(top)} & wanted):
            covers.append((cover, sum(1 for _ in top.modules()), top))
    chosen = []
    while covers:
        # The one that holds most; among several the one with the fewest other parameters.
        cover, _, top = max(covers, key=lambda item: (len(item[0]), -item[1]))
        chosen.append(top)
        covers = [(rest, size, other) for one, size, other in covers if (rest := one - cover)]
    return sorted(chosen, key=lambda module: type(_unwrapped(module)).__name__)


def _children(module: nn.Module) -> Iterable[nn.Module]:
    # A module whose __init__ has not been called has none, and may have a __getattr__ of its own.
    return list((vars(module).get("_modules") or {}).values())


def _parameters(module: nn.Module) -> Iterable[Tensor]:
    try:
        return list(module.parameters())
    except Exception:  # a half-made module, of which nothing can be measured
        return []


def _unwrapped(module: nn.Module) -> nn.Module:
    while len(inner := module._modules) == 1 and next(iter(inner)) in WRAPPERS:
        (only,) = inner.values()
        if only is None:
            break
        module = only
    return module


def _named(roots: Sequence[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    names = [type(_unwrapped(root)).__name__ for root in roots]
    for i, (name, root) in enumerate(zip(names, roots, strict=True)):
        before = names[:i].count(name)
        yield f"{name}-{before + 1}" if before else name, root
