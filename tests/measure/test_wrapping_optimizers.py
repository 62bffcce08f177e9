"""Optimizers around an optimizer are followed to the one that updates the weights: its gradients are the ones heard."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradmidi.errors import TrainingWarning
from gradmidi.measure.finding import living_optimizers, raw_optimizer
from gradmidi.session import listen
from tests.measure.nets import small_net, weight_norms
from tests.measure.sam import SAM

BATCHES = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(1))


def loss_of(model: nn.Module, batch: Tensor) -> Tensor:
    return model(batch).square().mean()


def in_two_steps(model: nn.Module, optimizer: Any) -> list[list[float]]:
    """As its README has it; the norms with which the base optimizer makes its step."""
    expected = []
    for batch in BATCHES:
        loss_of(model, batch).backward()
        optimizer.first_step(zero_grad=True)
        loss_of(model, batch).backward()
        expected.append(weight_norms(model))
        optimizer.second_step(zero_grad=True)
    return expected


def with_closure(model: nn.Module, optimizer: Any) -> list[list[float]]:
    """The norms after the last call of the closure."""
    expected = []
    for batch in BATCHES:

        def closure(batch: Tensor = batch) -> Tensor:
            loss = loss_of(model, batch)
            loss.backward()
            return loss

        closure()
        optimizer.step(closure)
        expected.append(weight_norms(model))
        optimizer.zero_grad()
    return expected


def plainly(model: nn.Module, optimizer: Any) -> list[list[float]]:
    expected = []
    for batch in BATCHES:
        loss_of(model, batch).backward()
        expected.append(weight_norms(model))
        optimizer.step()
        optimizer.zero_grad()
    return expected


class Lookahead(torch.optim.Optimizer):
    """As in timm: no own ``__init__`` of the base class, the inner optimizer under a private name."""

    def __init__(self, base: torch.optim.Optimizer) -> None:
        self._base_optimizer = base
        self.param_groups = base.param_groups
        self.state, self.defaults = base.state, base.defaults

    def step(self, closure: Any = None) -> Any:
        return self._base_optimizer.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self._base_optimizer.zero_grad(set_to_none)


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def published(name: str, how: str) -> Callable[[Any], Any]:
    """An optimizer of the package pytorch-optimizer, around SGD."""

    def make(parameters: Any) -> Any:
        kind = getattr(pytest.importorskip("pytorch_optimizer"), name)
        return kind(list(parameters), torch.optim.SGD, lr=0.1) if how == "class" else kind(sgd(parameters))

    return make


CASES: dict[str, tuple[Callable[[Any], Any], Callable[[nn.Module, Any], list[list[float]]]]] = {
    "SAM in two steps": (lambda p: SAM(p, torch.optim.SGD, lr=0.1), in_two_steps),
    "SAM with a closure": (lambda p: SAM(p, torch.optim.SGD, lr=0.1), with_closure),
    "Lookahead of timm": (lambda p: Lookahead(sgd(p)), plainly),
    "Lookahead around SAM": (lambda p: Lookahead(SAM(p, torch.optim.SGD, lr=0.1)), with_closure),
    "pytorch_optimizer.Lookahead": (published("Lookahead", "instance"), plainly),
    "pytorch_optimizer.TRAC": (published("TRAC", "instance"), plainly),
    "pytorch_optimizer.SAM in two steps": (published("SAM", "class"), in_two_steps),
    "pytorch_optimizer.SAM with a closure": (published("SAM", "class"), with_closure),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_each_step_is_heard_once_with_what_the_inner_optimizer_uses(case: str) -> None:
    make, train = CASES[case]
    model, plain = small_net(), small_net()
    optimizer = make(model.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        with listen(model, optimizer) as session:
            expected = train(model, optimizer)
    np.testing.assert_allclose(session.recording.norms, expected, rtol=1e-5)
    train(plain, make(plain.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))


def test_run_finds_the_inner_one_only() -> None:
    optimizer = SAM(small_net().parameters(), torch.optim.SGD, lr=0.1)
    found = living_optimizers(optimizer)
    assert found[0] is optimizer.base_optimizer
    assert not any(one is optimizer for one in found)


def test_an_optimizer_beside_which_another_is_kept_is_no_wrapper() -> None:
    """Two halves of a model: what has its own parameters makes its own step."""
    net = small_net()
    outer = sgd(net[0].parameters())
    outer.helper = sgd(net[2].parameters())
    assert raw_optimizer(outer) is outer
    outer.helper = outer
    assert raw_optimizer(outer) is outer


def test_a_wrapper_can_be_saved_while_attached() -> None:
    model = small_net()
    optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.1)
    with listen(model, optimizer):
        torch.save(optimizer.state_dict(), io.BytesIO())
        in_two_steps(model, optimizer)
