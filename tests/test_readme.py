"""Every snippet of the README runs, in the order in which it stands there."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

import gradmidi as gm
from gradmidi.composition.sound import choose_sound
from gradmidi.composition.voices import load_parts
from gradmidi.theory.catalogue import named_scales
from gradmidi.theory.scale import Scale

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
HOSTS = (REPOSITORY, REPOSITORY.replace("https://github.com", "https://raw.githubusercontent.com"))
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
INSTALLS = ("pip install", "git clone", "make ")  # what .ci/run itself does
# What a reader has already: a model, an optimizer and data.
PRELUDE = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import torch
import gradmidi
from torch import nn
torch.manual_seed(0)
model = nn.Sequential()
model.conv1, model.relu, model.fc1 = nn.Conv1d(1, 2, 1), nn.ReLU(), nn.Linear(4, 3)
model.forward = lambda x: model.fc1(model.relu(model.conv1(x[:, None])).mean(1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
loader = [(torch.randn(5, 4), torch.randint(3, (5,))) for _ in range(12)]
"""


def runnable(block: str) -> str:
    """A snippet behind what a reader has already, with a file in place of the MIDI port that a test machine lacks."""
    return PRELUDE + block.replace('live="gradmidi"', 'live="file:live.txt"')


def commands() -> list[str]:
    text = "\n".join(block for language, block in BLOCKS if language == "sh")
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(INSTALLS)]


@pytest.fixture(scope="module")
def reader(tmp_path_factory, warm_python):
    """A reader's folder, after the Python snippets have run there one after another."""
    folder = tmp_path_factory.mktemp("reader")
    script = runnable("\n".join(block for language, block in BLOCKS if language == "python"))
    done = warm_python.run(["-c", script], cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_python_snippets_leave_their_files(reader):
    names = {path.name for path in reader.iterdir()}
    assert {"norms.csv", "run.mid", "run.wav", "sine.wav", "19.mid"} <= names


@pytest.mark.parametrize("line", commands())
def test_the_commands_run(line, reader, warm_python):
    words = shlex.split(line.replace(".venv/bin/gradmidi", "gradmidi"))
    assert words[0] == "gradmidi"
    done = warm_python.run(["-m", *words], cwd=reader)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_the_snippets_of_the_other_pages_run(page, reader, warm_python):
    text = page.read_text(encoding="utf-8")
    for language, block in re.findall(r"```(\w+)\n(.*?)```", text, flags=re.DOTALL):
        if language == "python":
            done = warm_python.run(["-c", runnable(block)], cwd=reader)
            assert done.returncode == 0, done.stderr
        elif language == "toml" and "[[voice]]" in block:
            (reader / "voices.toml").write_text(block, encoding="utf-8")
            assert len(load_parts(reader / "voices.toml")) == 2
        elif language == "toml" and "events = " in block:
            (reader / "mine.toml").write_text(block, encoding="utf-8")
            assert choose_sound(reader / "mine.toml").events == "earcons"
        elif language == "toml":
            (reader / "mine.toml").write_text(block, encoding="utf-8")
            assert len(Scale.from_toml(reader / "mine.toml")) == 5


def test_the_scales_in_the_text_parse():
    for text in re.findall(r'--scale "([^"]+)"', README):
        assert len(Scale.parse(text)) > 1
    assert "131 of them" in README
    assert len(named_scales()) == 131


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.stem
)
def test_links_into_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
        elif target.startswith(HOSTS):
            assert (ROOT / target.partition("/main/")[2]).exists(), target


def test_the_readme_works_on_the_page_of_a_package_index():
    assert not re.findall(r"\]\((?!http)", README)


@pytest.mark.parametrize("name", sorted(set(gm.__all__) - {"__version__"}))
def test_the_reference_has_every_public_name(name):
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    thing = getattr(gm, name)
    shown = re.findall(r"^::: (\S+)", page, flags=re.MULTILINE)
    assert f"{thing.__module__}.{thing.__qualname__}" in shown or thing.__module__ in shown


@pytest.mark.parametrize("name", ["README.md", "CITATION.cff", "mkdocs.yml"])
def test_the_public_host_is_the_one_of_the_project(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    found = set(re.findall(r"https://(?:raw\.githubusercontent|github)\.com/\w+/gradmidi(?=[/\s])", text))
    assert found
    assert found <= set(HOSTS)


def test_the_citation_has_the_version_of_the_code():
    assert f"\nversion: {gm.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_clips_are_small_and_sound():
    soundfile = pytest.importorskip("soundfile")
    clips = sorted((ROOT / "docs" / "clips").glob("*.mp3"))
    assert [clip.stem for clip in clips] == ["diverging", "healthy", "nan"]
    for clip in clips:
        samples, rate = soundfile.read(clip)
        assert clip.stat().st_size < 200_000
        assert 5 < len(samples) / rate < 15
        assert 0.5 < abs(samples).max() <= 1


def test_the_script_of_the_clips_trains_what_it_says():
    pytest.importorskip("torch")
    from docs.clips import CLIPS, record

    clip = CLIPS["healthy"]
    norms = record(clip).norms
    assert norms.shape == (clip.steps, 4)
    assert 0.05 < norms.min() < norms.max() < 10
