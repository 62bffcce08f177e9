"""The small parts alone: frames, lateness, which rows are heard, when steps begin, and which port is meant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradmidi.errors import InputError
from gradmidi.outputs.live.pace import Pace
from gradmidi.outputs.live.player.lateness import Lateness
from gradmidi.outputs.live.player.libraries import fit
from gradmidi.outputs.live.player.wire import Frame, Unpacker, pack
from gradmidi.outputs.live.timeline import LATENCY, Grid, Timeline
from tests.outputs.live.devices import one_row


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.integers(0, 4), st.binary(max_size=30)), max_size=20), st.integers(1, 40)
)
def test_frames_survive_any_cutting_of_the_stream(frames, size):
    stream = b"".join(pack(*frame) for frame in frames)
    unpacker = Unpacker()
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in unpacker.feed(piece)] == [Frame(*frame) for frame in frames]


def test_quantiles_of_lateness_are_within_two_percent():
    delays = np.random.default_rng(1).lognormal(-8, 1, 5000)
    lateness = Lateness()
    for delay in delays:
        lateness.add(float(delay))
    for share in (0.5, 0.99):
        assert lateness.quantile(share) == pytest.approx(np.quantile(delays, share), rel=0.04)
    assert lateness.largest == delays.max()
    assert lateness.late == np.sum(delays >= 0.01)


def pace_of(policy, *rows):
    pace = Pace(policy, LAYERS)
    for step, norms in enumerate(rows):
        pace.put(one_row(step, norms))
    return pace


CALM = (1.0, 2.0, 3.0, 4.0)
LAYERS = ("a", "b", "c", "d")


def test_latest_plays_the_newest_and_mean_the_average():
    rows = CALM, (3.0, 2.0, 3.0, 4.0), (2.0, 8.0, 3.0, 4.0)
    assert pace_of("latest", *rows).take().row.norms[0].tolist() == [2, 8, 3, 4]
    assert pace_of("mean", *rows).take().row.norms[0].tolist() == [2, 4, 3, 4]


def test_peak_compares_each_layer_with_its_own_usual():
    pace = pace_of("peak", CALM)
    pace.take()
    # 3 times the usual of the quiet layer is louder than 1.5 times that of the loud one
    for step, norms in enumerate([(3.0, 2.0, 3.0, 4.0), (1.0, 2.0, 3.0, 6.0), CALM], 1):
        pace.put(one_row(step, norms))
    kept = pace.take()
    assert (kept.row.steps[0], kept.rows) == (1, 3)


def test_alarms_come_first_and_are_not_averaged_away():
    pace = pace_of("mean", CALM, (1.0, np.nan, 3.0, 4.0), CALM)
    assert pace.take().alarm == "nan"
    assert pace.take().row.norms[0].tolist() == list(CALM)
    assert pace.take() is None


def test_alarms_of_one_kind_merge_layer_by_layer_and_kinds_stay_apart():
    rows = (
        [CALM] * 20
        + [(np.nan, 2, 3, 4), (1, 2, np.nan, 4), (np.inf, 2, 3, 4), (1, 2000.0, 3, 4)]
        + [(np.nan, 2, 3, 4)] * 500
    )
    pace = pace_of("latest", *rows)
    taken = [pace.take() for _ in range(4)]
    assert [waiting.alarm for waiting in taken] == ["nan", "inf", "spike", ""]
    assert np.isnan(taken[0].row.norms[0]).tolist() == [True, False, True, False]
    assert taken[1].row.norms[0, 0] == np.inf and taken[2].row.norms[0, 1] == 2000
    assert (pace.alarms, pace.merged) == (504, 501)


@pytest.mark.parametrize("policy", ["latest", "peak", "mean"])
def test_steps_may_come_one_by_one_or_together(policy, sick):
    """Alarms, gaps and zeros included: the policy keeps the same row, and the same alarms wait."""
    one_by_one, together = Pace(policy, sick.layers), Pace(policy, sick.layers)
    for first in range(0, len(sick), 7):
        rows = sick.rows(first, first + 7)
        alarms = [one_by_one.put(rows.rows(i, i + 1)) for i in range(len(rows))]
        assert together.put(rows) == any(alarms)
        assert together.limits == one_by_one.limits
        while one_by_one:
            expected, taken = one_by_one.take(), together.take()
            assert (taken.alarm, taken.rows) == (expected.alarm, expected.rows)
            assert taken.row.steps.tolist() == expected.row.steps.tolist()
            np.testing.assert_array_equal(taken.row.norms, expected.row.norms)
        assert not together
    assert one_by_one.steps == together.steps == len(sick) and one_by_one.alarms == together.alarms > 0


def test_limits_are_where_a_spike_begins():
    assert Pace("peak", LAYERS).limits == [np.inf] * 4
    whole = np.linalg.norm(CALM)
    for times, alarm in ((9.9, False), (10.1, True)):
        pace = pace_of("peak", *[CALM] * 20)
        assert pace.limits == pytest.approx([10 * whole] * 4)
        assert pace.put(one_row(20, (times * whole, *CALM[1:]))) is alarm
        assert pace.put(one_row(21, (times * whole, *CALM[1:]))) is False, "it has begun before"


def test_the_interval_is_the_same_however_steps_are_told():
    singly, together = Timeline(start=0.0), Timeline(start=0.0)
    singly.hear(0.0, 1)
    together.hear(0.0, 1)
    for step in range(1, 31):
        singly.hear(0.1 * step, 1)
    together.hear(3.0, 30)
    assert together.lead == pytest.approx(singly.lead) and singly.lead > LATENCY + 0.15


def test_steps_follow_without_a_gap_and_without_drift():
    timeline = Timeline(start=10.0)
    origins = [timeline.place(9.5 + 0.06 * k, (k + 1) * 0.06, 0.0) for k in range(1000)]
    assert set(origins) == {10.0}


def test_a_slow_training_is_heard_at_once_each_step():
    timeline = Timeline(start=0.0)
    begins = [timeline.place(float(second), (second + 1) * 0.3, 0.0) + second * 0.3 for second in range(5)]
    assert begins == pytest.approx([second + LATENCY for second in range(5)])


def test_steps_begin_on_ticks():
    grid = Grid(first=1.0, interval=0.02)
    timeline = Timeline(start=1.0, grid=grid)
    for step in range(50):
        origin = timeline.place(0.0, (step + 1) * 0.033, 0.0)
        ticks = (origin + step * 0.033 - 1.0) / 0.02
        assert ticks == pytest.approx(round(ticks), abs=1e-6)


def test_more_messages_than_the_rate_allows_stretch_the_step():
    timeline = Timeline(start=0.0)
    timeline.place(-1.0, 0.1, least=0.25)
    assert timeline.free_at == pytest.approx(0.25)


NAMES = ["Midi Through:Midi Through Port-0 14:0", "FLUID Synth (912):Synth input port 129:0", "2", "synth"]


@pytest.mark.parametrize(("text", "position"), [("synth", 3), ("Through", 0), ("1", 0), ("2", 2), ("fluid", 1)])
def test_ports_fit_by_exact_name_then_number_then_part(text, position):
    assert fit(text, NAMES) == position


@pytest.mark.parametrize("text", ["t", "99", "piano"])
def test_what_fits_several_ports_or_none_is_refused(text):
    with pytest.raises(InputError, match="port"):
        fit(text, NAMES)
