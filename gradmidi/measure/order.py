"""The order in which a model uses its layers, seen by running a copy of it once."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from gradmidi.measure.layers import find_layers


def forward_order(model: nn.Module, *inputs: Any, **named_inputs: Any) -> list[str]:
    """Names of the layers in the order of their first use, to be given as ``layers=``.

    Layers are otherwise in the order in which the model registers them, which for most models is the same. The model
    itself is not run, and torch's random state is left as it was. Layers that the run does not use come last.

    Args:
        model: the network; a copy of it is made for the run.
        inputs, named_inputs: what the model is called with.

    Raises:
        InputError: there is no trainable layer.
    """
    names = {id(parameter): layer.name for layer in find_layers(model) for parameter in layer.parameters}
    twin = copy.deepcopy(model)
    twins = dict(zip(map(id, twin.parameters()), map(id, model.parameters()), strict=True))
    used: dict[str, None] = {}

    def note(module: nn.Module, given: Any) -> None:
        for parameter in module.parameters(recurse=False):
            if name := names.get(twins[id(parameter)]):
                used[name] = None

    for module in twin.modules():
        module.register_forward_pre_hook(note)
    with torch.random.fork_rng(), torch.no_grad():
        twin(*inputs, **named_inputs)
    return [*used, *(name for name in dict.fromkeys(names.values()) if name not in used)]
