"""The clinic's files: what is kept of a recording, the sample in the repository, and making a part of the clinic."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.clinic.healthy import HEALTHY
from benchmarks.clinic.making import orders
from benchmarks.clinic.runs import load, load_runs, save
from benchmarks.clinic.sample import SAMPLE, SAMPLE_FOLDER
from benchmarks.clinic.training import Training
from benchmarks.clinic.truth import WAYS, shown
from benchmarks.clinic.wards import WARDS
from gradmidi.errors import InputError
from gradmidi.recording import Recording

FOLDER = SAMPLE_FOLDER
ROOT = Path(__file__).parents[2]


def test_a_recording_comes_back_with_what_is_special_and_nearly_all_digits(tmp_path):
    draw = np.random.default_rng(0)
    norms = np.exp(8 * draw.standard_normal((203, 3)))
    norms[5] = [0.0, np.inf, np.nan]
    norms[6] = [1e-44, 3.4e38, 1.0]  # a denormal must not become 0, nor the largest number Inf
    gaps = np.zeros(norms.shape, dtype=bool)
    gaps[7:9, 1] = True
    updates = {f"update_ratio {layer}": norms[:, i] * 1e-3 for i, layer in enumerate("abc")}
    loss = np.where(np.arange(203) == 100, np.nan, draw.random(203))
    recording = Recording(tuple("abc"), np.arange(203), norms, {"loss": loss, **updates}, {"model": "Net"}, gaps)
    save(recording, tmp_path / "run.npz")
    back = load(tmp_path / "run.npz")
    assert (back.layers, back.meta, back.steps.tolist()) == (recording.layers, recording.meta, list(range(203)))
    assert back.gaps.tolist() == gaps.tolist()
    assert list(back.metrics) == list(recording.metrics)
    assert back.norms[6, 0] > 0
    assert np.isfinite(back.norms[6, 1])
    usual = np.arange(203) != 6
    np.testing.assert_allclose(back.norms[usual], recording.norms[usual], rtol=2**-13)
    np.testing.assert_allclose(back.metrics["loss"], loss, rtol=2**-13)
    for name, values in updates.items():
        np.testing.assert_allclose(back.metrics[name][usual], values[usual], rtol=2**-9)


def test_the_sample_shows_every_way_and_holds_nothing_that_is_held_out():
    runs = list(load_runs(FOLDER))
    assert sorted(run.name for run in runs) == sorted(SAMPLE)
    assert {way for run in runs for way in run.truth.ways} == set(WAYS)
    assert not any(run.truth.held_out for run in runs)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000
    for name, recording, truth in runs:
        assert name == f"{truth.arch}.{truth.fault}.{truth.seed}"
        assert truth.healthy == (truth.fault in HEALTHY) == (not truth.shows)
        assert recording.norms.shape == (len(recording), len(recording.layers)) == (len(recording), 4)
        assert set(truth.layers) <= set(recording.layers)


def test_the_samples_truth_is_what_a_comparison_with_the_twin_tells():
    runs = {run.name: run for run in load_runs(FOLDER)}
    run, twin = runs["mlp.lr-high.0"], runs["mlp.healthy.0"]
    assert shown(run.recording, twin.recording, 0) == run.truth.shown


def test_a_name_picks_runs():
    assert [run.name for run in load_runs(FOLDER, "mlp.lr-*")] == ["mlp.lr-high.0", "mlp.lr-high.2"]


def test_a_folder_without_a_clinic_is_told_how_to_get_one(tmp_path):
    with pytest.raises(InputError, match=r"holds no truth\.json; make the clinic with"):
        next(load_runs(tmp_path))


def test_every_fault_has_a_twin_that_is_as_long():
    there = set(orders())
    assert len(there) == len(orders())
    assert {order.twin for order in there} <= there


def test_a_healthy_net_learns():
    losses = Training(WARDS["mlp"], WARDS["mlp"].recipe, 0).record(1000).metrics["loss"]
    assert np.median(losses[-50:]) < WARDS["mlp"].healthy_loss


@pytest.mark.slow
@pytest.mark.parametrize("arch", [name for name in WARDS if name != "mlp"])
def test_a_healthy_net_of_each_architecture_learns(arch):
    losses = Training(WARDS[arch], WARDS[arch].recipe, 0).record(1000).metrics["loss"]
    assert np.median(losses[-50:]) < WARDS[arch].healthy_loss


@pytest.mark.slow
def test_a_part_is_made_once_and_judged(tmp_path):
    command = [sys.executable, "-m", "benchmarks.clinic", "make", "--data", str(tmp_path), "--only", "mlp.nan-input.1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for there in (0, 2):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert f"2 runs, {there} of them are there" in done.stderr
    twin, broken = load_runs(tmp_path)
    assert twin.truth.healthy
    assert broken.truth.shown == {"nan": broken.truth.onset}
    assert broken.recording.norms[: broken.truth.onset].tolist() == twin.recording.norms[: broken.truth.onset].tolist()
