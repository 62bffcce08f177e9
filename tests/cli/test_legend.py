"""`gradmidi legend` and `--captions`: words on stdout, files where they are asked for, one clear line for bad input."""

from __future__ import annotations

import json

import mido
import pytest
import webvtt

import gradmidi as gm
from gradmidi.outputs.captions import captions_of


def test_without_a_file_it_prints_what_would_be_heard_and_when(run_cli):
    done = run_cli("legend", check=True)
    said = captions_of(gm.legend())
    lines = done.stdout.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [caption.text for caption in said]
    assert lines[0].startswith("0:00  conv1: Acoustic Grand Piano, left.")
    assert done.stderr == ""


def test_files_of_a_recordings_layers(run_cli, tmp_path):
    gm.Recording.from_arrays([[1.0, 2.0]], ["encoder", "decoder"]).save(tmp_path / "norms.csv")
    files = ("--mid", "l.mid", "--captions", "l.vtt", "--wav", "l.wav")
    done = run_cli("legend", "norms.csv", "--sound", "percussive", *files, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["what", "sound", "MIDI", "captions"]
    first, second, *_ = webvtt.read(tmp_path / "l.vtt")
    assert first.text.startswith("encoder: Xylophone") and second.text.startswith("decoder: Marimba")
    score = gm.legend(["encoder", "decoder"], sound="percussive")
    assert mido.MidiFile(tmp_path / "l.mid").length == pytest.approx(score.length, abs=0.01)
    assert (tmp_path / "l.wav").stat().st_size > 44_100 * 4 * score.length


def test_layers_can_be_named_and_json_has_all(run_cli):
    done = run_cli("legend", "--layers", "a, b", "--sound", "post", "--json", check=True)
    found = json.loads(done.stdout)
    assert [one["text"].split(":")[0] for one in found["captions"][:2]] == ["a", "b"]
    assert found["captions"][-1]["end"] <= found["seconds"]


def test_it_plays_on_a_port_and_says_each_thing_when_it_begins(run_cli, tmp_path):
    quick = ("--layers", "a", "--sound", "post", "--unit", "10ms")
    done = run_cli("legend", *quick, "--port", "file:port.txt", check=True)
    assert done.stdout.splitlines()[0].startswith("0:00  a: Acoustic Grand Piano")
    assert len(done.stdout.splitlines()) == len(captions_of(gm.legend(["a"], sound="post", unit="10ms")))
    assert (tmp_path / "port.txt").stat().st_size > 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.csv"], "missing.csv"),
        (["--sound", "loud"], "--sound: no sound is called 'loud'"),
        (["--captions", "legend.txt"], "--captions legend.txt: the name must end in .vtt"),
        (["--duration", "5s"], "--duration is for runs"),
        (["--max-rate", "100"], "--max-rate is for live notes; give --port as well"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words, message, run_cli, tmp_path):
    done = run_cli("legend", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("gradmidi legend: ") and message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == "" and not list(tmp_path.iterdir())


def test_render_writes_captions_of_what_it_plays(run_cli, tmp_path):
    norms = [[1.0, 2.0]] * 30 + [[float("nan"), 2.0]] * 30
    rows = gm.Recording.from_arrays(norms, ["a", "b"], loss=[1.0] * 60)
    rows.save(tmp_path / "norms.csv")
    done = run_cli("render", "norms.csv", "--captions", "run.vtt", "--sound", "ambient", check=True)
    assert "captions  run.vtt" in done.stdout
    read = webvtt.read(tmp_path / "run.vtt")
    assert [cue.raw_text for cue in read] == [
        "\n".join(one.lines) for one in captions_of(gm.compose(rows, sound="ambient"))
    ]
    assert "Alarm: NaN in a at step 30." in read[-1].raw_text


def test_captions_that_cannot_be_written_are_refused_before_any_work(run_cli, tmp_path):
    gm.Recording.from_arrays([[1.0]]).save(tmp_path / "norms.csv")
    done = run_cli("render", "norms.csv", "--captions", "run.srt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gradmidi render: --captions run.srt: the name must end in .vtt\n"
