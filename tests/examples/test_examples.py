"""Every script in examples/ runs as it is, and leaves a recording that loads and a MIDI file with notes in it."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import mido
import pytest

from gradmidi.recording import Recording
from gradmidi.recording.companion import is_events

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "examples"
# A script and what it imports beyond torch.
NEEDS = {
    "accelerate_loop": ("accelerate",),
    "hugging_face_trainer": ("transformers", "accelerate"),
    "keras_model": ("keras",),
    "lightning_module": ("lightning",),
    "lora": ("peft", "transformers"),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_an_example_runs(name, tmp_path, warm_python):
    for module in NEEDS.get(name, ()):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    environment = os.environ | {"KERAS_BACKEND": "torch", "HF_HUB_OFFLINE": "1"}
    done = warm_python.run([str(FOLDER / f"{name}.py")], cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    (recorded,) = [path for path in tmp_path.rglob("*.csv") if not is_events(path)]
    assert len(Recording.load(recorded)) > 0
    for file in tmp_path.rglob("*.mid"):
        assert any(message.type == "note_on" for message in mido.MidiFile(file))
