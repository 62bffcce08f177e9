"""Layers that join a training: a column each in memory, said once where there is no room; layers="all" has them all."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradmidi.errors import InputError, TrainingWarning
from gradmidi.measure.layers import Layer
from gradmidi.measure.probe import GradientProbe
from gradmidi.measure.row import RowMaker
from gradmidi.recording import Recording
from gradmidi.session import listen
from tests.measure.nets import small_net
from tests.measure.sam import SAM
from tests.measure.test_meter import meter

NAN = float("nan")


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def frozen_below() -> nn.Sequential:
    net = small_net()
    net[0].requires_grad_(False)
    return net


def step(model: nn.Module, *optimizers: torch.optim.Optimizer, count: int = 1) -> list[list[float]]:
    """Train; the weight-gradient norms of modules 0 and 2 of each step, nan where there is none."""
    found = []
    for _ in range(count):
        model(torch.ones(5, 6)).square().mean().backward()
        weights = (model[0].weight, model[2].weight)
        found.append([NAN if w.grad is None else w.grad.norm().item() for w in weights])
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return found


def unfreeze(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    model[0].requires_grad_(True)


def unfreeze_and_add(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    model[0].requires_grad_(True)
    optimizer.add_param_group({"params": list(model[0].parameters()), "lr": 0.01})


JOINS: dict[str, tuple[Callable[..., Any], Callable[..., None]]] = {
    "frozen in the optimizer": (lambda net: sgd(net.parameters()), unfreeze),
    "not in the optimizer": (lambda net: sgd(net[2].parameters()), unfreeze_and_add),
    "SAM": (lambda net: SAM(net[2].parameters(), torch.optim.SGD, lr=0.1), unfreeze_and_add),
}


@pytest.mark.parametrize("join", ["frozen in the optimizer", "not in the optimizer"])
@pytest.mark.parametrize("options", [{}, {"when": "before-clip"}, {"late": True}, {"parameters": "all"}], ids=str)
def test_a_layer_that_is_unfrozen_gets_a_column_from_that_step_on(join: str, options: dict[str, Any]) -> None:
    make, let_join = JOINS[join]
    model = frozen_below()
    optimizer = make(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with listen(model, optimizer, **options) as session:
            expected = step(model, optimizer, count=3)
            let_join(model, optimizer)
            assert session.layers == (("2",) if join.startswith("frozen") else ("2", "0"))
            expected += step(model, optimizer, count=3)
    recording = session.recording
    assert session.layers == recording.layers == ("2", "0")
    assert recording.steps.tolist() == list(range(6))
    first = 4 if options.get("when") and join.startswith("frozen") else 3  # the pass was over when it was looked at
    assert recording.gaps[:, 1].tolist() == [True] * first + [False] * (6 - first)
    if "parameters" not in options:
        np.testing.assert_allclose(recording.norms[:, 0], [norms[1] for norms in expected], rtol=1e-6)
        np.testing.assert_allclose(recording.norms[first:, 1], [norms[0] for norms in expected[first:]], rtol=1e-6)


@pytest.mark.parametrize("join", JOINS)
def test_the_training_is_bit_for_bit_the_same_and_nothing_is_left(join: str) -> None:
    make, let_join = JOINS[join]
    results = []
    for listened in (True, False):
        model = frozen_below()
        optimizer = make(model)
        inner = getattr(optimizer, "base_optimizer", optimizer)
        session = listen(model, optimizer) if listened else None
        step(model, inner, count=2)
        let_join(model, optimizer)
        step(model, inner, count=2)
        if session is not None:
            session.detach()
            assert session.layers == ("2", "0")
        assert "add_param_group" not in {**vars(optimizer), **vars(inner)}
        assert not inner._optimizer_step_pre_hooks
        results.append(list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_training_in_which_nothing_is_frozen_has_one_hook() -> None:
    model = small_net()
    optimizer = sgd(model.parameters())
    with listen(model, optimizer):
        assert len(optimizer._optimizer_step_pre_hooks) == 1


@pytest.mark.parametrize("join", ["frozen in the optimizer", "not in the optimizer"])
def test_a_file_keeps_its_columns_and_the_remedy_is_said_once(join: str, tmp_path: Path) -> None:
    make, let_join = JOINS[join]
    model = frozen_below()
    optimizer = make(model)
    with pytest.warns(TrainingWarning) as caught, listen(model, optimizer, path=tmp_path / "norms.csv"):
        step(model, optimizer, count=2)
        let_join(model, optimizer)
        expected = step(model, optimizer, count=3)
    (said,) = [str(one.message) for one in caught]
    assert "0 was unfrozen or added to the optimizer while training and not recorded" in said
    assert "norms.csv keeps its columns" in said
    assert 'layers="all"' in said
    recording = Recording.load(tmp_path / "norms.csv")
    assert recording.layers == ("2",)
    np.testing.assert_allclose(recording.norms[2:, 0], [norms[1] for norms in expected], rtol=1e-6)


@pytest.mark.parametrize("path", [None, "norms.csv"])
@pytest.mark.parametrize("join", ["frozen in the optimizer", "not in the optimizer"])
def test_all_has_a_column_for_every_layer_from_the_start(join: str, path: str | None, tmp_path: Path) -> None:
    make, let_join = JOINS[join]
    model = frozen_below()
    optimizer = make(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with listen(model, optimizer, layers="all", path=path and tmp_path / path) as session:
            expected = step(model, optimizer, count=2)
            let_join(model, optimizer)
            expected += step(model, optimizer, count=2)
    recording = session.recording
    assert recording.layers == ("0", "2")
    np.testing.assert_allclose(recording.norms, expected, rtol=1e-6)
    assert recording.gaps[:, 0].tolist() == [True, True, False, False]


def test_all_may_begin_with_everything_frozen() -> None:
    model = small_net().requires_grad_(False)
    optimizer = sgd(model.parameters())
    with pytest.raises(InputError, match=r'all are frozen; layers="all" waits for them'):
        listen(model, optimizer)
    with listen(model, optimizer, layers="all") as session:
        optimizer.step()
        model.requires_grad_(True)
        expected = step(model, optimizer)
    np.testing.assert_allclose(session.recording.norms, [[NAN, NAN], *expected], rtol=1e-6)


def test_an_optimizer_of_other_parameters_is_told() -> None:
    with pytest.raises(InputError, match="it has none of its parameters; make it from those of this Sequential"):
        listen(small_net(), sgd(small_net().parameters()))


@pytest.mark.parametrize("path", [None, "norms.csv"])
def test_a_head_that_is_replaced_goes_on_in_its_column(path: str | None, tmp_path: Path) -> None:
    model = small_net()
    optimizer = sgd(model.parameters())
    with listen(model, optimizer, path=path and tmp_path / path) as session:
        expected = step(model, optimizer, count=2)
        model[2] = nn.Linear(8, 3)
        optimizer.add_param_group({"params": list(model[2].parameters())})
        expected += step(model, optimizer, count=2)
    assert session.recording.layers == ("0", "2")
    np.testing.assert_allclose(session.recording.norms, expected, rtol=1e-6)


def test_a_new_head_beside_the_old_one_has_a_column_of_its_own() -> None:
    model = small_net()
    optimizer = sgd(model.parameters())
    with listen(model, optimizer) as session:
        step(model, optimizer)
        model.add_module("3", nn.Linear(3, 2))
        optimizer.add_param_group({"params": list(model[3].parameters())})
        step(model, optimizer)
    assert session.recording.layers == ("0", "2", "3")
    assert session.recording.gaps[:, 2].tolist() == [True, False]


class Two(nn.Module):
    """One module with two weights, of which one is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.ones(3))
        self.held = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self) -> Tensor:
        return (3 * self.free + 4 * self.held).sum()


def test_a_weight_that_joins_its_layer_needs_no_column(tmp_path: Path) -> None:
    model = Two()
    optimizer = sgd(model.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with listen(model, optimizer, path=tmp_path / "norms.csv") as session:
            for _ in range(2):
                optimizer.zero_grad()
                model().backward()
                optimizer.step()
                model.held.requires_grad_(True)
    # 3 at each of three places, then 5 = √(3² + 4²) at each
    np.testing.assert_allclose(session.recording.norms[:, 0], [3 * 3**0.5, 5 * 3**0.5], rtol=1e-6)


def test_two_optimizers_of_which_one_has_stepped_when_a_layer_joins() -> None:
    model = frozen_below()
    first, second = sgd([model[2].weight]), sgd([model[2].bias])
    with listen(model, [first, second]) as session:
        expected = step(model, first, second)
        model(torch.ones(5, 6)).square().mean().backward()
        expected.append([NAN, model[2].weight.grad.norm().item()])
        first.step()
        model[0].requires_grad_(True)
        second.add_param_group({"params": list(model[0].parameters())})
        second.step()
        first.zero_grad()
        second.zero_grad()
        expected += step(model, first, second, count=2)
    recording = session.recording
    assert recording.layers == ("2", "0")
    np.testing.assert_allclose(recording.norms[:, ::-1], expected, rtol=1e-6)


def test_a_row_that_is_half_measured_when_a_layer_grows_keeps_its_numbers() -> None:
    """The second layer's place among the parameters moves, which a row of both must not notice."""
    model = nn.ModuleDict({"two": Two(), "last": Two()})
    first, second = sgd([model["last"].free]), sgd([model["two"].free])
    with listen(model, [first, second]) as session:
        for _ in range(2):
            (model["two"]() + 2 * model["last"]()).backward()
            first.step()
            if not model["two"].held.requires_grad:
                model["two"].held.requires_grad_(True)
                second.add_param_group({"params": [model["two"].held]})
            second.step()
            first.zero_grad()
            second.zero_grad()
    three, five, six = (value * 3**0.5 for value in (3, 5, 6))
    np.testing.assert_allclose(session.recording.norms, [[three, six], [five, six]], rtol=1e-6)


def test_what_was_put_into_the_groups_by_hand_is_named_at_the_end() -> None:
    model = frozen_below()
    optimizer = sgd(model[2].parameters())
    session = listen(model, optimizer)
    step(model, optimizer)
    model[0].requires_grad_(True)
    optimizer.param_groups[0]["params"] += list(model[0].parameters())
    step(model, optimizer)
    with pytest.warns(TrainingWarning, match='0 was unfrozen or added .* not recorded; layers="all"') as caught:
        session.detach()
        session.detach()
    assert len(caught) == 1


def test_many_layers_are_named_by_the_first_ones(tmp_path: Path) -> None:
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(6)])
    model[:5].requires_grad_(False)
    optimizer = sgd(model.parameters())
    with pytest.warns(TrainingWarning, match="0, 1, 2 and 2 more were unfrozen"):
        session = listen(model, optimizer, path=tmp_path / "norms.csv")
        model.requires_grad_(True)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    session.detach()


def test_a_probe_by_itself_keeps_its_rows_as_long_as_they_were() -> None:
    model, rows = frozen_below(), []
    optimizer = sgd(model.parameters())
    with pytest.warns(TrainingWarning, match="not measured") as caught, GradientProbe(model, optimizer, rows.append):
        step(model, optimizer)
        unfreeze(model, optimizer)
        step(model, optimizer, count=2)
    assert len(caught) == 1
    assert [len(row.norms) for row in rows] == [1, 1, 1]


def test_live_sound_keeps_its_voices_and_that_is_said(tmp_path: Path) -> None:
    model = frozen_below()
    optimizer = sgd(model.parameters())
    live = {"live": f"file:{tmp_path / 'live.mid'}", "live_options": {"pace": "wait"}}
    with pytest.warns(TrainingWarning, match="0 was .* recorded from now on, but not played") as caught:
        session = listen(model, optimizer, **live)
        step(model, optimizer)
        unfreeze(model, optimizer)
        step(model, optimizer, count=2)
        session.detach()
    assert len(caught) == 1
    assert session.recording.gaps[:, 1].tolist() == [True, False, False]
    assert session.report.live is not None


def test_optimizers_can_be_copied_pickled_and_saved_meanwhile() -> None:
    for join, (make, let_join) in JOINS.items():
        model = frozen_below()
        optimizer = make(model)
        with listen(model, optimizer):
            for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
                assert "add_param_group" not in vars(twin), join
            torch.save(optimizer, io.BytesIO())
            let_join(model, optimizer)


def test_detached_and_attached_again_it_has_heard_of_what_joined_in_between() -> None:
    model = frozen_below()
    optimizer = sgd(model[2].parameters())
    session = listen(model, optimizer)
    step(model, optimizer)
    session.detach()
    unfreeze_and_add(model, optimizer)
    session.attach()
    step(model, optimizer)
    session.detach()
    assert session.recording.layers == ("2", "0")
    assert session.recording.gaps[:, 1].tolist() == [True, False]


def test_chosen_layers_are_what_was_wanted() -> None:
    model = frozen_below()
    optimizer = sgd(model.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with listen(model, optimizer, layers=["2"]) as session:
            unfreeze(model, optimizer)
            step(model, optimizer)
    assert session.recording.layers == ("2",)


def test_a_row_that_is_still_on_its_way_is_brought_to_length() -> None:
    """As on CUDA, where rows arrive some steps later."""
    measuring, devices, rows = meter()
    measuring.measure(0)
    layers = [Layer(name, (nn.Parameter(torch.zeros(1)),)) for name in "ab"]
    measuring.refit(devices, RowMaker(layers, ["grad_norm"]))
    measuring.measure(0)
    measuring.flush()
    assert [row.gaps.tolist() for row in rows] == [[False, True], [False, True]]
    assert [len(row.norms) for row in rows] == [2, 2]


@pytest.mark.parametrize("choice", ["auto", "all"])
def test_lightning_s_base_finetuning(choice: str) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from gradmidi.integrations.lightning import GradmidiCallback

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            net = small_net()
            self.backbone, self.head = net[0], net[2]

        def training_step(self, batch: Tensor) -> Tensor:
            return self.head(self.backbone(batch)).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return sgd([p for p in self.parameters() if p.requires_grad])

    class Finetuning(lightning.callbacks.BaseFinetuning):
        def freeze_before_training(self, module: Any) -> None:
            self.freeze(module.backbone)

        def finetune_function(self, module: Any, epoch: int, optimizer: torch.optim.Optimizer) -> None:
            if epoch == 1:
                self.unfreeze_and_add_param_group(module.backbone, optimizer)

    callback = GradmidiCallback(layers=choice)
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    data = torch.utils.data.DataLoader(torch.randn(12, 6), batch_size=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", TrainingWarning)
        trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", callbacks=[Finetuning(), callback], **quiet)
        trainer.fit(Module(), data)
    recording = callback.session.recording
    backbone = recording.layers.index("backbone")
    assert sorted(recording.layers) == ["backbone", "head"]
    assert recording.gaps[:, backbone].tolist() == [True] * 3 + [False] * 3
    assert not recording.gaps[:, 1 - backbone].any()
