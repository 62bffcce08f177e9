"""Two runs on the same steps: matched by number, whatever their lengths, offsets and intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradmidi.composition.two_runs.pairing import pair
from gradmidi.errors import InputError
from gradmidi.recording import Recording


def run(steps, layers=("a", "b"), scale=1.0) -> Recording:
    """A run whose norms tell their step and layer: scale × step + column / 10."""
    steps = np.asarray(steps)
    norms = scale * steps[:, np.newaxis] + np.arange(len(layers)) / 10
    return Recording(tuple(layers), steps, norms, {"loss": steps * 2.0})


def matched(one: Recording, other: Recording) -> list[tuple[float, float]]:
    """The steps of both rows wherever both have one, read from the norms."""
    found = pair(one, other)
    return [tuple(float(side.recording.norms[i, 0]) for side in found.sides) for i in np.flatnonzero(found.both)]


def test_equal_steps_belong_together_whatever_the_lengths():
    found = pair(run(range(10)), run(range(4, 30)))
    assert found.steps.tolist() == list(range(30))
    assert found.both.tolist() == [4 <= step < 10 for step in range(30)]
    assert found.exact
    assert [side.heard.sum() for side in found.sides] == [10, 26]
    assert found.sides[1].recording.gaps[:4].all() and not found.sides[1].recording.gaps[4:].any()
    assert np.isnan(found.sides[1].recording.metrics["loss"][:4]).all()


@given(
    st.lists(st.integers(-40, 200), min_size=1, max_size=40, unique=True),
    st.lists(st.integers(-40, 200), min_size=1, max_size=40, unique=True),
)
def test_equal_steps_of_any_two_runs_logged_each_step_belong_together(first, second):
    """The oracle is a dictionary. Both have neighbouring steps, so that the interval is 1."""
    first, second = (sorted({*range(300, 400), *steps}) for steps in (first, second))
    common = sorted(set(first) & set(second))
    assert matched(run(first), run(second)) == [(step, step) for step in common]


@pytest.mark.parametrize("every", [2, 7, 10, 50])
def test_the_coarser_run_decides_and_the_nearest_row_is_taken(every):
    fine, coarse = range(1000), range(0, 1000, every)
    assert matched(run(fine), run(coarse)) == [(step, step) for step in coarse]
    assert matched(run(coarse), run(fine)) == [(step, step) for step in coarse]
    found = pair(run(fine), run(coarse))
    assert (found.sides[0].every, found.sides[1].every) == (1, every)
    assert found.exact
    assert found.sides[0].left_out + found.sides[0].heard.sum() == 1000


def test_steps_that_are_shifted_meet_the_nearest():
    """At 0, 10, 20 … and 3, 13, 23 …: every pair is 3 apart, and none is used twice."""
    one, other = run(range(0, 200, 10)), run(range(3, 203, 10))
    assert matched(one, other) == [(step, step + 3) for step in range(0, 200, 10)]
    assert matched(other, one) == [(step + 3, step) for step in range(0, 200, 10)]
    assert not pair(one, other).exact


def test_a_hole_in_one_run_is_silence_there():
    steps = [*range(100), *range(150, 300)]
    found = pair(run(range(300)), run(steps))
    assert found.steps.tolist() == list(range(300))
    assert np.flatnonzero(~found.sides[1].heard).tolist() == list(range(100, 150))
    assert found.sides[0].heard.all()


def test_of_a_step_that_was_counted_twice_the_last_row_counts():
    steps = [0, 1, 2, 3, 2, 3, 4]
    norms = np.arange(7.0)[:, np.newaxis]
    resumed = Recording(("a",), np.array(steps), norms)
    found = pair(resumed, run(range(5), ["a"]))
    assert found.sides[0].recording.norms[:, 0].tolist() == [0, 1, 4, 5, 6]
    assert found.sides[0].repeated == 2
    assert found.sides[0].slots.tolist() == steps


def test_layers_are_matched_by_name_in_the_order_of_the_first():
    found = pair(run(range(5), ["a", "b", "c", "x"]), run(range(5), ["y", "c", "a", "b"], scale=2))
    assert found.layers == ("a", "b", "c")
    assert found.only == (("x",), ("y",))
    assert found.sides[1].recording.norms[3].tolist() == pytest.approx([6.2, 6.3, 6.1])


def test_names_of_a_log_are_matched_without_what_all_begin_with():
    log = run(range(5), ["grad_norm/net/conv1", "grad_norm/net/fc"])
    found = pair(run(range(5), ["fc", "conv1", "x"]), log)
    assert (found.layers, found.only) == (("fc", "conv1"), (("x",), ()))
    assert found.sides[1].run.layers == ("conv1", "fc")
    # Only if no name is in both as it is.
    assert pair(run(range(5), ["a", "b"]), run(range(5), ["a", "x/b"])).layers == ("a",)


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (run([]), run([1]), "run A has no steps"),
        (run([1]), run([]), "run B has no steps"),
        (run([1], ["a"]), run([1], ["b"]), "no layer of the same name: A has 'a', B has 'b'"),
        (run(range(5)), run(range(9, 12)), "share no steps: A has 0 to 4, B has 9 to 11"),
    ],
)
def test_runs_that_cannot_be_compared(one, other, message):
    with pytest.raises(InputError, match=message):
        pair(one, other)


def test_steps_as_large_as_they_can_be():
    top = np.iinfo(np.int64).max
    found = pair(run([-top - 1, 0, top]), run([-top - 1, 5, top]))
    assert found.both[[0, -1]].all()
    assert found.steps[[0, -1]].tolist() == [-top - 1, top]
