"""What a session says at its end, and what session.report holds."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from gradmidi.errors import TrainingWarning
from gradmidi.recording import Recording
from gradmidi.session import listen
from tests.measure.nets import small_net, train


def poisoned(steps: int, bad: range, **options: object):
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with listen(model, optimizer, **options) as session:
        for step in range(steps):
            train(model, optimizer, 1, loss=lambda value, step=step: value * (float("nan") if step in bad else 1.0))
    return session


@pytest.mark.parametrize("path", [None, "norms.csv"])
def test_nan_is_said_once_at_the_end_and_held_in_the_report(path: str | None, tmp_path: Path) -> None:
    with pytest.warns(TrainingWarning) as caught:
        session = poisoned(9, range(6, 9), path=path and tmp_path / path)
        session.detach()
    said = [str(one.message) for one in caught]
    first = session.layers[0]
    assert said == [f"gradmidi: NaN in 3 of 9 steps, first in {first} at step 6"]
    assert session.report.problems == (f"NaN in 3 of 9 steps, first in {first} at step 6",)
    assert (session.report.steps, session.report.layers) == (9, session.layers)
    assert str(session.report).startswith("9 steps × ")


def test_a_second_run_that_goes_wrong_alike_says_so_too() -> None:
    """As a cell with a seed that is run again: Python shows a warning of the same words and place only once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            poisoned(9, range(6, 9))
    assert len([one for one in caught if issubclass(one.category, TrainingWarning)]) == 2


def test_a_healthy_run_ends_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session = poisoned(12, range(0))
    assert session.report.findings == ()


def test_the_report_can_be_asked_for_while_training() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer) as session:
        train(model, optimizer, 2)
        assert session.report.steps == 2
        train(model, optimizer, 1)
    assert session.report.steps == 3


def test_the_players_report_is_kept(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer, live=f"file:{tmp_path / 'live.txt'}", live_options={"pace": "wait"}) as session:
        assert session.report.live is None
        train(model, optimizer, 3)
    live = session.report.live
    assert live is not None
    assert (live.steps, live.heard) == (3, 3)
    assert live.notes == 3 * len(session.layers)


def test_a_metric_that_was_not_declared_becomes_a_column_in_memory() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer) as session:
        train(model, optimizer, 1)
        session.log(accuracy=0.5)
        train(model, optimizer, 1)
        train(model, optimizer, 300)
    np.testing.assert_array_equal(session.recording.metrics["accuracy"][:3], [np.nan, 0.5, np.nan])
    assert np.isnan(session.recording.metrics["accuracy"][3:]).all()


def test_a_metric_logged_before_the_first_step_becomes_a_column_of_the_file(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer, path=tmp_path / "norms.csv", meta={"seed": 3}) as session:
        for step in range(3):
            session.log(accuracy=step / 4)
            train(model, optimizer, 1)
    rec = Recording.load(tmp_path / "norms.csv")
    assert rec.metrics["accuracy"].tolist() == [0, 0.25, 0.5]
    assert rec.meta["seed"] == "3"


def test_a_metric_that_comes_too_late_for_the_file_is_said_once(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with (
        pytest.warns(
            TrainingWarning, match=r"accuracy: not recorded.*metrics=\('epoch', 'loss', 'accuracy'\)"
        ) as caught,
        listen(model, optimizer, path=tmp_path / "norms.csv") as session,
    ):
        for step in range(4):
            train(model, optimizer, 1)
            session.log(accuracy=step)
    assert len(caught) == 1
    assert len(Recording.load(tmp_path / "norms.csv")) == 4
    assert "accuracy" in session.report.notices[0]
