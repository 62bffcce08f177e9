"""Optimizers of a script that knows nothing of gradmidi: what belongs to them, and that nothing is kept alive."""

from __future__ import annotations

import gc
import warnings
import weakref
from pathlib import Path

import pytest
import torch
from torch import nn

from gradmidi.errors import TrainingWarning
from gradmidi.measure.finding import living_optimizers, model_of
from gradmidi.measure.layers import find_layers
from gradmidi.recording import Recording
from gradmidi.unattended import autolisten
from gradmidi.unattended.autolisten import AutoListener
from gradmidi.unattended.handover import VARIABLE, Handover, give
from tests.measure.nets import small_net, train

pytestmark = pytest.mark.slow


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AutoListener:
    folder = tmp_path / "handover"
    folder.mkdir()
    # Optimizers of other tests may still be alive.
    monkeypatch.setattr(autolisten, "living_optimizers", lambda first: [first])
    monkeypatch.setenv(VARIABLE, give(Handover(tmp_path / "out", {"title": "a script"}), folder)[VARIABLE])
    return AutoListener()


def names(*models: nn.Module) -> list[str]:
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    updated = [parameter for model in models for parameter in model.parameters()]
    return [layer.name for layer in find_layers(model_of(optimizers), updated=updated)]


def test_the_outermost_module_gives_the_names() -> None:
    model = nn.ModuleDict({"body": small_net(), "head": nn.Linear(3, 2)})
    assert names(model["body"], model["head"]) == ["body.0", "body.2", "head"]
    around = nn.DataParallel(model)
    assert names(model["body"]) == ["body.0", "body.2"]
    del around


def test_several_models_are_told_apart_by_their_classes() -> None:
    first, second, third = small_net(), small_net(1), nn.Linear(2, 2)
    assert names(first, second, third) == ["Linear", "Sequential.0", "Sequential.2", "Sequential-2.0", "Sequential-2.2"]


def test_tensors_without_a_module() -> None:
    image = torch.zeros(3, requires_grad=True)
    net = nn.Linear(2, 2)
    alone, beside = torch.optim.SGD([image], lr=0.1), torch.optim.SGD([*net.parameters(), image], lr=0.1)
    assert [layer.name for layer in find_layers(model_of([alone]))] == ["tensor 0"]
    assert [layer.name for layer in find_layers(model_of([beside]))] == ["Linear", "loose.tensor 0"]


def test_optimizers_count_once_whatever_is_wrapped_around_them() -> None:
    class Wrapper(torch.optim.Optimizer):
        def __init__(self, optimizer: torch.optim.Optimizer) -> None:
            self.optimizer = optimizer

    inner = torch.optim.SGD(small_net().parameters(), lr=0.1)
    outer = Wrapper(inner)
    found = living_optimizers(inner)
    assert [one for one in found if one in (inner, outer)] == [inner]
    assert found[0] is inner


def test_looking_around_wakes_nobody() -> None:
    class Lazy:
        @property
        def __class__(self) -> type:
            raise AssertionError("woken")

    lazy, net = Lazy(), small_net()
    assert names(net) == ["0", "2"]
    del lazy


def test_a_training_that_is_dropped_is_freed_and_its_file_closed(listener: AutoListener, tmp_path: Path) -> None:
    for _ in range(2):
        model = small_net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        optimizer.register_step_pre_hook(lambda one, args, kwargs: listener.hear(one))
        train(model, optimizer, 3)
        gone = weakref.ref(optimizer)
        (session,) = listener._sessions
        closed: list[bool] = []
        session._closers.append(lambda well, closed=closed: closed.append(True))
        del model, optimizer, session
        gc.collect()
        assert gone() is None
        assert closed == [True]
    assert len(Recording.load(tmp_path / "out" / "norms-2.csv")) == 2  # the first step hears of us while hooks run


def test_an_error_of_ours_is_one_warning(listener: AutoListener, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise MemoryError("ours")

    monkeypatch.setattr(autolisten, "model_of", broken)
    optimizer = torch.optim.SGD(small_net().parameters(), lr=0.1)
    with pytest.warns(TrainingWarning, match="ours") as caught:
        listener.hear(optimizer)
        listener.hear(optimizer)
    assert len(caught) == 1


def test_ranks_other_than_the_first_do_nothing(listener: AutoListener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    optimizer = torch.optim.SGD(small_net().parameters(), lr=0.1)
    listener.hear(optimizer)
    assert not optimizer._optimizer_step_pre_hooks


def test_sharded_parameters_are_declined(listener: AutoListener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autolisten, "is_sharded", lambda parameter: True)
    optimizer = torch.optim.SGD(small_net().parameters(), lr=0.1)
    with pytest.warns(TrainingWarning, match=r"gradmidi\.listen"):
        listener.hear(optimizer)
    assert not optimizer._optimizer_step_pre_hooks


def test_a_later_port_trouble_still_records(
    listener: AutoListener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener._handover = listener._handover._replace(live="no such port")
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(TrainingWarning, match="cannot play"):
        listener.hear(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(model, optimizer, 2)
    assert len(Recording.load(tmp_path / "out" / "norms.csv")) == 2
