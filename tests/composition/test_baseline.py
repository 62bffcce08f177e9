"""What is usual for a layer, against the same mean worked out norm by norm with Python's own floats."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradmidi.composition.baseline import Baseline

norms = st.one_of(st.floats(1e-30, 1e30), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0]))
columns = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(norms, min_size=width, max_size=width), max_size=12)
)


def worked_out(column: list[float], weight: float) -> list[float]:
    """The mean before each norm of one layer, and after the last."""
    mean, means = math.nan, []
    for norm in column:
        means.append(mean)
        if math.isfinite(norm) and norm > 0:
            mean = math.log(norm) if math.isnan(mean) else mean + weight * (math.log(norm) - mean)
    return [*means, mean]


@given(rows=columns, weight=st.sampled_from([0.1, 0.5, 1.0]), cut=st.integers(0, 12))
def test_only_norms_that_count_move_the_mean(rows, weight, cut):
    width = len(rows[0]) if rows else 2
    block = np.array(rows, dtype=np.float64).reshape(len(rows), width)
    baseline = Baseline(width, weight)
    means = np.concatenate([baseline.before(block[:cut]), baseline.before(block[cut:]), [baseline.now]])
    for layer in range(width):
        expected = worked_out(block[:, layer].tolist(), weight)
        assert means[:, layer].tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


def test_a_nan_leaves_what_was_usual_and_one_at_the_start_is_not_usual():
    baseline = Baseline(2, 0.5)
    baseline.before(np.array([[np.nan, math.e], [math.e**2, np.nan], [np.nan, np.inf], [0.0, math.e**3]]))
    assert baseline.now.tolist() == pytest.approx([2.0, 2.0])
