"""What is wrong with a run: series whose truth is known, by construction, and the same result however they come."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradmidi.events import KINDS, ONGOING, ONSET, RECOVERED, Event, Watch, find_events
from gradmidi.recording import Recording

LAYERS = ("conv1", "conv2", "fc1", "fc2")
STEPS = 600


def calm(steps: int = STEPS) -> np.ndarray:
    """Norms that vary by some ten per cent around 1, 2, 3 and 4."""
    return np.array([1.0, 2.0, 3.0, 4.0]) * np.exp(np.random.default_rng(3).normal(0, 0.1, (steps, 4)))


def falling(steps: int = STEPS) -> np.ndarray:
    return 0.1 + 2.2 * np.exp(-np.arange(steps) / 60)


def record(norms, loss=None, updates=None, gaps=None, every=1) -> Recording:
    metrics = {} if loss is None else {"loss": np.asarray(loss)}
    for layer, column in zip(LAYERS, [] if updates is None else np.asarray(updates).T, strict=False):
        metrics[f"update_ratio {layer}"] = column
    steps = every * np.arange(len(norms))
    return Recording(LAYERS, steps, np.asarray(norms, dtype=float), metrics, {}, gaps)


def told(recording: Recording) -> list[tuple[str, str, str, int, int]]:
    """Kind, phase, where, step and the step of the first evidence of all that is wrong."""
    events = [event for event in find_events(recording) if event.kind != "finished"]
    return [(event.kind, event.phase, event.where, event.step, event.since) for event in events]


def changed(where, factor) -> Recording:
    norms = calm()
    norms[where] *= factor
    return record(norms, falling())


def test_a_healthy_run_has_no_events_but_its_end():
    (end,) = find_events(record(calm(), falling()))
    assert (end.kind, end.phase, end.step, end.seen, end.row) == ("finished", ONSET, STEPS - 1, STEPS, STEPS - 1)
    assert end.text == "the run ended well after 600 steps"


def test_a_single_large_step_is_a_spike_of_the_layer_that_grew_most():
    assert told(changed((300, 1), 100.0)) == [
        ("spike", ONSET, "conv2", 300, 300),
        ("spike", RECOVERED, "conv2", 359, 300),
    ]


def test_a_step_of_nine_times_the_peak_is_no_spike_and_one_of_eleven_is():
    total = np.linalg.norm(calm()[:300], axis=1)
    for times, count in ((9.0, 0), (11.0, 1)):
        norms = calm()
        norms[300] = norms[300] / np.linalg.norm(norms[300]) * total.max() * times
        assert len([one for one in told(record(norms)) if one[:2] == ("spike", ONSET)]) == count


def test_an_explosion_that_lasts_is_one_onset_and_one_recovery():
    events = told(changed((slice(300, 450), 1), 100.0))
    assert [one for one in events if one[0] == "explosion"] == [
        ("explosion", ONSET, "conv2", 309, 300),
        ("explosion", RECOVERED, "conv2", 469, 300),
    ]
    assert [one[:2] for one in events if one[0] == "spike"] == [("spike", ONSET), ("spike", RECOVERED)]


def test_an_explosion_to_the_end_is_ongoing():
    explosions = [one for one in told(changed(slice(300, None), 100.0)) if one[0] == "explosion"]
    assert [one[1:4:2] for one in explosions] == [(ONSET, 309), (ONGOING, STEPS - 1)]


def test_a_slow_divergence_is_a_drift_and_no_spike():
    norms = calm(2000) * np.exp(np.arange(2000) / 200)[:, None]  # e times as large every 200 steps
    events = told(record(norms))
    assert [one[:2] for one in events] == [("drift", ONSET), ("drift", ONGOING)]
    # the mean log of fifty steps is ln 25 above that of the first twenty after 200 · ln 25 = 644 steps, and 15 more
    assert 644 <= events[0][3] <= 700


def test_nan_and_inf_are_told_at_their_step_and_once_while_they_flicker():
    norms = calm()
    norms[100:400:7, 2] = np.nan
    norms[200, :] = np.inf
    events = told(record(norms))
    assert [one for one in events if one[0] == "nan"] == [
        ("nan", ONSET, "fc1", 100, 100),
        ("nan", RECOVERED, "fc1", 449, 100),
    ]
    infs = [event for event in find_events(record(norms)) if event.kind == "inf" and event.phase == ONSET]
    assert [(event.step, event.layers) for event in infs] == [(200, (0, 1, 2, 3))]
    assert infs[0].text == "Inf in conv1 and 3 more layers at step 200"


def test_a_gap_is_no_nan():
    norms, gaps = calm(), np.zeros((STEPS, 4), dtype=bool)
    norms[100::9, 1], gaps[100::9, 1] = np.nan, True
    assert told(record(norms, gaps=gaps)) == []


def test_a_layer_that_dies_is_told_within_two_bins_and_flickering_zeros_once():
    norms = calm()
    norms[203:, 1] = 0.0
    assert [one[:3] for one in told(record(norms))] == [("zero", ONSET, "conv2"), ("zero", ONGOING, "conv2")]
    assert told(record(norms))[0][3:] == (209, 203), "at the end of the bin, from the first zero on"
    flickering = calm()
    flickering[np.random.default_rng(0).random(STEPS) < 0.8, 0] = 0.0
    onsets = [one for one in told(record(flickering)) if one[1] == ONSET]
    assert [one[0] for one in onsets] == ["zero"], "sixty marks with the earlier rule"


def test_a_zero_now_and_then_is_nothing():
    norms = calm()
    norms[::5, 1] = 0.0
    assert told(record(norms)) == []


def test_a_layer_far_below_the_others_vanishes():
    norms = calm()
    norms[300:, 0] *= 1e-6
    assert [one[:3] for one in told(record(norms))] == [("vanishing", ONSET, "conv1"), ("vanishing", ONGOING, "conv1")]


def test_a_net_that_converges_as_a_whole_does_not_vanish():
    norms = calm(3000) * np.exp(-np.arange(3000) / 200)[:, None]
    assert told(record(norms, falling(3000))) == []


def test_weights_that_do_not_move_are_frozen():
    updates = np.full((STEPS, 4), 1e-3)
    updates[300:, 2] = 0.0
    assert told(record(calm(), falling(), updates)) == [
        ("frozen", ONSET, "fc1", 319, 300),
        ("frozen", ONGOING, "fc1", STEPS - 1, 300),
    ]


def test_a_learning_rate_that_falls_to_a_ten_thousandth_at_once_freezes_the_weights():
    updates = np.full((STEPS, 4), 1e-3)
    updates[300:] = 1e-7
    events = told(record(calm(), falling(), updates))
    assert [one[:2] + one[3:] for one in events] == [("frozen", ONSET, 319, 300), ("frozen", ONGOING, STEPS - 1, 300)]
    updates[300:] = 1e-5
    assert told(record(calm(), falling(), updates)) == [], "two steps of a schedule at once"


def test_weights_that_stop_and_then_cannot_be_measured_are_told_alike_in_any_blocks():
    updates = np.full((STEPS, 4), 1e-3)
    updates[300:340], updates[340:] = 0.0, np.nan
    recording = record(calm(), falling(), updates)
    assert in_blocks(recording, [1]) == in_blocks(recording, [7, 23]) == find_events(recording)
    assert "frozen" in {one[0] for one in told(recording)}


def test_a_layer_that_gets_no_gradient_any_more_is_frozen():
    norms, gaps = calm(), np.zeros((STEPS, 4), dtype=bool)
    norms[300:, 2], gaps[300:, 2] = np.nan, True
    (onset, _) = [event for event in find_events(record(norms, gaps=gaps)) if event.kind == "frozen"]
    assert (onset.where, onset.since, onset.step) == ("fc1", 300, 319)
    assert onset.text == "the weights of fc1 do not move from step 300: no gradient"


def test_a_learning_rate_that_ends_at_zero_freezes_nothing_while_the_loss_has_fallen():
    updates = np.repeat(1e-3 * np.linspace(1, 1e-4, STEPS)[:, None], 4, axis=1)
    assert told(record(calm(), falling(), updates)) == []


def test_noise_is_a_net_that_jumps_about_on_a_high_level():
    norms, jumps = calm(), np.exp(np.random.default_rng(1).normal(0, 1.6, STEPS))
    norms[300:] *= jumps[300:, None]
    steady = np.full(STEPS, 2.0) - 0.3 * (np.arange(STEPS) > 100)
    kinds = {one[0] for one in told(record(norms, steady))}
    assert "noise" in kinds
    assert "noise" not in {one[0] for one in told(record(norms, falling()))}, "lively, but it has learnt"


def test_a_loss_that_jumps_and_one_that_does_not_fall():
    loss = falling()
    loss[300] = 25.0
    assert [one[:4:3] for one in told(record(calm(), loss))] == [("loss-spike", 300), ("loss-spike", 359)]
    stuck = told(record(calm(), np.full(STEPS, 2.3)))
    assert [one[:3] for one in stuck] == [("plateau", ONSET, "the loss"), ("plateau", ONGOING, "the loss")]
    assert stuck[0][3] == 299


def test_a_loss_that_is_not_finite():
    loss = falling()
    loss[250:] = np.nan
    assert told(record(calm(), loss)) == [], "a step without a loss has NaN as well"
    loss[250:] = np.inf
    assert [one[:4] for one in told(record(calm(), loss))] == [
        ("inf", ONSET, "the loss", 250),
        ("inf", ONGOING, "the loss", STEPS - 1),
    ]


def test_a_start_with_norms_that_the_loss_does_not_explain():
    start = told(record(1000 * calm(), falling()))
    assert start[0][:4] == ("bad-start", ONSET, "fc2", 19)
    assert told(record(1000 * calm(), 1000 * falling())) == [], "a loss that is summed has large norms"


def test_a_run_that_explodes_in_its_first_steps():
    """As with the post's learning rate of 1 and batches of 256: from 0.7 to 8,000 in twelve steps, in leaps of ten."""
    norms = calm(40)
    norms[5:20] *= np.array([8, 15, 120, 1, 40, 25, 500, 2000, 1, 1, 1, 1, 1, 1, 1])[:, None]
    (onset, *_) = told(record(norms))
    assert onset[:2] == ("spike", ONSET)
    assert onset[3] == 7


def test_nothing_is_usual_at_first():
    """A first norm is not what is usual: with the earlier rule, step 1 was 80 times it."""
    norms = calm()
    norms[0] /= 80
    assert told(record(norms)) == []
    (onset,) = [event for event in find_events(changed((40, 0), 1e3)) if event.phase == ONSET and event.kind == "spike"]
    assert onset.seen == 41, "a rule says how many steps it has seen"


def test_evidence_is_in_the_figures():
    (onset, _, _) = find_events(changed((300, 1), 100.0))
    peak = np.linalg.norm(calm()[:300], axis=1).max()
    assert onset.value == pytest.approx(np.linalg.norm(calm()[300] * [1, 100, 1, 1]))
    assert peak / 1.5 < onset.usual <= peak, "the peak leaks to a half in 500 steps"
    assert onset.ratio == onset.value / onset.usual


def test_steps_need_not_be_one_apart():
    norms = calm()
    norms[300:] = np.nan
    recording = record(norms, every=50)
    onset = next(event for event in find_events(recording) if event.kind == "nan")
    assert (onset.step, onset.since, onset.row, onset.seen) == (15000, 15000, 300, 301)


def test_layers_may_join():
    watch = Watch(LAYERS[:2])
    watch.find(Recording(LAYERS[:2], np.arange(25), calm(25)[:, :2]))
    watch.add_layers(LAYERS[2:])
    norms = calm(75)
    norms[40:, 3] = 0.0
    events = watch.find(Recording(LAYERS, np.arange(25, 100), norms))
    assert [(event.kind, event.where) for event in events] == [("zero", "fc2")]


def test_a_run_without_steps():
    assert find_events(Recording(LAYERS, np.empty(0, dtype=int), np.empty((0, 4)))) == []


def test_the_end_is_told_as_it_was():
    for how, text in (("stopped", "stopped by a person"), ("failed", "with an exception")):
        watch = Watch(LAYERS)
        watch.find(record(calm()))
        assert text in watch.finish(how)[-1].text


def test_extremes_raise_nothing():
    for value in (0.0, 5e-324, 1e308, math.inf, math.nan):
        norms = np.full((120, 4), value)
        assert all(event.text for event in find_events(record(norms, np.full(120, value))))
        norms[:60] = calm(60)
        assert all(event.kind in KINDS for event in find_events(record(norms, np.full(120, -value))))


CELL = st.one_of(st.floats(0.5, 2.0), st.sampled_from([None, math.nan, math.inf, 0.0, 1e6, 1e-6, 1e3]))


@st.composite
def rough_runs(draw) -> Recording:
    """Stretches of calm and of anything else, with or without a loss."""
    norms, gaps = calm(draw(st.integers(1, 400))), None
    gaps = np.zeros(norms.shape, dtype=bool)
    for _ in range(draw(st.integers(0, 5))):
        begin, length, layer = draw(st.integers(0, 400)), draw(st.integers(1, 80)), draw(st.integers(0, 3))
        cell = draw(CELL)
        where = slice(begin, begin + length), slice(None) if draw(st.booleans()) else layer
        norms[where], gaps[where] = math.nan if cell is None else cell, cell is None
    loss = falling(len(norms)) if draw(st.booleans()) else None
    if loss is not None and draw(st.booleans()):
        loss[draw(st.integers(0, 400)) :] = draw(st.sampled_from([math.nan, math.inf, 50.0, -1.0, 0.0]))
    return record(norms, loss, gaps=gaps)


def in_blocks(recording: Recording, sizes: list[int]) -> list[Event]:
    watch, events, first = Watch(recording.layers), [], 0
    while first < len(recording):
        size = sizes[first % len(sizes)]
        found = watch.find(recording.rows(first, first + size))
        events += [event._replace(row=event.row + first) for event in found]
        first += size
    last = len(recording) - 1
    return events + [event._replace(row=last) for event in watch.finish()]


@settings(max_examples=150, deadline=None)
@given(rough_runs(), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_a_step_at_a_time_or_all_at_once(recording, sizes):
    whole = find_events(recording)
    assert in_blocks(recording, sizes) == whole
    assert in_blocks(recording, [1]) == whole
    assert [event.row for event in whole] == sorted(event.row for event in whole)


@settings(max_examples=150, deadline=None)
@given(rough_runs())
def test_every_recovery_has_its_onset(recording):
    """Of one kind in one layer, onset and recovery alternate; what is ongoing has begun and not ended."""
    state: dict[tuple[str, int | None], str] = {}
    for event in find_events(recording):
        if event.kind == "finished":
            continue
        for layer in event.layers or (None,):
            before = state.get((event.kind, layer), RECOVERED)
            assert (before == RECOVERED) == (event.phase == ONSET)
            if event.phase != ONGOING:
                state[event.kind, layer] = event.phase
