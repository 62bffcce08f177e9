"""What wrappers, adapters and parametrizations put into a model is neither heard as a voice nor read in its name."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.utils import parametrizations

from gradmidi.measure.layers import find_layers
from gradmidi.measure.order import forward_order
from gradmidi.session import listen


def names(model: nn.Module, *args: Any, **options: Any) -> list[str]:
    return [layer.name for layer in find_layers(model, *args, **options)]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 6)
        self.body = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embedding(x)))


def adapted(**options: Any) -> Any:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(Net(), peft.LoraConfig(r=2, **options))


def test_an_adapter_is_one_voice_under_the_name_of_its_module() -> None:
    model = adapted(target_modules=["embedding", "body.0", "body.2"], modules_to_save=["head"])
    assert names(model) == ["embedding", "body.0", "body.2", "head"]
    assert [len(layer.parameters) for layer in find_layers(model)] == [2, 2, 2, 1]
    assert names(torch.compile(model)) == names(model)
    assert names(nn.ModuleDict({"net": model})) == [f"net.{name}" for name in names(model)]
    assert names(model, "body.*") == ["body.0", "body.2"]


def test_dora_s_magnitudes_and_a_second_adapter_belong_to_the_same_voice() -> None:
    peft = pytest.importorskip("peft")
    model = adapted(target_modules=["body.0"], use_dora=True)
    assert {layer.name: len(layer.parameters) for layer in find_layers(model)} == {"body.0": 3}
    model.add_adapter("mine", peft.LoraConfig(r=1, target_modules=["body.0"]))
    model.set_adapter("mine")
    assert {layer.name: len(layer.parameters) for layer in find_layers(model)} == {"body.0": 2}


@pytest.mark.parametrize(("kind", "count"), [("weights", 2), ("biases", 1), ("all", 3)])
def test_biases_of_an_adapter_are_biases(kind: str, count: int) -> None:
    layer = find_layers(adapted(target_modules=["body.0"], lora_bias=True), parameters=kind)[0]
    assert (layer.name, len(layer.parameters)) == ("body.0", count)


@pytest.mark.parametrize("method", ["AdaLoraConfig", "LoHaConfig", "LoKrConfig", "IA3Config", "VeraConfig"])
def test_other_adapters(method: str) -> None:
    peft = pytest.importorskip("peft")
    more: dict[str, dict[str, Any]] = {"AdaLoraConfig": {"total_step": 9}, "IA3Config": {"feedforward_modules": []}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = getattr(peft, method)(target_modules=["body.0", "head"], **more.get(method, {}))
        assert names(peft.get_peft_model(Net(), config)) == ["body.0", "head"]


def test_the_voice_of_lora_is_the_root_sum_square_of_a_and_b() -> None:
    model = adapted(target_modules=["body.0", "head"], modules_to_save=["embedding"])
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    expected = []
    with listen(model, optimizer) as session:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.tensor([1, 2, 4])).square().mean().backward()
            own = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
            expected.append(
                [
                    torch.cat([grad.flatten() for name, grad in own.items() if f".{layer}." in name]).norm().item()
                    for layer in ("embedding", "body.0", "head")
                ]
            )
            optimizer.step()
    assert session.layers == ("embedding", "body.0", "head")
    np.testing.assert_allclose(session.recording.norms, expected, rtol=1e-5)
    assert (np.array(expected)[1:] > 0).all()


def test_a_parametrized_module_is_one_voice() -> None:
    model = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(6, 6)),
        parametrizations.spectral_norm(nn.Linear(6, 6)),
        parametrizations.orthogonal(nn.Linear(6, 6), "weight"),
        parametrizations.weight_norm(nn.LSTM(6, 6), "weight_hh_l0"),
    )
    assert {layer.name: len(layer.parameters) for layer in find_layers(model)} == {"0": 2, "1": 1, "2": 1, "3": 3}
    biases = {layer.name: len(layer.parameters) for layer in find_layers(model, parameters="biases")}
    assert biases == {"0": 1, "1": 1, "2": 1, "3": 2}
    assert names(parametrizations.weight_norm(nn.Linear(2, 2))) == ["model"]


def test_a_parametrized_bias_is_a_bias() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 6), "bias", dim=None))
    assert [len(layer.parameters) for layer in find_layers(model)] == [1]
    assert [len(layer.parameters) for layer in find_layers(model, parameters="biases")] == [2]


def test_checkpointed_and_sharded_blocks_keep_their_names() -> None:
    class Wrapped(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self._fsdp_wrapped_module = inner

    assert names(Wrapped(nn.Sequential(checkpoint_wrapper(nn.Linear(2, 2)), nn.Linear(2, 2)))) == ["0", "1"]


def test_the_order_of_use_knows_adapters_and_parametrizations() -> None:
    model = adapted(target_modules=["head", "body.0"])
    assert forward_order(model, torch.tensor([1])) == ["body.0", "head"]
    plain = nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 2)), nn.Linear(2, 2))
    assert forward_order(plain, torch.ones(1, 2)) == ["0", "1"]


def test_names_that_only_look_like_a_wrapper_s_stay() -> None:
    model = nn.ModuleDict({"base_model": nn.ModuleDict({"model": nn.Linear(2, 2)}), "default": nn.Linear(2, 2)})
    assert names(model) == ["base_model.model", "default"]


def test_no_two_layers_share_a_name() -> None:
    model = nn.ModuleDict({"model": nn.Linear(2, 2), "_orig_mod": nn.Linear(2, 2), "module": nn.Linear(2, 2)})
    model.token = nn.Parameter(torch.zeros(2))
    found = names(model)
    assert len(set(found)) == len(found) == 4


def test_all_takes_the_frozen_too() -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3))
    model[0].requires_grad_(False)
    assert names(model, "all") == ["0", "1"]
    assert names(model, "auto") == ["1"]
