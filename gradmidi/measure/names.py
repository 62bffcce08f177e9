"""The natural name of a module: its path without what wrappers, adapters and parametrizations add to it."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from torch import nn

# What torch.compile, (Distributed)DataParallel, FSDP and activation checkpointing put in front of a module's name.
WRAPPERS = frozenset({"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})

UNNAMED = "model"  # what a model is called that is itself the layer
PARAMETRIZATIONS = "parametrizations"  # where torch.nn.utils.parametrize keeps what a weight is computed from
SAVED = "modules_to_save"  # where PEFT keeps a module's trainable copies, by adapter


class Named(NamedTuple):
    """A module of a model.

    Attributes:
        name: unique among the modules that are no wrappers; "" for the model itself.
        path: torch's own.
        module: the module.
        voice: path of the module whose voice its parameters belong to: its own, or that of the module that an adapter
            adds to or that is parametrized.
    """

    name: str
    path: str
    module: nn.Module
    voice: str


def named_modules(model: nn.Module) -> list[Named]:
    """Every module, with the name that the user gave it, or the full path if two would have the same name."""
    modules = dict(model.named_modules())
    hidden = _hidden(modules)
    plain = {path: _without(path, hidden) for path in modules}
    uses = Counter(plain[path] for path in modules if path and path not in hidden)
    voices = _voices(modules)
    return [
        Named(name if uses[name := plain[path]] <= 1 else path, path, module, voices[path])
        for path, module in modules.items()
    ]


def tensor_name(path: str) -> str:
    """What a module calls a parameter: ``weight``, for ``fc.weight`` and ``fc.parametrizations.weight.original0``."""
    parts = path.split(".")
    return parts[parts.index(PARAMETRIZATIONS) + 1] if PARAMETRIZATIONS in parts else parts[-1]


def _hidden(modules: dict[str, nn.Module]) -> set[str]:
    """Paths whose last part is omitted from names."""
    adapters = {name for module in modules.values() for name in _adapters(module)}
    hidden: set[str] = set()
    for path in modules:
        parent, _, last = path.rpartition(".")
        around = modules.get(parent)
        if last in WRAPPERS or _is_base(around, parent, last, hidden) or _is_adapter(around, last, adapters):
            hidden.add(path)
    return hidden


def _is_base(around: nn.Module | None, parent: str, last: str, hidden: set[str]) -> bool:
    """``base_model`` and ``base_model.model``, PEFT's two wrappers around a model."""
    if last == "base_model":
        return bool(_adapters(around))
    return last == "model" and parent in hidden and parent.rpartition(".")[2] == "base_model"


def _is_adapter(around: nn.Module | None, last: str, adapters: set[str]) -> bool:
    """``modules_to_save``, and an adapter's name behind it or behind another dictionary of adapters."""
    if last == SAVED:
        return SAVED in _adapter_parts(around)
    return last in adapters and isinstance(around, nn.ModuleDict)


def _voices(modules: dict[str, nn.Module]) -> dict[str, str]:
    """The voice of each path; parents come before their children."""
    voices: dict[str, str] = {}
    for path in modules:
        parent, _, last = path.rpartition(".")
        if path and (voices[parent] != parent or _speaks_for(modules[parent], last)):
            voices[path] = voices[parent]
        else:
            voices[path] = path
    return voices


def _speaks_for(module: nn.Module, child: str) -> bool:
    """Whether the child is a part of the module's own weights: LoRA's A and B, what a weight is computed from."""
    if child == PARAMETRIZATIONS:
        return nn.utils.parametrize.is_parametrized(module)
    parts = _adapter_parts(module)
    return bool(parts) and SAVED not in parts


def _adapters(module: nn.Module | None) -> list[str]:
    """Names of the adapters that PEFT has put into a model."""
    found = getattr(module, "peft_config", None)
    return [str(name) for name in found] if isinstance(found, dict) else []


def _adapter_parts(module: nn.Module | None) -> tuple[str, ...]:
    """Names of a PEFT layer's children that hold adapters; none for a module of another kind."""
    found = getattr(module, "adapter_layer_names", ())
    return tuple(found) if isinstance(found, (tuple, list)) else ()


def _without(path: str, hidden: set[str]) -> str:
    parts = path.split(".")
    return ".".join(part for i, part in enumerate(parts) if ".".join(parts[: i + 1]) not in hidden)
