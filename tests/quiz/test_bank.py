"""The runs that ship with the package are what they are said to be, by their numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.quiz.bank import BANK, KINDS, Known, chosen_kinds, known_runs, save_runs

RUNS = known_runs()


def halves(run: Known) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Norms before and after the onset, and which layers are affected."""
    affected = np.isin(run.recording.layers, run.layers)
    return run.recording.norms[: run.onset], run.recording.norms[run.onset :], affected


def test_the_file_is_small():
    assert BANK.stat().st_size < 100_000


def test_every_kind_has_as_many_runs():
    assert Counter((run.kind, run.practice) for run in RUNS) == {
        (kind, practice): 1 if practice else 4 for kind in KINDS for practice in (False, True)
    }
    assert len({run.name for run in RUNS}) == len(RUNS)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_run_is_of_its_kind(run):
    before, after, affected = halves(run)
    assert np.isfinite(before).all()
    assert (before > 0).all()
    whole, others = after[:, affected], after[:, ~affected]
    usual = np.median(np.log10(before), axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        decades = np.median(np.log10(after[20:60]), axis=0) - usual
        change = [np.median(np.abs(np.diff(np.log(part), axis=0)), axis=0) for part in (before, after)]
    assert {
        "healthy": not affected.any() and (abs(decades) < 0.7).all() and (change[1] < 2.6 * change[0]).all(),
        "noisy": (change[1] > 2.6 * change[0])[affected].all() and (change[1] > 0.9)[affected].all(),
        "exploding": (decades > 2)[affected].all() and np.isfinite(whole).all(),
        "vanishing": (decades < -3.5)[affected].all() and (whole > 0).all(),
        "dead": (whole == 0).sum() > 0.99 * whole.size,
        "nan": np.isnan(whole).all() and affected.all(),
    }[run.kind]
    assert np.isfinite(others).all()
    assert (others > 0).all()


def test_runs_survive_the_file(tmp_path):
    save_runs(RUNS[:3], tmp_path / "runs.npz")
    assert (tmp_path / "runs.npz").stat().st_size < 10_000
    with np.load(tmp_path / "runs.npz") as again, np.load(BANK) as first:
        assert (again["run2"] == first["run2"]).all()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [(None, tuple(KINDS)), ("dead, Healthy", ("healthy", "dead")), ("nan,nan,noisy", ("noisy", "nan"))],
)
def test_kinds_are_chosen_by_name(text, kinds):
    assert chosen_kinds(text) == kinds


@pytest.mark.parametrize(("text", "message"), [("dead,deaf", "no kind 'deaf'"), ("dead", "at least two"), ("", "two")])
def test_kinds_that_cannot_be_chosen(text, message):
    with pytest.raises(InputError, match=message):
        chosen_kinds(text)
