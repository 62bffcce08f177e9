"""Runs that are resumed from a checkpoint: steps go on as the framework counts them, into one file or into two."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gradmidi.errors import InputError
from gradmidi.recording import Recording
from gradmidi.session import listen
from tests.integrations.test_callbacks import LossModel, data
from tests.measure.nets import small_net, train

pytestmark = pytest.mark.slow

EXISTING = pytest.mark.parametrize("existing", ["keep", "append"])


def assert_resumed(folder: Path, existing: str, at: int, end: int) -> None:
    """The first part has steps 0 to ``at``, the second one those up to ``end``."""
    last = Recording.load(folder / "norms.csv")
    if existing == "append":
        assert last.steps.tolist() == list(range(end))
        assert last.seams().tolist() == [at]
        assert not (folder / "norms.1.csv").exists()
    else:
        assert Recording.load(folder / "norms.1.csv").steps.tolist() == list(range(at))
        assert last.steps.tolist() == list(range(at, end))


@EXISTING
def test_a_loop_of_ones_own(existing: str, tmp_path: Path) -> None:
    for first, steps in ((None, 3), (3, 4)):
        model = small_net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with listen(model, optimizer, path=tmp_path / "norms.csv", existing=existing, first_step=first) as session:
                train(model, optimizer, steps)
    assert_resumed(tmp_path, existing, at=3, end=7)
    assert session.report.steps == 4


@pytest.mark.parametrize("late", [False, True])
def test_appended_without_a_number_it_goes_on_behind_the_last_step(late: bool, tmp_path: Path) -> None:
    for _ in range(2):
        model = small_net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with listen(model, optimizer, path=tmp_path / "norms.csv", existing="append", late=late, every=2) as session:
            for step in range(4):
                train(model, optimizer, 1)
                session.log(loss=float(step))
    loaded = session.recording
    assert loaded.steps.tolist() == [0, 2, 4, 6]  # 3, the first one after the last that was recorded, is left out
    np.testing.assert_array_equal(loaded.metrics["loss"], [0, 2, 1, 3] if late else [np.nan, 1, 0, 2])


def test_other_layers_are_refused_before_anything_is_attached(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer, path=tmp_path / "norms.csv"):
        train(model, optimizer, 2)
    with pytest.raises(InputError, match=r"norms\.csv cannot be appended to: this run has no '2'"):
        listen(model, optimizer, path=tmp_path / "norms.csv", existing="append", layers=["0"])
    assert not optimizer._optimizer_step_pre_hooks
    assert len(Recording.load(tmp_path / "norms.csv")) == 2


@EXISTING
@pytest.mark.parametrize("optimizers", [1, 2])
def test_lightning(existing: str, optimizers: int, tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from gradmidi.integrations.lightning import GradmidiCallback

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_net()
            self.automatic_optimization = optimizers == 1

        def training_step(self, batch: Tensor) -> Tensor | None:
            loss = self.net(batch).square().mean()
            if self.automatic_optimization:
                return loss
            self.manual_backward(loss)
            for one in self.optimizers():
                one.step()
                one.zero_grad()
            return None

        def configure_optimizers(self) -> Any:
            parts = [self.net] if optimizers == 1 else [self.net[0], self.net[2]]
            return [torch.optim.SGD(part.parameters(), lr=0.1) for part in parts]

    def fit(steps: int, checkpoint: Path | None) -> None:
        callback = GradmidiCallback(tmp_path / "norms.csv", existing=existing)
        quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        trainer = lightning.Trainer(max_steps=steps * optimizers, accelerator="cpu", callbacks=[callback], **quiet)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(Module(), data(), ckpt_path=checkpoint)
        trainer.save_checkpoint(tmp_path / "last.ckpt")

    fit(3, None)
    fit(7, tmp_path / "last.ckpt")
    assert_resumed(tmp_path, existing, at=3, end=7)


@EXISTING
def test_hugging_face(existing: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from gradmidi.integrations.transformers import GradmidiCallback

    def fit(steps: int, checkpoint: Path | None) -> None:
        arguments = transformers.TrainingArguments(
            str(tmp_path / "run"),
            max_steps=steps,
            per_device_train_batch_size=4,
            save_steps=3,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        callback = GradmidiCallback(tmp_path / "norms.csv", existing=existing)
        rows = [{"x": row} for row in data().dataset]
        trainer = transformers.Trainer(LossModel(), arguments, train_dataset=rows, callbacks=[callback])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))

    fit(3, None)
    fit(7, tmp_path / "run" / "checkpoint-3")
    assert_resumed(tmp_path, existing, at=3, end=7)


@EXISTING
def test_keras(existing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "KERAS_BACKEND" not in os.environ:
        monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras was set up for another backend")
    from gradmidi.integrations.keras import GradmidiCallback

    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    callback = GradmidiCallback(tmp_path / "norms.csv", existing=existing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for batches in (3, 4):
            model.fit(np.ones((batches, 6)), np.ones((batches, 3)), batch_size=1, verbose=0, callbacks=[callback])
    assert_resumed(tmp_path, existing, at=3, end=7)
