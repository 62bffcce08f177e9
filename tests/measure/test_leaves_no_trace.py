"""Training with the probe is, bit for bit, training without it; and what is trained can be copied and saved."""

from __future__ import annotations

import copy
import io
import pickle
import random
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from gradmidi.errors import TrainingWarning
from gradmidi.measure.probe import GradientProbe, StepNorms
from gradmidi.measure.quantities import QUANTITIES
from tests.measure.nets import small_net, train

STEPS = 50


class Noise(Dataset[Tensor]):
    """Each worker draws from its own random state."""

    def __len__(self) -> int:
        return 4 * STEPS

    def __getitem__(self, index: int) -> Tensor:
        return torch.randn(6)


def run(make: Callable[..., torch.optim.Optimizer], options: dict[str, Any] | None, workers: int = 0) -> list[Any]:
    """Weights, optimizer state and random states after 50 steps; with a probe if there are options for it."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - the legacy state is one of those to be left alone
    random.seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(16, 3))
    optimizer = make(model.parameters())
    probe = nullcontext() if options is None else GradientProbe(model, optimizer, lambda row: None, **options)
    with probe:
        for batch in DataLoader(Noise(), batch_size=4, num_workers=workers):
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            optimizer.step()
    state = optimizer.state_dict()["state"]
    flat = [value for index in state for value in state[index].values() if isinstance(value, Tensor)]
    weights = [parameter.detach() for parameter in model.parameters()]
    gradients = [parameter.grad for parameter in model.parameters()]
    return [*weights, *flat, *gradients, torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()]  # noqa: NPY002


MAKERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "adamw foreach": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
}


@pytest.mark.parametrize("options", [{}, {"quantities": list(QUANTITIES)}, {"when": "before-clip"}], ids=str)
@pytest.mark.parametrize("maker", MAKERS)
def test_bit_equal_with_and_without(maker: str, options: dict[str, Any]) -> None:
    same(run(MAKERS[maker], options), run(MAKERS[maker], None))


def test_bit_equal_with_worker_processes() -> None:
    same(run(MAKERS["adam"], {}, workers=2), run(MAKERS["adam"], None, workers=2))


def same(first: list[Any], second: list[Any]) -> None:
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b) if isinstance(a, Tensor) else a == b


@pytest.mark.parametrize("when", ["after-clip", "before-clip"])
def test_model_and_optimizer_can_be_copied_pickled_and_saved_while_attached(when: str) -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.Adam(model.parameters())
    with GradientProbe(model, optimizer, rows.append, when=when):
        train(model, optimizer, 2)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), saved(model)):
            assert torch.equal(twin[0].weight, model[0].weight)
            train(twin, torch.optim.SGD(twin.parameters(), lr=0.1), 1)
        for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer)), saved(optimizer)):
            assert twin.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]
            twin.step()
    assert len(rows) == 2  # the twins are not listened to


def saved(thing: Any) -> Any:
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("when", ["after-clip", "before-clip"])
def test_nothing_is_left_after_detach(when: str) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    probe = GradientProbe(model, optimizer, lambda row: None, when=when, scaler=scaler)
    assert optimizer._optimizer_step_pre_hooks
    probe.detach()
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    assert not any(parameter._post_accumulate_grad_hooks for parameter in model.parameters())
    assert not any(parameter._backward_hooks for parameter in model.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert "step" not in vars(scaler)


@pytest.mark.parametrize("first", [0, 1])
def test_two_probes_on_one_optimizer_leave_nothing_in_whatever_order_they_go(first: int) -> None:
    model, rows = small_net(), ([], [])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    probes = [GradientProbe(model, optimizer, own.append, scaler=scaler) for own in rows]
    probes[first].detach()
    scaler.scale(model(torch.ones(2, 6)).sum() * float("inf")).backward()
    scaler.step(optimizer)
    optimizer.add_param_group({"params": [torch.zeros(2, requires_grad=True)]})
    assert (len(rows[first]), len(rows[1 - first])) == (0, 1)  # the step that was skipped
    probes[1 - first].detach()
    assert "add_param_group" not in vars(optimizer)
    assert "step" not in vars(scaler)


def test_an_error_of_ours_beside_other_hooks_neither_breaks_the_step_nor_repeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, plain, seen = small_net(), small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(plain, torch.optim.SGD(plain.parameters(), lr=0.1), 3)
    probe = GradientProbe(model, optimizer, lambda row: None, quantities=["weight_norm"])
    optimizer.register_step_pre_hook(lambda *given: seen.append(1))

    def broken(*given: object) -> None:
        raise MemoryError("ours")

    monkeypatch.setattr(probe._meter.maker, "row", broken)
    with pytest.warns(TrainingWarning, match="ours") as caught:
        train(model, optimizer, 3)
    assert len(caught) == 1
    assert len(seen) == 3
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))


@pytest.mark.filterwarnings("error")
def test_not_even_warnings_that_are_errors_stop_the_training() -> None:
    def fail(row: StepNorms) -> None:
        raise RuntimeError("the receiver is broken")

    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, fail):
        train(model, optimizer, 2)


def test_the_keyboard_gets_through() -> None:
    def interrupt(row: StepNorms) -> None:
        raise KeyboardInterrupt

    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(KeyboardInterrupt), GradientProbe(model, optimizer, interrupt):
        train(model, optimizer, 2)
    assert not optimizer._optimizer_step_pre_hooks
