"""A session that heard nothing says why, as far as that can be found out, and its recording has no steps."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad

from gradmidi.errors import TrainingWarning
from gradmidi.session import Session, listen
from tests.measure.nets import small_net, train
from tests.measure.sam import SAM

BATCH = torch.ones(5, 6)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def another_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer) -> object:
    anew = torch.optim.Adam(model.parameters())
    train(model, anew, 2)
    return anew


def one_a_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for _ in range(2):
        train(model, sgd(model), 1)
    gc.collect()


def functional(model: nn.Module) -> dict[str, torch.Tensor]:
    weights = {name: p.detach() for name, p in model.named_parameters()}
    return grad(lambda p: functional_call(model, p, (BATCH,)).square().mean())(weights)


def functional_by_hand(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    gradients = functional(model)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p -= 0.1 * gradients[name]


def functional_and_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    functional(model)
    optimizer.step()


def a_copy(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    small_net()(BATCH).square().mean().backward()
    optimizer.step()


def only_backward(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model(BATCH).square().mean().backward()


def frozen(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model.requires_grad_(False)
    optimizer.step()


def replaced(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model[0], model[2] = nn.Linear(6, 8), nn.Linear(8, 3)
    optimizer.step()


def overflow(model: nn.Module, optimizer: torch.optim.Optimizer) -> object:
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(2):
        optimizer.zero_grad()
        scaler.scale(model(BATCH).square().mean() * float("inf")).backward()
        scaler.step(optimizer)
        scaler.update()
    return scaler


def nothing(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    pass


CASES: dict[str, tuple[Callable[..., object], str]] = {
    "another optimizer": (another_optimizer, r"SGD\.step\(\) was never called, and another optimizer \(Adam\)"),
    "an optimizer for each step": (one_a_step, "the weights have changed: by hand, or by an optimizer that"),
    "torch.func by hand": (functional_by_hand, "the weights have changed"),
    "torch.func and step": (functional_and_step, "every gradient was None at each of its 1 steps"),
    "a copy was trained": (a_copy, "went through another model or a copy"),
    "only backward": (only_backward, r"SGD\.step\(\) was never called, though backward\(\) was$"),
    "frozen": (frozen, "all of its layers are frozen"),
    "replaced": (replaced, "the parameters of Sequential were replaced"),
    "overflow": (overflow, "a GradScaler leaves out every step .* scaler="),
    "nothing": (nothing, r"neither SGD\.step\(\) nor backward\(\) was called"),
}


@pytest.mark.slow
@pytest.mark.parametrize("path", [None, "norms.csv"])
@pytest.mark.parametrize("case", CASES)
def test_why_nothing_was_heard_is_said_once(case: str, path: str | None, tmp_path: Path) -> None:
    act, message = CASES[case]
    gc.collect()  # scalers and optimizers of other tests
    model = small_net()
    optimizer = sgd(model)
    session = listen(model, optimizer, path=path and tmp_path / path)
    kept = act(model, optimizer)
    with pytest.warns(TrainingWarning, match=f"no gradient was recorded: .*{message}") as caught:
        session.detach()
        session.detach()
    assert len(caught) == 1
    assert session.report.notices == (str(caught[0].message).removeprefix("gradmidi: "),)
    assert len(session.recording) == session.report.steps
    assert session.recording.layers == ("0", "2")
    assert not session.recording.norms[~session.recording.gaps].size
    del kept


def test_steps_that_every_leaves_out() -> None:
    model = small_net()
    optimizer = sgd(model)
    session = listen(model, optimizer, every=lambda step: False)
    train(model, optimizer, 3)
    with pytest.warns(TrainingWarning, match="every= skips each of its 3 steps"):
        session.detach()


def test_steps_by_another_name() -> None:
    model = small_net()
    optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.1)
    optimizer.hidden, optimizer.base_optimizer = [optimizer.base_optimizer], None
    session = listen(model, optimizer)
    only_backward(model, optimizer)
    optimizer.first_step(zero_grad=True)
    with pytest.warns(TrainingWarning, match=r"first_step\(\) and second_step\(\) do not call it"):
        session.detach()


def ended(session: Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.detach()
    assert session.report.notices == ()


@pytest.mark.parametrize("options", [{}, {"quantities": ["weight_norm"]}, {"when": "before-clip"}], ids=str)
@pytest.mark.parametrize("steps", [1, 2])
def test_what_heard_something_is_silent_about_it(options: dict[str, object], steps: int) -> None:
    model = small_net()
    optimizer = sgd(model)
    session = listen(model, optimizer, **options)
    train(model, optimizer, steps)
    ended(session)


def test_what_heard_something_may_also_step_in_vain() -> None:
    model = small_net()
    optimizer = sgd(model)
    session = listen(model, optimizer)
    optimizer.step()
    train(model, optimizer, 1)
    optimizer.zero_grad()
    optimizer.step()
    ended(session)


def test_an_exception_needs_no_second_explanation() -> None:
    model = small_net()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ZeroDivisionError), listen(model, sgd(model)) as session:
            raise ZeroDivisionError
    assert len(session.recording) == 0


@pytest.mark.parametrize("path", [None, "norms.csv"])
def test_a_recording_before_the_first_step_is_empty(path: str | None, tmp_path: Path) -> None:
    model = small_net()
    optimizer = sgd(model)
    session = listen(model, optimizer, path=path and tmp_path / path, metrics=["loss"])
    assert session.recording.norms.shape == (0, 2)
    assert session.recording.metrics.keys() == {"loss"}
    train(model, optimizer, 2)
    assert len(session.recording) == 2
    session.detach()
