"""`--group`: voices of one's own choice, on every command that makes notes."""

from __future__ import annotations

import argparse
import inspect
import json
import re
import shlex
import sys

import mido
import pytest

from gradmidi.cli import main
from gradmidi.cli.options import add_sound_options
from gradmidi.composition.options import ComposeOptions
from gradmidi.recording import Recording
from tests.cli.test_finishing import CODE, TRAIN
from tests.cli.test_live import notes_of

pytestmark = pytest.mark.slow


@pytest.fixture
def norms(healthy, tmp_path):
    healthy.save(tmp_path / "norms.csv")
    return "norms.csv"


def voices(path) -> list[str]:
    return [track.name for track in mido.MidiFile(path).tracks[1:]]


def test_render_plays_each_group_as_a_voice(norms, run_cli, tmp_path):
    groups = ["--group", "convolutions=conv*", "--group", "head = fc1 , fc2"]
    done = run_cli("render", norms, *groups, "--mid", "a.mid", "--json", "--sound", "post", check=True)
    assert voices(tmp_path / "a.mid")[:2] == ["convolutions", "head"]
    assert sum(m.type == "note_on" for m in mido.MidiFile(tmp_path / "a.mid")) == 2 * 201
    said = json.loads(done.stdout)["voices"]
    assert said == "4 layers play as 2 voices, joined by root-sum-square: convolutions (2), head (2)"


def test_layers_in_no_group_are_silent_and_counted(norms, run_cli, tmp_path):
    done = run_cli("render", norms, "--group", "first=conv1", "--mid", "a.mid", check=True)
    assert voices(tmp_path / "a.mid")[0] == "first"
    assert "3 layers in no group: not played" in done.stderr


def test_groups_are_of_the_chosen_layers(norms, run_cli, tmp_path):
    groups = ["--group", "convs=conv*", "--group", "fcs=fc*"]
    run_cli("render", norms, "--layers", "conv2,fc1", *groups, "--mid", "a.mid", check=True)
    assert voices(tmp_path / "a.mid")[:2] == ["convs", "fcs"]
    done = run_cli("render", norms, "--layers", "conv*", *groups, "--mid", "b.mid")
    assert (done.returncode, done.stderr) == (2, "gradmidi render: the group 'fcs' (fc*) matches no layer\n")


def test_play_sends_one_note_per_step_and_group(healthy, run_cli, tmp_path):
    healthy.rows(0, 10).save(tmp_path / "norms.csv")
    options = ["--group", "all=*", "--unit", "10ms", "--speed", "10", "--port", "file:a.txt", "--sound", "post"]
    run_cli("play", "norms.csv", *options, check=True)
    assert len(notes_of(tmp_path / "a.txt")) == 10


def test_train_sends_its_groups_live(run_cli, tmp_path):
    groups = ["--group", "convs=conv*", "--group", "fcs=fc*"]
    live = ["--live", "file:a.txt", "--pace", "wait", "--unit", "10ms", "--sound", "post"]
    run_cli("train", "--steps", 4, "--seed", 1, *groups, *live, "--out", "o", check=True)
    assert len(notes_of(tmp_path / "a.txt")) == 2 * 4
    assert voices(tmp_path / "o" / "gradients.mid")[:2] == ["convs", "fcs"]


def test_run_plays_groups_of_layers_that_it_does_not_know_yet(run_cli, tmp_path):
    """It opens the port before the script makes a model, and leaves the groups for later."""
    done = run_cli("run", "--live", "file:a.txt", "--group", "stem=conv1", "--", "true")
    assert done.returncode == 0, done.stderr
    assert "no optimizer step was recorded" in done.stderr


def test_the_command_that_makes_a_file_later_repeats_the_groups(run_cli, tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    Recording.from_arrays([[1.0, 2.0], [3.0, 4.0]], ["conv 1", "fc"]).save(tmp_path / "made.csv")
    groups = ["--group", "stem=conv 1", "--group", "head=f*"]
    (tmp_path / "b.mid").symlink_to("/dev/full")
    done = run_cli("run", *groups, "--mid", "b.mid", "--", sys.executable, "train.py")
    assert done.returncode == CODE
    command = shlex.split(done.stderr.partition("later: ")[2].splitlines()[0])
    (tmp_path / "b.mid").unlink()
    run_cli(*command[1:], check=True)
    assert voices(tmp_path / "b.mid")[:2] == ["stem", "head"]


BAD = [
    (["stem"], "--group: 'stem' is not NAME=LAYER,LAYER; write for instance 'stem=conv1,bn*'"),
    (["=conv1"], "--group: '=conv1' is not NAME=LAYER,LAYER"),
    (["stem="], "--group: 'stem=' is not NAME=LAYER,LAYER"),
    (["stem=conv1,,fc1"], "--group: 'stem=conv1,,fc1' is not NAME=LAYER,LAYER"),
    (["a=conv1", "a=fc1"], "--group: 'a' appears twice; list all its layers at once: 'a=LAYER,LAYER'"),
    ([f"g{i}=conv1" for i in range(16)], "--group: 16 groups were given; there can be 1 to 15"),
]


@pytest.mark.parametrize(
    "command", [["render", "norms.csv", "--mid", "a.mid"], ["play", "norms.csv"], ["train"], ["run"]]
)
@pytest.mark.parametrize(("groups", "message"), BAD)
def test_bad_input_is_one_line_and_exit_2(command, groups, message, norms, run_cli, tmp_path):
    options = [word for group in groups for word in ("--group", group)]
    done = run_cli(*command, *options, *(["--", "touch", "ran"] if command == ["run"] else []))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gradmidi {command[0]}: {message}")
    assert [path.name for path in tmp_path.iterdir()] == ["norms.csv"]


def test_a_group_without_a_layer_is_told_before_train_begins(run_cli, tmp_path):
    done = run_cli("train", "--group", "stem=bn*")
    assert (done.returncode, done.stderr) == (2, "gradmidi train: the group 'stem' (bn*) matches no layer\n")
    assert not list(tmp_path.iterdir())


def test_the_help_says_what_the_table_of_options_says(capsys):
    described = re.search(r"^\s+groups: (.+?)\.$", inspect.getdoc(ComposeOptions) or "", flags=re.MULTILINE)
    parser = argparse.ArgumentParser()
    add_sound_options(parser)
    (group,) = [action for action in parser._actions if action.dest == "groups"]
    assert described is not None
    assert str(group.help).startswith(described[1] + ";")
    with pytest.raises(SystemExit):
        main(["render", "--help"])
    assert "--group NAME=LAYERS" in capsys.readouterr().out
