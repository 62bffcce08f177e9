"""The Trainer's callback: numbers at every step, an interrupted training, and a training that is left as it is."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.measure.nets import small_net

pytestmark = pytest.mark.slow

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
from gradmidi.integrations.loss_tap import LossTap  # noqa: E402
from gradmidi.integrations.transformers import GradmidiCallback  # noqa: E402

STEPS = 6


class LossModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = small_net()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"loss": self.net(x).square().mean()}


def rows(count: int = 8 * STEPS) -> list[dict[str, Tensor]]:
    return [{"x": row} for row in torch.randn(count, 6, generator=torch.Generator().manual_seed(4))]


def arguments(folder: Path, **more: Any) -> Any:
    quiet = {"report_to": [], "use_cpu": True, "disable_tqdm": True, "save_strategy": "no", "logging_strategy": "no"}
    options = {"max_steps": STEPS, "per_device_train_batch_size": 4, "learning_rate": 0.1, **quiet, **more}
    return transformers.TrainingArguments(str(folder / "out"), **options)


def trainer(folder: Path, *callbacks: Any, kind: Any = None, model: Any = None, **more: Any) -> Any:
    kind = kind or transformers.Trainer
    model = model or LossModel()
    return kind(model, arguments(folder, **more), train_dataset=rows(), callbacks=list(callbacks))


class Watch(transformers.TrainerCallback):
    """The Trainer's own numbers, for comparison."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.rates.append(given["lr_scheduler"].get_last_lr()[0])


def test_every_step_has_its_loss_its_learning_rate_and_a_whole_epoch(tmp_path: Path) -> None:
    callback, watch = GradmidiCallback(), Watch()
    training = trainer(tmp_path, callback, watch, max_steps=-1, num_train_epochs=2, gradient_accumulation_steps=3)
    training.train()
    recording = callback.session.recording
    steps = len(recording)
    assert steps == 8  # 12 batches in an epoch, 3 to a step
    assert recording.metrics["epoch"].tolist() == [0] * 4 + [1] * 4
    np.testing.assert_allclose(recording.metrics["learning_rate"], watch.rates)
    assert len(set(watch.rates)) == steps
    assert np.isfinite(recording.metrics["loss"]).all()
    assert not training.model._forward_hooks


@pytest.mark.parametrize("accumulated", [1, 3])
def test_the_loss_is_the_one_that_the_trainer_logs(tmp_path: Path, accumulated: int) -> None:
    callback = GradmidiCallback()
    more = {"logging_strategy": "steps", "logging_steps": 1, "gradient_accumulation_steps": accumulated}
    training = trainer(tmp_path, callback, **more)
    training.train()
    logged = [entry["loss"] for entry in training.state.log_history if "loss" in entry]
    np.testing.assert_allclose(callback.session.recording.metrics["loss"], logged, rtol=1e-6)


def test_losses_that_are_divided_by_all_tokens_are_added_up(tmp_path: Path) -> None:
    torch.manual_seed(0)
    special = dict.fromkeys(("bos_token_id", "eos_token_id"), 0)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=20, n_positions=8, n_embd=8, n_layer=1, n_head=2, **special)
    )
    words = torch.randint(0, 20, (6 * STEPS, 8))
    labels = words.clone()
    labels[::3, 2:] = -100  # batches of unlike numbers of tokens
    callback = GradmidiCallback()
    more = {"logging_strategy": "steps", "logging_steps": 1, "gradient_accumulation_steps": 3}
    training = transformers.Trainer(
        model,
        arguments(tmp_path, **{"per_device_train_batch_size": 2, **more}),
        train_dataset=[{"input_ids": a, "labels": b} for a, b in zip(words, labels, strict=True)],
        callbacks=[callback],
    )
    training.train()
    logged = [entry["loss"] for entry in training.state.log_history if "loss" in entry]
    np.testing.assert_allclose(callback.session.recording.metrics["loss"], logged, rtol=1e-4)
    assert min(logged) > 1


def test_evaluation_between_the_steps_is_no_loss_of_theirs(tmp_path: Path) -> None:
    callback = GradmidiCallback()
    more = {"logging_strategy": "steps", "logging_steps": 1, "eval_strategy": "steps", "eval_steps": 1}
    training = transformers.Trainer(
        LossModel(),
        arguments(tmp_path, **more, label_names=["x"]),
        train_dataset=rows(),
        eval_dataset=[{"x": 100 * one["x"]} for one in rows(4)],
        callbacks=[callback],
    )
    training.train()
    logged = [entry["loss"] for entry in training.state.log_history if "loss" in entry]
    np.testing.assert_allclose(callback.session.recording.metrics["loss"], logged, rtol=1e-6)


def test_a_forward_pass_that_nothing_is_learnt_from_is_no_loss() -> None:
    model = LossModel()
    tap = LossTap(model)
    with torch.no_grad():
        model(torch.ones(2, 6))
    assert tap.loss() is None
    losses = [model(value * torch.ones(2, 6))["loss"] for value in (1.0, 2.0)]
    assert tap.loss() == torch.stack(losses).mean()
    tap.remove()


@pytest.mark.parametrize("output", [None, (), {}, "text", {"loss": None}, (torch.ones(2),)], ids=str)
def test_whatever_a_model_returns_is_no_trouble(output: Any) -> None:
    class Odd(nn.Module):
        def forward(self) -> Any:
            return output

    model = Odd()
    tap = LossTap(model)
    model()
    assert tap.loss() is None


class OwnLoss(transformers.Trainer):
    """Computes its loss from what is no mapping and has no loss in it."""

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **more: Any) -> Any:
        return model(inputs["x"]).square().mean()


def test_a_loss_from_outside_of_the_model_is_taken_where_it_is_logged(tmp_path: Path) -> None:
    callback = GradmidiCallback()
    more = {"logging_strategy": "steps", "logging_steps": 2, "remove_unused_columns": False}
    training = trainer(tmp_path, callback, kind=OwnLoss, model=small_net(), **more)
    training.train()
    losses = callback.session.recording.metrics["loss"]
    logged = [entry["loss"] for entry in training.state.log_history if "loss" in entry]
    np.testing.assert_allclose(losses[1::2], logged)
    assert np.isnan(losses[::2]).all()
    assert np.isfinite(callback.session.recording.metrics["learning_rate"]).all()


class Interrupt(transformers.TrainerCallback):
    """Ctrl-C in the step with this number, once."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if state.global_step == self.step:
            self.step = -1
            raise KeyboardInterrupt


def test_the_session_of_an_interrupted_train_is_ended_by_the_next(tmp_path: Path) -> None:
    callback = GradmidiCallback()
    training = trainer(tmp_path, callback, Interrupt(3))
    with pytest.raises(KeyboardInterrupt):
        training.train()
    first, optimizer = callback.session, training.optimizer.optimizer
    assert optimizer._optimizer_step_pre_hooks
    training.train()
    assert callback.session is not first
    assert not optimizer._optimizer_step_pre_hooks
    assert not training.model._forward_hooks
    assert (len(first.recording), len(callback.session.recording)) == (3, STEPS)


def trained(folder: Path, *callbacks: Any) -> list[Any]:
    torch.manual_seed(3)
    training = trainer(folder, *callbacks, gradient_accumulation_steps=2, logging_strategy="steps", logging_steps=1)
    training.train()
    losses = [entry["loss"] for entry in training.state.log_history if "loss" in entry]
    state = training.optimizer.state_dict()["state"]
    tensors = [value for entry in state.values() for value in entry.values()]
    return [*training.model.parameters(), *tensors, torch.get_rng_state(), losses]


def test_the_training_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    for a, b in zip(trained(tmp_path, GradmidiCallback()), trained(tmp_path), strict=True):
        assert torch.equal(a, b) if isinstance(a, Tensor) else a == b


class Copies(transformers.TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        for twin in (copy.deepcopy(given["model"]), pickle.loads(pickle.dumps(given["model"]))):
            twin(torch.ones(2, 6))["loss"].backward()
            assert not any(isinstance(hook, LossTap) for hook in twin._forward_hooks.values())


def test_copies_of_the_model_are_free_of_it(tmp_path: Path) -> None:
    callback, plain = GradmidiCallback(), GradmidiCallback()
    trainer(tmp_path, callback, Copies()).train()
    trainer(tmp_path, plain).train()
    for name in ("loss", "learning_rate", "epoch"):
        np.testing.assert_array_equal(callback.session.recording.metrics[name], plain.session.recording.metrics[name])
