"""A long run in a short piece: the peak of every bin and the first anomaly of each kind, heard and marked."""

import math
import time
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradmidi.composition import compose, timelapse
from gradmidi.composition.alarms import DRUMS
from gradmidi.composition.mapping import Log
from gradmidi.composition.marking import mark_kind
from gradmidi.composition.timelapse import time_lapse
from gradmidi.composition.timing import Timing, parse_duration
from gradmidi.errors import InputError
from gradmidi.events import Watch
from gradmidi.recording import Recording
from gradmidi.theory.pitch import key_to_hz

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

NAN, INF = math.nan, math.inf
COLUMNS = ("onset", "duration", "frequency", "layer", "velocity", "step", "tied")
# A gap (None) is told from a norm that is NaN.
CELLS = st.one_of(st.floats(0.5, 2.0), st.sampled_from([None, NAN, INF, 0.0, 1e6, 1e-6]))
RUNS = st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1))


def recording_of(rows: list[list[float | None]], **metrics) -> Recording:
    gaps = np.array([[cell is None for cell in row] for row in rows])
    norms = np.array([[NAN if cell is None else cell for cell in row] for row in rows], dtype=float)
    steps = 5 * np.arange(len(rows))
    return Recording(tuple(f"l{i}" for i in range(len(rows[0]))), steps, norms, metrics, {}, gaps)


@settings(max_examples=200, deadline=None)
@given(RUNS, st.integers(1, 12))
def test_peaks_and_alarms_survive_binning(rows, bins):
    recording = recording_of(rows)
    binned, _, alarms = time_lapse(recording, bins)
    count = min(bins, len(rows))
    edges = [bin_ * len(rows) // count for bin_ in range(count + 1)]
    assert len(binned) == count
    assert binned.steps.tolist() == [5 * edge for edge in edges[:-1]]
    expected = set()
    for layer in range(len(rows[0])):
        column = [row[layer] for row in rows]
        first_zero = column.index(0.0) if 0.0 in column else -1
        for bin_, (begin, end) in enumerate(pairwise(edges)):
            here = [column[row] for row in range(begin, end) if column[row] is not None]
            finite = [norm for norm in here if math.isfinite(norm)]
            value = binned.norms[bin_, layer]
            if begin <= first_zero < end:
                assert value == 0
            elif finite:
                assert value == max(finite)
            elif here:
                assert math.isnan(value) if any(map(math.isnan, here)) else value == INF
            assert binned.gaps[bin_, layer] == (not here)
            for kind, is_it in enumerate((math.isnan, math.isinf)):
                found = [row for row in range(begin, end) if column[row] is not None and is_it(column[row])]
                expected |= {(bin_, layer, kind, 5 * row) for row in found[:1]}
    assert {tuple(alarm) for alarm in alarms.tolist()} == expected
    assert len(alarms) == len(expected)


@settings(max_examples=50, deadline=None)
@given(RUNS, st.integers(1, 5))
def test_every_alarm_is_heard_and_every_event_marked(rows, bins):
    recording = recording_of(rows)
    width = len(rows[0])
    timing = Timing(0.1)
    score = compose(recording, scale=None, timing=timing, duration=bins * (width + 2) * 0.1)
    drums = {(round(score.onset[i], 6), score.drum[i]) for i in score.of_voice(width)}
    lapse = time_lapse(recording, bins)
    for bin_, layer, kind, _ in lapse.alarms.tolist():
        assert (round((bin_ * (width + 2) + layer) * 0.1, 6), list(DRUMS.values())[kind]) in drums
    for event in lapse.events:
        onset = round((event.row * (width + 2) + (event.layer or 0)) * 0.1, 6)
        marked = score.marks.of(mark_kind(event))
        assert event.text in marked.text[np.isclose(marked.time, onset)]


def test_a_spike_inf_and_nan_in_one_bin_are_all_heard():
    norms = np.ones((100, 1))
    norms[50:54, 0] = [1e4, INF, NAN, NAN]
    score = compose(Recording.from_arrays(norms), scale=None, timing=Timing(0.1), duration=0.3)
    assert len(score) == 3  # one bin: the peak, a snare and a crash at once
    assert score.frequency.tolist() == pytest.approx([Log()(np.array([1e4]))[0], *key_to_hz(np.array([49, 38]))])
    assert score.step.tolist() == [0, 51, 52]
    assert score.marks.of("nan", "inf", "spike").text.tolist() == [
        "spike in layer1 at step 50: 1e+04, 10000 times its usual",
        "Inf in layer1 at step 51",
        "NaN in layer1 at step 52",
    ]


def test_a_layer_that_flickers_to_zero_keeps_its_peaks():
    norms = np.full((40, 1), 2.0)
    norms[3::10] = 0.0
    lapse = time_lapse(Recording.from_arrays(norms), 4)
    assert lapse.recording.norms.ravel().tolist() == [0.0, 2.0, 2.0, 2.0]
    assert lapse.events == [], "a zero now and then is not a dead layer"


@pytest.mark.parametrize("duration", [0.3, 1.0, 7.77, 60.0])
@pytest.mark.parametrize("style", ["sequence", "chord", "drone"])
def test_the_piece_lasts_at_most_the_duration_and_uses_it(sick, duration, style):
    score = compose(sick, timing=Timing(0.01), style=style, duration=duration)
    assert score.length <= duration * (1 + 1e-9)
    assert score.length > duration - 0.06 or score.length == pytest.approx(201 * 0.06)


def test_a_run_that_fits_is_left_as_it_is(sick):
    whole, lapse = compose(sick), compose(sick, duration=3600.0)
    for name in COLUMNS:
        assert np.array_equal(getattr(whole, name), getattr(lapse, name)), name
    assert lapse.marks.text.tolist() == whole.marks.text.tolist()
    assert lapse.length == whole.length


def test_events_are_those_of_the_full_run_whatever_the_chunks(sick, monkeypatch):
    full = [(event.kind, event.layer, event.text) for event in Watch(sick.layers).find(sick)]
    assert len(full) > 5
    assert [(e.kind, e.layer, e.text) for e in time_lapse(sick, 200).events] == full
    whole = time_lapse(sick, 17)
    for chunk in (5, 60, 130):  # one, five and eleven bins at a time
        monkeypatch.setattr(timelapse, "CHUNK_ROWS", chunk)
        parts = time_lapse(sick, 17)
        assert parts.events == whole.events
        assert parts.alarms.tolist() == whole.alarms.tolist()
        assert np.array_equal(parts.recording.norms, whole.recording.norms, equal_nan=True)


@pytest.mark.parametrize(("rows", "bins"), [(1000, 100), (1000, 3), (37, 37), (1000, 999)])
def test_a_long_run_is_read_in_few_pieces_of_bounded_size(rows, bins, monkeypatch):
    pieces = []
    find = Watch.find
    monkeypatch.setattr(timelapse, "CHUNK_ROWS", 50)
    monkeypatch.setattr(Watch, "find", lambda self, piece: pieces.append(len(piece)) or find(self, piece))
    time_lapse(Recording.from_arrays(np.ones((rows, 1))), bins)
    assert sum(pieces) == rows
    assert max(pieces) <= max(50, math.ceil(rows / bins))
    assert len(pieces) <= math.ceil(2 * rows / 50)


def test_metrics_of_a_bin():
    metrics = {
        "loss": np.array([1.0, 2.5, NAN, 4.0, INF, NAN]),
        "epoch": np.array([1.0, 1.0, 1.0, 2.0, 2.0, NAN]),
    }
    binned = time_lapse(recording_of([[1.0]] * 6, **metrics), 3).recording
    assert binned.metrics["loss"].tolist()[:2] == [1.75, 4.0]
    assert binned.metrics["loss"][2] == INF, "nothing finite: as it was"
    assert binned.metrics["epoch"].tolist() == [1.0, 2.0, 2.0]


def test_bins_of_many_steps_are_each_marked_with_their_step(healthy):
    score = compose(healthy, duration=3.0)
    assert len(score.marks.of("step")) == 10
    assert score.marks.of("step").text[1] == "step 20"
    assert score.marks.of("epoch").text.tolist() == ["epoch 1", "epoch 2"]


def test_alarmed_puts_nan_and_inf_where_they_occurred(sick):
    alarmed = time_lapse(sick, 10).alarmed()
    assert np.argwhere(np.isinf(alarmed.norms)).tolist() == [[1, 0]], "step 30, in bins of 20"
    assert np.argwhere(np.isnan(alarmed.norms)).tolist() == [[2, 2]], "step 40"
    assert not alarmed.gaps.any()


def test_nan_wins_where_inf_is_in_the_same_bin():
    norms = [[1.0], [NAN], [INF], [1.0], [INF], [1.0], [INF], [NAN]]
    alarmed = time_lapse(Recording.from_arrays(norms), 2).alarmed()
    assert np.isnan(alarmed.norms).all()
    assert time_lapse(Recording.from_arrays(norms), 4).alarmed().norms[1:3, 0].tolist() == [INF, INF]


def test_metrics_of_whole_numbers_with_nothing_finite_in_a_bin():
    epochs = np.array([1.0, 2.0, NAN, NAN, INF, NAN, -3.0, -4.0])
    binned = time_lapse(recording_of([[1.0]] * 8, epoch=epochs), 4).recording
    assert binned.metrics["epoch"].tolist() == pytest.approx([2.0, NAN, INF, -3.0], nan_ok=True)


@pytest.mark.parametrize(("row", "resumed"), [(10, 10), (11, 10), (14, 10), (15, 15), (19, 15)])
def test_a_resumption_is_marked_at_the_bin_that_it_is_in(row, resumed):
    steps = np.arange(20)
    steps[row:] += 100
    whole = Recording(("a",), steps, np.ones((20, 1)), meta={"resumed": str(steps[row]), "seed": "7"})
    binned = time_lapse(whole, 4).recording
    assert binned.seams().tolist() == [resumed // 5]
    assert binned.meta == {"resumed": str(steps[resumed]), "seed": "7"}
    assert "resumed" not in time_lapse(Recording(("a",), steps, np.ones((20, 1))), 4).recording.meta


def test_an_empty_recording_has_no_bins():
    empty = Recording(("a",), np.empty(0), np.empty((0, 1)), {"loss": np.empty(0)})
    assert len(time_lapse(empty, 5).recording) == 0
    assert len(compose(empty, duration=10.0)) == 0


@pytest.mark.parametrize("duration", [0.29, 0.0, -1.0, NAN, INF])
def test_durations_that_hold_no_step(healthy, duration):
    with pytest.raises(InputError, match=r"one step of 4 voices lasts 0\.3 s"):
        compose(healthy, duration=duration)
    with pytest.raises(InputError):
        time_lapse(healthy, 0)


def test_durations_as_text():
    for text, seconds in (("60s", 60), ("60", 60), ("1.5min", 90), ("500ms", 0.5), ("1 s", 1)):
        assert parse_duration(text) == seconds
    for text in ("", "s", "long", "-1s", "0", "nan", "inf", "1d", "1:30"):
        with pytest.raises(InputError, match="is not a duration"):
            parse_duration(text)


@pytest.mark.slow
def test_many_steps_of_many_layers_take_seconds():
    """A fifth of a million steps of a hundred layers; a limit far above what it takes, for a busy machine."""
    norms = np.random.default_rng(0).lognormal(0, 0.3, (200_000, 100))
    norms[150_000:, 50:] = NAN
    begun = time.perf_counter()
    score = compose(Recording.from_arrays(norms), duration=60.0)
    assert time.perf_counter() - begun < 30
    assert score.length <= 60
