"""Real models, two lines each: a recording, a MIDI file that opens, and voices that make sense."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradmidi
from gradmidi.recording import Recording

STEPS = 3
# A torchvision from the registry does not import beside a CPU-only torch, because its compiled operators are missing.
# Of these two only the names are needed, and only for the import; no classification model calls them.
MISSING_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


# A folder that holds torchvision for these tests alone, as installed it would change what other packages do.
FOLDER = "GRADMIDI_TORCHVISION"


@pytest.fixture(scope="module")
def models() -> Iterator[Any]:
    """torchvision.models, with the operators' names defined where the compiled part does not fit this torch."""
    folder = os.environ.get(FOLDER)
    load = import_module if folder else pytest.importorskip  # what CI has prepared must not be skipped
    with pytest.MonkeyPatch.context() as patch:
        if folder:
            patch.syspath_prepend(folder)
        try:
            yield load("torchvision.models")
        except RuntimeError:
            forget_torchvision()
            library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in MISSING_OPERATORS:
                library.define(operator)
            yield load("torchvision.models")
    if folder:
        forget_torchvision()


def forget_torchvision() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


def check(recording: Recording, folder: Path, parameters: int) -> list[str]:
    """The recording is whole and its MIDI file opens; gives the voices' names."""
    assert len(recording) == STEPS
    assert len(recording.layers) == parameters
    assert np.isfinite(recording.norms).all()
    assert (recording.norms > 0).any(axis=0).all()
    score = gradmidi.compose(recording)
    score.save_midi(folder / "run.mid")
    tracks = mido.MidiFile(folder / "run.mid").tracks
    assert sum(message.type == "note_on" and message.velocity > 0 for track in tracks for message in track) > 0
    voices = [voice.name for voice in score.voices if not voice.percussion and not voice.sustained]
    assert len(voices) <= 15
    return voices


def weights(model: nn.Module) -> int:
    """How many modules own a weight."""
    own = [
        [name for name, _ in module.named_parameters(recurse=False) if "bias" not in name] for module in model.modules()
    ]
    return sum(map(bool, own))


def trained(model: nn.Module, images: Tensor) -> Recording:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with gradmidi.listen(model, optimizer) as session:
        for _ in range(STEPS):
            session.loss(model(images).square().mean()).backward()
            optimizer.step()
            optimizer.zero_grad()
    return session.recording


def test_resnet_18(models: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = models.resnet18(weights=None, num_classes=10)
    voices = check(trained(model, torch.randn(2, 3, 64, 64)), tmp_path, weights(model))
    assert {name.split(".")[0] for name in voices} >= {"layer1", "layer2", "layer3", "layer4", "fc"}


def test_vit_b_16(models: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = models.vit_b_16(weights=None, num_classes=10, image_size=32)
    nn.init.normal_(
        model.heads.head.weight, std=0.02
    )  # torchvision starts the head at zero, which stops every gradient
    voices = check(trained(model, torch.randn(2, 3, 32, 32)), tmp_path, weights(model))
    assert any("encoder_layer_0" in name for name in voices)


def test_gpt_2_under_the_hugging_face_trainer(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from gradmidi.integrations.transformers import GradmidiCallback

    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=6, n_head=2)
    model = transformers.GPT2LMHeadModel(config)
    words = torch.randint(0, 50, (2 * STEPS, 8))
    arguments = transformers.TrainingArguments(
        str(tmp_path / "out"),
        max_steps=STEPS,
        per_device_train_batch_size=2,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
        disable_tqdm=True,
    )
    callback = GradmidiCallback(tmp_path / "norms.csv")
    data = [{"input_ids": row, "labels": row} for row in words]
    transformers.Trainer(model, arguments, train_dataset=data, callbacks=[callback]).train()
    # lm_head shares its weight with the embedding and counts once.
    voices = check(Recording.load(tmp_path / "norms.csv"), tmp_path, weights(model) - 1)
    assert sum(".h." in name or name.startswith("h") for name in voices) == 6


def test_a_lightning_module(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from gradmidi.integrations.lightning import GradmidiCallback

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

        def training_step(self, batch: list[Tensor]) -> Tensor:
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters())

    callback = GradmidiCallback(tmp_path / "norms.csv")
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(2 * STEPS, 4)), batch_size=2)
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    lightning.Trainer(max_epochs=1, accelerator="cpu", callbacks=[callback], **quiet).fit(Module(), data)
    assert check(Recording.load(tmp_path / "norms.csv"), tmp_path, 2) == ["net.0", "net.2"]
