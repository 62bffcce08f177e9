"""When it is time to look, and what the gathered steps come to."""

import time

import numpy as np
import pytest

from gradmidi.recording.gathering import MOST, Gathering
from gradmidi.recording.row import Row

LAYERS = ("conv1", "fc1")
LATER = 1e9  # s after now


@pytest.fixture
def gathering():
    """One for which it is not time yet."""
    made = Gathering(LAYERS)
    made.look_at = time.perf_counter() + LATER
    return made


def norms(*values):
    return np.array(values, dtype=np.float32)


def test_it_is_time_at_the_time_that_was_set(gathering):
    assert gathering.append(Row.of(0, norms(1, 2))) is False
    gathering.look_at = time.perf_counter()
    assert gathering.append(Row.of(1, norms(1, 2))) is True


def test_it_is_time_when_many_steps_have_come(gathering):
    told = [gathering.append(Row.of(step, norms(1, 2))) for step in range(MOST)]
    assert told == [False] * (MOST - 1) + [True]


def test_it_stays_time_until_somebody_looks(gathering):
    for step in range(MOST):
        gathering.append(Row.of(step, norms(1, 2)))
    assert gathering.append(Row.of(MOST, norms(1, 2))) is True
    assert len(gathering.take()) == MOST + 1
    assert gathering.append(Row.of(MOST + 1, norms(1, 2))) is False


@pytest.mark.parametrize("sick", [np.nan, np.inf, 3e38])
def test_it_is_time_at_once_for_an_alarm_and_the_largest_norm_is_none(gathering, sick):
    assert gathering.append(Row.of(0, norms(1, sick))) is (not np.isfinite(sick))
    gathering.limits = [np.inf, 20.0]
    assert gathering.append(Row.of(1, norms(1, sick))) is True
    gathering.limits = None
    assert gathering.append(Row.of(2, norms(1, sick))) is False


def test_a_layer_over_its_own_limit_is_looked_at_at_once(gathering):
    gathering.limits = [100.0, 20.0]
    assert gathering.append(Row.of(0, norms(99, 19))) is False
    assert gathering.append(Row.of(1, norms(99, 20))) is True
    assert gathering.append(Row.of(2, norms(101, 1))) is True


def test_a_gap_is_no_alarm(gathering):
    assert gathering.append(Row.of(0, norms(1, np.nan), gaps=np.array([False, True]))) is False
    assert gathering.append(Row.of(1, norms(np.nan, np.nan), gaps=np.array([False, True]))) is True


def test_the_steps_come_back_as_a_recording(gathering):
    gathering.append(Row.of(4, norms(1, 2), {"loss": 0.5}))
    gathering.append(Row.of(6, norms(3, np.nan), {"loss": 0.25, "epoch": 1.0}, np.array([False, True])))
    rows = gathering.take()
    assert rows.layers == LAYERS and rows.steps.tolist() == [4, 6]
    np.testing.assert_array_equal(rows.norms, [[1, 2], [3, np.nan]])
    assert rows.gaps.tolist() == [[False, False], [False, True]]
    assert rows.metrics["loss"].tolist() == [0.5, 0.25]
    np.testing.assert_array_equal(rows.metrics["epoch"], [np.nan, 1.0])
    assert len(gathering) == 0
