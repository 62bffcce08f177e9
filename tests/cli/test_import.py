"""`gradmidi import` and `render` on logs of other tools, as a person runs them; and pieces of a given length."""

import json

import mido
import numpy as np
import pytest

from gradmidi.recording import Recording

pytest.importorskip("tensorboard")
from torch.utils.tensorboard import SummaryWriter

pytestmark = pytest.mark.slow


@pytest.fixture
def event_folder(tmp_path):
    """2,000 steps of two layers, one of which explodes and becomes NaN."""
    with SummaryWriter(str(tmp_path / "run")) as writer:
        for step in range(2000):
            writer.add_scalar("grad/conv1/norm", 1.0 + step % 7, step)
            if step % 2 == 0:
                fc1 = 1e6 if step == 1000 else float("nan") if step == 1500 else 2.0
                writer.add_scalar("grad/fc1/norm", fc1, step)
            writer.add_scalar("train/loss", 1 / (1 + step), step)
    return tmp_path / "run"


def test_a_tensorboard_run_becomes_sound_in_one_command(event_folder, run_cli, tmp_path):
    options = ("--mid", "x.mid", "--wav", "x.wav", "--sine", "s.wav", "--plot", "x.png", "--duration", "10s", "--json")
    done = run_cli("render", event_folder, "--sound", "post", *options)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["steps"] == 2000
    assert result["layers"] == ["conv1", "fc1"]
    assert result["anomalies"] == {"spike": 1, "nan": 1}
    file = mido.MidiFile(tmp_path / "x.mid")
    assert [track.name for track in file.tracks] == ["run", "conv1", "fc1", "alarm"]
    assert 9.5 < file.length <= 10
    marks = [message.text for track in file.tracks for message in track if message.type == "marker"]
    assert "NaN in fc1 at step 1500" in marks
    assert any(mark.startswith("spike in fc1 at step 1000: 1e+06, ") for mark in marks)
    seconds = {item["kind"]: item["seconds"] for item in result["files"]}
    assert 9.9 < seconds["sine"] <= 10, "the sine has bins of its own length"
    assert seconds["sound"] < 12


def test_import_writes_what_the_log_holds(event_folder, run_cli, tmp_path):
    done = run_cli("import", event_folder, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["file"], result["steps"]) == ("norms.csv", 2000)
    assert result["layers"] == {"conv1": 2000, "fc1": 1000}
    assert result["metrics"] == {"loss": 2000}
    recording = Recording.load(tmp_path / "norms.csv")
    direct = Recording.from_tensorboard(event_folder)
    assert np.array_equal(recording.norms, direct.norms, equal_nan=True)
    assert np.array_equal(recording.gaps, direct.gaps)
    assert recording.gaps[1::2, 1].all()


def test_import_chooses_columns_metrics_and_archive(event_folder, run_cli, tmp_path):
    done = run_cli("import", event_folder, "--out", "a.npz", "--columns", "*fc1*", "--metrics", "*loss", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    recording = Recording.load(tmp_path / "a.npz")
    assert recording.layers == ("grad/fc1/norm",), "one name shares nothing with others"
    assert run_cli("import", "a.npz", "--out", "b.csv", check=True).stderr.endswith("b.csv: 1000 steps × 1 layers\n")
    assert np.array_equal(Recording.load(tmp_path / "b.csv").norms, recording.norms, equal_nan=True)


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv", "export.csv", "norms.csv", "norms.npz"])
def test_render_chooses_the_reader_by_what_it_is(name, healthy, run_cli, tmp_path):
    path = tmp_path / name
    if name == "log.jsonl":
        path.write_text("".join(json.dumps({"step": i, "grad": {"a": 1 + i, "b": 2.0}}) + "\n" for i in range(5)))
    elif name == "log.csv":
        path.write_text("step,acc,grad_norm/a,grad_norm/b\n" + "".join(f"{i},0.5,{i},2\n" for i in range(5)))
    elif name == "export.csv":
        path.write_text("_step,_runtime,grad_norm/a,grad_norm/b\n" + "".join(f"{i},0.5,{i},2\n" for i in range(5)))
    else:
        healthy.only(["conv*"]).rows(0, 5).save(path)
    result = json.loads(run_cli("render", name, "--mid", "x.mid", "--json", check=True).stdout)
    assert result["steps"] == 5
    assert result["layers"] == (["conv1", "conv2"] if name.startswith("norms") else ["a", "b"])


BAD = [
    (["import", "none"], "none: no such file; give a recording or the log of a run"),
    (["import", "empty"], "there is no log in it or below it"),
    (["import", "two"], "two: 2 runs: a, b; choose one with run (on the command line --run)"),
    (["import", "two", "--run", "c"], "no run is called 'c'; there are a, b"),
    (["import", "two", "--run", "a", "--columns", "x*"], "no column fits 'x*'; there are grad_norm"),
    (["import", "two", "--run", "a", "--step", "s"], "leave --step out"),
    (["import", "two", "--run", "a", "--out", "x.txt"], "--out x.txt: the name must end in .csv or .npz"),
    (["import", "two", "--run", "a", "--out", "t.csv/x.csv"], "cannot write"),
    (["import", "t.csv", "--step", "a"], "no column looks like a gradient norm"),
    (["import", "t.csv", "--step", "a", "--run", "x"], "it holds one run, without a name"),
    (["import", "t.csv", "--step", "b"], "there is no column called 'b'; there are time, a"),
    (["import", "x.npz"], "x.npz is not a recording that gradmidi wrote"),
    (["import", "x.npz", "--columns", "a"], "there is nothing to choose in it"),
    (["import", "bad.jsonl"], "bad.jsonl, line 1 is not JSON"),
    (["render", "two", "--mid", "x.mid"], "2 runs: a, b"),
    (["render", "n.csv", "--mid", "x.mid", "--duration", "long"], "'long' is not a duration"),
    (["render", "n.csv", "--mid", "x.mid", "--duration", "0.1s"], "one step of 1 voices lasts 0.15 s"),
    (["render", "n.csv", "--sine", "x.wav", "--duration", "1e-3"], "a duration of 0.001 s is not possible"),
    (["train", "--duration", "0.1s"], "one step of 4 voices lasts 0.3 s"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_bad_input_is_one_line_and_exit_2(line, message, run_cli, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "t.csv").write_text("time,a\n0,1\n")
    (tmp_path / "n.csv").write_text("step,a\n0,1\n")
    (tmp_path / "x.npz").write_text("x")
    (tmp_path / "bad.jsonl").write_text("{")
    for run in "ab":
        with SummaryWriter(str(tmp_path / "two" / run)) as writer:
            writer.add_scalar("grad_norm", 1.0, 0)
    before = {path.name for path in tmp_path.iterdir()}
    done = run_cli(*line)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == before, "nothing half-written is left"


def test_a_file_that_was_cut_short_is_read_and_said(event_folder, run_cli):
    [path] = event_folder.iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    done = run_cli("import", path)
    assert done.returncode == 0
    assert "is cut short or damaged at byte" in done.stderr
    assert "cut short" in run_cli("render", path, "--mid", "x.mid").stderr


def test_train_makes_a_piece_of_the_given_length(run_cli, tmp_path):
    done = run_cli("train", "--steps", "40", "--seed", "1", "--duration", "3s", "--data", "auto", "--json")
    assert done.returncode == 0, done.stderr
    seconds = {item["kind"]: item["seconds"] for item in json.loads(done.stdout)["files"]}
    assert seconds["MIDI"] == pytest.approx(3.0)
    assert len(Recording.load(tmp_path / "out" / "norms.csv")) == 40, "the recording is whole"
