"""Each adapter against the real library, with norms computed without it."""

from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradmidi.recording import Recording
from tests.measure.nets import small_net, weight_norms

BATCHES, ACCUMULATED = 8, 2


def data() -> torch.utils.data.DataLoader[Any]:
    generator = torch.Generator().manual_seed(4)
    return torch.utils.data.DataLoader(torch.randn(4 * BATCHES, 6, generator=generator), batch_size=4)


def expected_norms(clip: float | None, accumulated: int) -> tuple[list[list[float]], list[float]]:
    """Norms and last losses of plain training steps."""
    net, norms, losses = small_net(), [], []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for i, batch in enumerate(data()):
        loss = net(batch).square().mean()
        (loss / accumulated).backward()
        if i % accumulated == accumulated - 1:
            if clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), clip)
            norms.append(weight_norms(net))
            losses.append(loss.item())
            optimizer.step()
            optimizer.zero_grad()
    return norms, losses


@pytest.mark.parametrize("clip", [None, 0.01])
@pytest.mark.parametrize("accumulated", [1, ACCUMULATED])
@pytest.mark.parametrize("scaled", [False, True])
def test_lightning(tmp_path: Path, clip: float | None, accumulated: int, scaled: bool) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from gradmidi.integrations.lightning import GradmidiCallback

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_net()

        def training_step(self, batch: Tensor) -> Tensor:
            with torch.autocast("cpu", enabled=False):
                return self.net(batch).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    callback = GradmidiCallback(tmp_path / "norms.csv")
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=[callback],
        gradient_clip_val=clip,
        accumulate_grad_batches=accumulated,
        plugins=[mixed_precision(lightning)] if scaled else None,
        **quiet,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(Module(), data())
    norms, losses = expected_norms(clip, accumulated)
    recording = Recording.load(tmp_path / "norms.csv")
    assert recording.layers == ("net.0", "net.2")
    np.testing.assert_allclose(recording.norms, norms, rtol=1e-5)
    np.testing.assert_allclose(recording.metrics["loss"], losses, rtol=1e-5)
    assert set(recording.metrics["epoch"]) == {0}
    assert not trainer.optimizers[0]._optimizer_step_pre_hooks


def test_a_lightning_fit_that_is_interrupted_ends_its_session() -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from gradmidi.integrations.lightning import GradmidiCallback

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_net()
            self.interrupts = True

        def training_step(self, batch: Tensor, index: int) -> Tensor:
            if self.interrupts and index == 3:
                self.interrupts = False
                raise KeyboardInterrupt
            return self.net(batch).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    callback, module, before = GradmidiCallback(), Module(), signal.getsignal(signal.SIGINT)
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", callbacks=[callback], **quiet)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises((KeyboardInterrupt, SystemExit)):
                trainer.fit(module, data())
            first = callback.session
            assert not trainer.optimizers[0]._optimizer_step_pre_hooks
            lightning.Trainer(max_epochs=1, accelerator="cpu", callbacks=[callback], **quiet).fit(module, data())
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning leaves it ignored
    assert (len(first.recording), len(callback.session.recording)) == (3, BATCHES)


def mixed_precision(lightning: Any) -> Any:
    from lightning.pytorch.plugins.precision import MixedPrecision

    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=256.0))


class LossModel(nn.Module):
    """What the Hugging Face Trainer expects of a model: inputs by name, a loss in the output."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_net()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"loss": self.net(x).square().mean()}


@pytest.mark.parametrize("accumulated", [1, ACCUMULATED])
def test_hugging_face_trainer(tmp_path: Path, accumulated: int) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from gradmidi.integrations.transformers import GradmidiCallback

    class InOrder(transformers.Trainer):
        def get_train_dataloader(self) -> Any:
            return self.accelerator.prepare(
                torch.utils.data.DataLoader([{"x": row} for row in data().dataset], batch_size=4)
            )

    model = LossModel()
    callback = GradmidiCallback()
    trainer = InOrder(
        model,
        transformers.TrainingArguments(
            str(tmp_path),
            max_steps=BATCHES // accumulated,
            max_grad_norm=0.01,
            gradient_accumulation_steps=accumulated,
            lr_scheduler_type="constant",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        ),
        callbacks=[callback],
        optimizers=(torch.optim.SGD(model.parameters(), lr=0.1), None),
    )
    trainer.train()
    norms, _ = expected_norms(0.01, accumulated)
    recording = callback.session.recording
    assert recording.layers == ("net.0", "net.2")
    np.testing.assert_allclose(recording.norms, norms, rtol=1e-5)
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    np.testing.assert_allclose(recording.metrics["loss"], logged)
    np.testing.assert_allclose(recording.metrics["learning_rate"], 0.1)


@pytest.mark.parametrize("clip", [None, 0.01])
def test_accelerate(clip: float | None) -> None:
    accelerate = pytest.importorskip("accelerate")
    from gradmidi.integrations.accelerate import listen

    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATED)
    net = small_net()
    model, optimizer, loader = accelerator.prepare(net, torch.optim.SGD(net.parameters(), lr=0.1), data())
    with listen(accelerator, model, optimizer) as session:
        for batch in loader:
            with accelerator.accumulate(model):
                accelerator.backward(session.loss(model(batch).square().mean()))
                if clip is not None and accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                optimizer.zero_grad()
    norms, losses = expected_norms(clip, ACCUMULATED)
    np.testing.assert_allclose(session.recording.norms, norms, rtol=1e-5)
    np.testing.assert_allclose(session.recording.metrics["loss"], losses, rtol=1e-5)
    assert session.recording.meta["processes"] == "1"


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    if "KERAS_BACKEND" not in os.environ:
        monkeypatch.setenv("KERAS_BACKEND", "torch")
    module = pytest.importorskip("keras")
    if module.backend.backend() != "torch":
        pytest.skip("Keras was set up for another backend")
    return module


def test_a_keras_fit_that_is_interrupted_has_its_session_ended_by_the_next(keras: Any) -> None:
    from gradmidi.integrations.keras import GradmidiCallback

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 2:
                raise KeyboardInterrupt

    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = np.ones((20, 6), np.float32), np.zeros((20, 3), np.float32)
    callback = GradmidiCallback()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[callback, Interrupt()])
    first, closed = callback.session, []
    first._closers.append(closed.append)
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[callback])
    assert closed == [True]
    assert (len(first.recording), len(callback.session.recording)) == (3, 5)


def test_keras_on_torch(keras: Any) -> None:
    from gradmidi.integrations.keras import GradmidiCallback

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    batch = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    callback = GradmidiCallback()
    expected = []
    for epoch in range(3):
        kernels = [layer.kernel.value.detach().clone().requires_grad_() for layer in model.layers]
        biases = [layer.bias.value.detach() for layer in model.layers]
        hidden = torch.tanh(torch.tensor(batch[:, :6]) @ kernels[0] + biases[0])
        loss = (hidden @ kernels[1] + biases[1] - torch.tensor(batch[:, 6:])).square().mean()
        expected.append([g.norm().item() for g in torch.autograd.grad(loss, kernels)])
        model.fit(batch[:, :6], batch[:, 6:], batch_size=4, epochs=1, verbose=0, callbacks=[callback])
        np.testing.assert_allclose(callback.session.recording.norms, [expected[epoch]], rtol=1e-4)
        np.testing.assert_allclose(callback.session.recording.metrics["loss"], loss.item(), rtol=1e-4)
    assert callback.session.layers == tuple(layer.name for layer in model.layers)


@pytest.mark.parametrize("name", ["lightning", "transformers", "keras", "accelerate"])
def test_the_place_where_the_callbacks_were_before_leads_to_the_present_one(name):
    from importlib import import_module

    old, new = (import_module(f"gradmidi.{room}.{name}") for room in ("measure.callbacks", "integrations"))
    assert old is new
