"""`gradmidi train` as a person runs it: a real process, real files."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import mido
import numpy as np
import pandas
import pytest
import soundfile

from gradmidi.outputs.sine import tones
from gradmidi.recording import Recording

pytestmark = pytest.mark.slow

SIX = {"norms.csv", "gradients.mid", "gradients.wav", "sine.wav", "score.png", "captions.vtt"}


@pytest.fixture(scope="module")
def default_run(tmp_path_factory):
    """The whole default run, once."""
    folder = tmp_path_factory.mktemp("default")
    command = [sys.executable, "-m", "gradmidi", "train", "sgd-lr0.01", "--seed", "1", "--out", "a", "--device", "cpu"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=300)
    return folder, done


def test_it_leaves_its_files(default_run):
    folder, done = default_run
    assert {path.name for path in (folder / "a").iterdir()} == SIX | {"events.csv"}
    assert "5,000 embedded MNIST digits, seed 1" in done.stderr
    for name in SIX:
        assert name in done.stdout
    assert re.search(r"\d+ notes", done.stdout)
    assert (folder / "a" / "score.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_bytes(default_run, run_cli):
    folder, _ = default_run
    run_cli("train", "sgd-lr0.01", "--seed", 1, "--out", "b", "--device", "cpu", "--quiet", cwd=folder, check=True)
    for name in ("norms.csv", "gradients.mid", "sine.wav"):
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes(), name


def test_the_sine_is_the_formula_on_the_csv(default_run):
    folder, _ = default_run
    norms = pandas.read_csv(folder / "a" / "norms.csv", comment="#").to_numpy()[:, 3:]
    samples, _ = soundfile.read(folder / "a" / "sine.wav", dtype="float32")
    assert len(samples) == 531_846
    blocks = samples.reshape(201, -1)
    for row, block in zip(norms, blocks, strict=True):
        for slot, norm in enumerate(row):
            hertz = (200.0 + np.array(norm, dtype=np.float32) * 100.0).astype(np.float32)
            tone = 0.1 * np.sin(2 * np.pi * np.arange(441.0) * hertz / 44100).astype(np.float32)
            assert block[slot * 441 : slot * 441 + 441].tobytes() == tone.tobytes()
        assert not block[4 * 441 :].any()
    assert tones(norms).shape == (201, 4, 441)


def test_the_recording_says_how_it_was_made(default_run):
    folder, _ = default_run
    recording = Recording.load(folder / "a" / "norms.csv")
    assert recording.layers == ("conv1", "conv2", "fc1", "fc2")
    assert recording.steps.tolist() == list(range(201))
    assert recording.meta["seed"] == "1"
    assert {"model", "optimizer", "learning_rate", "batch_size", "device", "data", "torch", "python"} <= set(
        recording.meta
    )
    assert recording.metrics["loss"][-20:].mean() < recording.metrics["loss"][:20].mean()


@pytest.mark.parametrize("preset", ["sgd-lr0.1", "sgd-lr1.0", "sgd-lr1.0-bs256", "adam-lr0.01"])
def test_every_preset_runs_and_marks_what_happened(preset, run_cli, tmp_path):
    steps = ["--steps", 40] if preset.endswith("256") else []
    done = run_cli("train", preset, "--seed", 1, "--out", "o", "--json", "--device", "cpu", "--sound", "post", *steps)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    recording = Recording.load(tmp_path / "o" / "norms.csv")
    file = mido.MidiFile(tmp_path / "o" / "gradients.mid")
    markers = [m.text for m in file.tracks[0] if m.type == "marker"]
    nonfinite = int((~np.isfinite(recording.norms)).sum())
    assert result["anomalies"].get("nan", 0) + result["anomalies"].get("inf", 0) == nonfinite
    assert any(m.startswith(("NaN", "Inf")) for m in markers) == bool(nonfinite)
    hits = [m for track in file.tracks for m in track if m.type == "note_on" and m.channel == 9]
    assert len(hits) == nonfinite
    if "1.0" in preset:
        assert any("explodes" in marker or "spike" in marker for marker in markers)
        assert nonfinite or any("exactly 0" in marker for marker in markers)


def test_settings_override_a_preset(run_cli, tmp_path):
    options = ["--optimizer", "adam", "--lr", 0.002, "--batch-size", 3, "--steps", 7, "--seed", 5]
    done = run_cli("train", *options, "--out", "o", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    meta = Recording.load(tmp_path / "o" / "norms.csv").meta
    assert (meta["optimizer"], meta["learning_rate"], meta["batch_size"], meta["seed"]) == ("adam", "0.002", "3", "5")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["sgd-lr9"], "no preset is called 'sgd-lr9'"),
        (["--lr", "-0.1"], "--lr is -0.1"),
        (["--steps", "0"], "--steps is 0"),
        (["--steps", "many"], "invalid int value"),
        (["--scale", "doriam"], "unknown scale"),
        (["--mapping", "cubic"], "no mapping is called"),
        (["--tuning", "just"], "no tuning is called"),
        (["--layers", "conv9", "--steps", "1"], "no layer is called 'conv9'"),
        (["--unit", "soon"], "is not a length"),
        (["--container", "mp4"], "no container is called"),
        (["--soundfont", "none.sf2"], "there is no file"),
        (["--voices", "none.toml"], "none.toml: no such file"),
        (["--data", "nowhere"], "holds no MNIST"),
        (["--out", "blocked/out"], "cannot write"),
        (["--device", "cuda"], "this machine has none"),
        (["--colour"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(options, message, run_cli, tmp_path):
    import torch

    if "cuda" in options and torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    (tmp_path / "blocked").write_text("a file, not a folder")
    done = run_cli("train", *options)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert message in last
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.strip().splitlines() if not line.startswith("training on")]) == 1
    assert not (tmp_path / "out" / "gradients.mid").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_keeps_and_renders_what_there_is(tmp_path):
    command = [sys.executable, "-m", "gradmidi", "train", "--steps", "1000000", "--out", "o", "--device", "cpu"]
    command += ["--sound", "post"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background has them ignore Ctrl-C, and they would hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    norms = tmp_path / "o" / "norms.csv"
    deadline = time.monotonic() + 60
    while not (norms.exists() and norms.read_text().count("\n") > 60) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "interrupted after" in said
    steps = len(Recording.load(norms))
    assert steps > 30
    assert {path.name for path in (tmp_path / "o").iterdir()} == SIX | {"events.csv"}
    notes = [m for m in mido.MidiFile(tmp_path / "o" / "gradients.mid") if m.type == "note_on"]
    assert len(notes) == 4 * steps


def until_recorded(norms):
    deadline = time.monotonic() + 60
    while not (norms.exists() and norms.read_text().count("\n") > 60) and time.monotonic() < deadline:
        time.sleep(0.02)


def test_two_at_once_with_one_folder(run_cli, tmp_path):
    command = [sys.executable, "-m", "gradmidi", "train", "--steps", "1000000", "--out", "o", "--device", "cpu"]
    first = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_recorded(tmp_path / "o" / "norms.csv")
        second = run_cli("train", "--steps", 5, "--out", "o", "--quiet")
        assert second.returncode == 2
        (line,) = second.stderr.splitlines()
        assert f"o/norms.csv is being recorded to by process {first.pid};" in line
    finally:
        first.kill()
        first.wait()
    assert Recording.load(tmp_path / "o" / "norms.csv").steps.tolist()[:60] == list(range(60))
    done = run_cli("train", "--steps", 5, "--out", "o", "--seed", 1)  # a killed one holds nothing
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "o").iterdir()} == SIX | {"events.csv"}


def test_a_recording_of_another_training_is_kept(run_cli, healthy, tmp_path):
    (tmp_path / "o").mkdir()
    healthy.save(tmp_path / "o" / "norms.csv")
    done = run_cli("train", "--steps", 5, "--out", "o", check=True)
    assert "o/norms.csv: the earlier recording is kept as norms.1.csv" in done.stderr
    assert len(Recording.load(tmp_path / "o" / "norms.1.csv")) == 201
