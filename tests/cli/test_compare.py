"""`gradmidi compare`: words on stdout, files where they are asked for, one clear line for what cannot be compared."""

from __future__ import annotations

import json
import re
import shlex

import mido
import pytest

import gradmidi as gm
from gradmidi.recording import Recording
from tests.conftest import ROOT


@pytest.fixture
def runs(healthy, sick, tmp_path):
    healthy.save(tmp_path / "a.csv")
    sick.save(tmp_path / "b.csv")
    return tmp_path


def test_words_are_those_of_the_library(runs, run_cli, healthy, sick):
    done = run_cli("compare", "a.csv", "b.csv", check=True)
    assert done.stdout.splitlines() == gm.compare(healthy, sick, names=["a.csv", "b.csv"]).lines
    assert done.stderr == ""


def test_files_are_written(runs, run_cli):
    targets = ("--wav", "ab.wav", "--plot", "ab.png", "--mid", "ab.mid")
    done = run_cli("compare", "a.csv", "b.csv", *targets, "--duration", "10s", check=True)
    assert {"ab.wav", "ab.png", "ab.mid"} <= {path.name for path in runs.iterdir()}
    assert [line.split()[0] for line in done.stdout.splitlines()[-4:]] == ["what", "sound", "picture", "MIDI"]
    assert mido.MidiFile(runs / "ab.mid").length <= 10.1
    pans = [
        message.value
        for track in mido.MidiFile(runs / "ab.mid").tracks
        for message in track
        if message.type == "control_change" and message.control == 10 and message.channel != 9
    ]
    assert sorted(pans) == [10] * 4 + [118] * 4


def test_json_has_what_differs_and_the_files(runs, run_cli):
    done = run_cli("compare", "a.csv", "b.csv", "--mid", "ab.mid", "--how", "alternating", "--json", check=True)
    found = json.loads(done.stdout)
    assert found["runs"]["A"]["name"] == "a.csv" and found["runs"]["B"]["verdict"] == "sick"
    assert [layer["name"] for layer in found["layers"]] == ["conv1", "conv2", "fc1", "fc2"]
    assert found["files"][0]["file"] == "ab.mid"


def test_any_log_can_be_compared_with_any_recording(runs, run_cli):
    rows = [{"step": 10 * i, "grad_norm/conv1": 1.0, "loss": 2.0} for i in range(20)]
    (runs / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Recording.from_arrays([[1.0, 2.0]] * 200, ["conv1", "fc"]).save(runs / "c.csv")
    lines = run_cli("compare", "c.csv", "log.jsonl", check=True).stdout.splitlines()
    assert lines[2].startswith("compared: 1 layer at 20 steps, 0 to 190 (A has every step, B one in 10 steps")
    assert lines[3] == "not compared: only A has 1 layer: fc"


def test_layers_are_chosen_in_both(runs, run_cli):
    lines = run_cli("compare", "a.csv", "b.csv", "--layers", "fc*", check=True).stdout.splitlines()
    assert any(line.startswith("compared: 2 layers at 201 steps") for line in lines)


def test_one_of_the_runs_comes_from_stdin(runs, run_cli):
    done = run_cli("compare", "a.csv", "-", input=(runs / "b.csv").read_text())
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("B, -: steps 0 to 200")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.csv", "no.csv"], "no.csv: no such file"),
        (["-", "-"], "only one of the runs can come from stdin"),
        (["a.csv", "other.csv"], "the runs have no layer of the same name: A has 'conv1, conv2, fc1, fc2', B has 'x'"),
        (["a.csv", "b.csv", "--how", "both"], "there are left-right and alternating"),
        (["a.csv", "b.csv", "--how", "alternating", "--turn", "soon"], "'soon' is not the length of a turn"),
        (["a.csv", "b.csv", "--wav", "ab.png"], "--wav ab.png: the name must end in"),
        (["a.csv", "b.csv", "--layers", "zz"], "no layer is called 'zz'"),
        (["a.csv", "b.csv", "--plot-size", "big"], "--plot-size: 'big' is not a size"),
        (["a.csv", "b.csv", "--dynamics", "loss-change"], "follows one run's loss"),
    ],
)
def test_what_cannot_be_compared_is_one_line(runs, run_cli, words, message):
    Recording.from_arrays([[1.0]], ["x"]).save(runs / "other.csv")
    done = run_cli("compare", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("gradmidi compare: ") and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_the_commands_of_the_page_run(runs, run_cli):
    page = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    for line in block.splitlines():
        program, *words = shlex.split(line)
        assert program == "gradmidi"
        run_cli(*words, check=True)
    assert (runs / "ab.wav").exists() and (runs / "ab.png").exists()
