"""What may be given as the model: one module. Everything else is refused with what to give instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradmidi.errors import InputError


def check_model(model: Any) -> None:
    """Refuse what is no module, such as a list of several.

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
