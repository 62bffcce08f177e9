"""Which layers are found, what they are called, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gradmidi.errors import InputError
from gradmidi.measure.layers import find_layers
from gradmidi.measure.order import forward_order
from tests.measure.nets import small_net


def block() -> nn.Module:
    return nn.ModuleDict({"attn": nn.Linear(4, 4), "mlp": nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 4))})


def deep_net() -> nn.Module:
    return nn.ModuleDict(
        {"blocks": nn.ModuleList([block(), block()]), "norm": nn.LayerNorm(4), "head": nn.Linear(4, 2)}
    )


def names(model: nn.Module, *args: Any) -> list[str]:
    return [layer.name for layer in find_layers(model, *args)]


def test_auto_takes_modules_with_trainable_weights_in_order() -> None:
    assert names(deep_net()) == [
        *("blocks.0.attn", "blocks.0.mlp.0", "blocks.0.mlp.1"),
        *("blocks.1.attn", "blocks.1.mlp.0", "blocks.1.mlp.1"),
        *("norm", "head"),
    ]


def test_auto_leaves_out_the_frozen_and_what_no_optimizer_updates() -> None:
    model = small_net()
    model[0].requires_grad_(False)
    assert names(model) == ["2"]
    with pytest.raises(InputError, match="no weights to measure"):
        find_layers(model, updated=[])
    model[0].requires_grad_(True)
    assert [layer.name for layer in find_layers(model, updated=model[0].parameters())] == ["0"]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("head", ["head"]),
        (["head", "norm"], ["head", "norm"]),
        (["*.attn", "head"], ["blocks.0.attn", "blocks.1.attn", "head"]),
        ("blocks.?", ["blocks.0", "blocks.1"]),
        (lambda name, module: isinstance(module, nn.LayerNorm), ["norm"]),
        (lambda name, module: name.endswith("mlp"), ["blocks.0.mlp", "blocks.1.mlp"]),
    ],
)
def test_choosing(chosen: Any, expected: list[str]) -> None:
    assert names(deep_net(), chosen) == expected


def test_a_container_has_everything_below_it() -> None:
    (first, _) = find_layers(deep_net(), "blocks.?")
    assert len(first.parameters) == 3


@pytest.mark.parametrize(("kind", "shapes"), [("weights", [(8, 6)]), ("biases", [(8,)]), ("all", [(8, 6), (8,)])])
def test_parameters(kind: str, shapes: list[tuple[int, ...]]) -> None:
    layer = find_layers(small_net(), "0", kind)[0]
    assert [tuple(parameter.shape) for parameter in layer.parameters] == shapes


def test_weights_of_recurrent_and_attention_layers_and_bare_parameters() -> None:
    model = nn.ModuleDict({"lstm": nn.LSTM(3, 4), "attn": nn.MultiheadAttention(4, 2)})
    model.token = nn.Parameter(torch.zeros(4))
    found = {layer.name: len(layer.parameters) for layer in find_layers(model)}
    assert found == {"model": 1, "lstm": 2, "attn": 1, "attn.out_proj": 1}


def test_wrappers_are_looked_through() -> None:
    plain = names(small_net())
    assert names(nn.DataParallel(small_net())) == plain
    assert names(torch.compile(small_net())) == plain
    assert names(torch.compile(nn.DataParallel(small_net()))) == plain


def test_names_that_would_coincide_keep_their_paths() -> None:
    model = nn.Module()
    model.fc = nn.Linear(2, 2)
    model.module = nn.ModuleDict({"fc": nn.Linear(2, 2)})
    assert names(model) == ["fc", "module.fc"]


@pytest.mark.parametrize(
    ("args", "message"),
    [(("nine",), "no layer matches 'nine'; the model has 0, 2"), (("auto", "few"), "'few'"), (([],), "no weights")],
)
def test_bad_choices(args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_layers(small_net(), *args)


def test_a_model_that_is_itself_the_layer_has_a_name_to_ask_for() -> None:
    with pytest.raises(InputError, match="no layer matches 'conv\\*'; the model has model"):
        find_layers(nn.Linear(3, 1), ["conv*"])
    assert [layer.name for layer in find_layers(nn.Linear(3, 1), ["model"])] == ["model"]


class Backwards(nn.Module):
    """Registers its layers in another order than it uses them in."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2)
        self.unused = nn.Linear(1, 1)
        self.first = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x))


def test_forward_order_is_seen_without_touching_model_or_random_state() -> None:
    model = Backwards()
    before = torch.get_rng_state()
    order = forward_order(model, torch.ones(2, 4))
    assert order == ["first.0", "last", "unused"]
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert names(model, order) == order
