"""Every snippet of the README runs, in the order in which it stands there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
INSTALLS = ("pip install", "make ")  # what .ci/run itself does
# What a reader has already: a model, an optimizer and data.
PRELUDE = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
loader = [(torch.randn(5, 4), torch.randint(3, (5,))) for _ in range(12)]
"""


def commands() -> list[str]:
    text = "\n".join(block for language, block in BLOCKS if language == "sh")
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(INSTALLS)]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader's folder, after the Python snippets have run there one after another."""
    folder = tmp_path_factory.mktemp("reader")
    script = PRELUDE + "\n".join(block for language, block in BLOCKS if language == "python")
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_python_snippets_leave_their_files(reader):
    names = {path.name for path in reader.iterdir()}
    assert {"norms.csv", "run.mid", "run.wav", "sine.wav", "19.mid"} <= names


@pytest.mark.parametrize("line", commands())
def test_the_commands_run(line, reader):
    words = shlex.split(line.replace(".venv/bin/gradmidi", "gradmidi"))
    assert words[0] == "gradmidi"
    done = subprocess.run([sys.executable, "-m", *words], cwd=reader, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_scales_in_the_text_parse():
    from gradmidi.theory.scale import Scale

    for text in re.findall(r'--scale "([^"]+)"', README):
        assert len(Scale.parse(text)) > 1
    assert "131 of them" in README
    from gradmidi.theory.catalogue import named_scales

    assert len(named_scales()) == 131


def test_links_into_the_project_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
