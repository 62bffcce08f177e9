"""Whether a fault shows is told by its difference from a twin: each way on made-up norms, with the step known."""

import numpy as np
import pytest

from benchmarks.clinic.truth import WAYS, Truth, harm, shown
from gradmidi.recording import Recording

STEPS, ONSET, BEGIN = 300, 100, 140  # BEGIN: where the made-up fault can first be seen


def made(change=lambda norms, updates, loss, gaps: None):
    """Two layers that wander by a fifth around 1 and 2, a loss that falls to a tenth; ``change`` alters them."""
    draw = np.random.default_rng(3)
    norms = np.array([1.0, 2.0]) * np.exp(0.2 * draw.standard_normal((STEPS, 2)))
    updates, loss = norms * 1e-3, 0.1 ** (np.arange(STEPS) / STEPS)
    gaps = np.zeros(norms.shape, dtype=bool)
    change(norms, updates, loss, gaps)
    metrics = {"loss": loss, "update_ratio a": updates[:, 0], "update_ratio b": updates[:, 1]}
    return Recording(("a", "b"), np.arange(STEPS), norms, metrics, {}, gaps)


def put(which, value, where=slice(BEGIN, None)):
    """A change that sets one of the arrays to a value, or to what a function makes of it."""

    def change(norms, updates, loss, gaps):
        target = {"norms": norms[:, 0], "updates": updates[:, 0], "loss": loss, "gaps": gaps[:, 0]}[which]
        target[where] = value(target[where]) if callable(value) else value

    return change


def noisy(norms):
    return norms * np.exp(2 * np.random.default_rng(5).standard_normal(len(norms)))


# What is done to a run, and what has to be seen of it, each way at the step given (or a few steps later, as a median
# needs to turn: at most half its window).
CASES = {
    "nothing": (made(), {}),
    "nan": (made(put("norms", np.nan)), {"nan": BEGIN}),
    "nan loss": (made(put("loss", np.nan)), {"nan": BEGIN}),
    "inf": (made(put("norms", np.inf, BEGIN)), {"inf": BEGIN}),
    "zero": (made(put("norms", 0.0, BEGIN)), {"zero": BEGIN}),
    "gap": (made(put("gaps", True)), {"frozen": BEGIN}),
    "still": (made(put("updates", lambda x: x * 1e-4)), {"frozen": BEGIN}),
    "spike": (made(put("norms", lambda x: x * 50, BEGIN)), {"spike": BEGIN}),
    "larger": (made(put("norms", lambda x: x * 8)), {"larger": BEGIN}),
    "smaller": (made(put("norms", lambda x: x / 8)), {"smaller": BEGIN}),
    "four times is not larger": (made(put("norms", lambda x: x * 4)), {}),
    "eight times for nine steps": (made(put("norms", lambda x: x * 8, slice(BEGIN, BEGIN + 9))), {}),
    "noise": (made(put("norms", noisy)), {"noise": BEGIN}),
    "loss higher": (made(put("loss", lambda x: x * 6)), {"loss-higher": BEGIN}),
    "before the onset": (made(put("norms", lambda x: x * 50, slice(0, ONSET))), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_way_is_seen_when_it_begins(name):
    run, expected = CASES[name]
    found = shown(run, made(), ONSET)
    ways = set(found) - ({"spike"} if name == "noise" else set())  # of which strong noise has some
    assert ways == set(expected)
    for way, step in expected.items():
        assert step <= found[way] <= step + 12


def test_a_loss_that_never_moves_is_flat_once_the_twins_has_halved():
    flat = made(put("loss", 1.0, slice(None)))
    found = shown(flat, made(), 0)
    # Medians over 50 steps trail by 25, so the twin's first one is that of step 24; a half is log10(2) · 300 steps on.
    assert found["loss-flat"] == pytest.approx(49 + 300 * np.log10(2), abs=2)


def test_a_fault_from_the_start_is_seen_at_the_start():
    assert shown(made(put("norms", lambda x: x * 8, slice(None))), made(), 0) == {"larger": 0}


def test_a_spike_at_the_onset_is_measured_against_the_steps_before():
    def change(norms, updates, loss, gaps):
        norms[ONSET, 0] *= 100

    assert shown(made(change), made(), ONSET) == {"spike": ONSET}


def test_harm_is_how_much_higher_the_loss_ends():
    assert harm(made(put("loss", lambda x: x * 6, slice(250, None))), made()) == pytest.approx(6)
    assert harm(made(put("loss", np.nan, slice(270, None))), made()) == np.inf
    assert harm(made()[:200], made()) == 1


def test_a_peak_as_the_twin_has_them_nearby_is_no_spike():
    def peak(step, height):
        return made(put("norms", lambda x: x * height, step))

    assert shown(peak(BEGIN, 50), peak(BEGIN + 30, 25), ONSET) == {}
    assert shown(peak(BEGIN, 50), peak(BEGIN + 60, 25), ONSET) == {"spike": BEGIN}
    assert shown(peak(BEGIN, 100), peak(BEGIN + 30, 10), ONSET) == {"spike": BEGIN}


def test_a_truth_tells_its_first_step():
    truth = Truth("mlp", "lr-high", 0, 7, (), {"nan": 9, "larger": 8}, False)
    assert (truth.shows, truth.shown_at, truth.ways, truth.healthy) == (True, 8, {"nan", "larger"}, False)
    unseen = truth._replace(shown={})
    assert (unseen.shows, unseen.shown_at, unseen.ways) == (False, None, frozenset())
    assert truth.ways <= set(WAYS)
