"""What LiveOutput sends and when, in simulated time: every moment is exact."""

from functools import partial
from itertools import pairwise
from math import inf

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.sound import SOUNDS
from gradmidi.composition.timing import Timing
from gradmidi.errors import TrainingWarning
from gradmidi.outputs.live import LiveOutput
from gradmidi.outputs.midi_events import note_events
from gradmidi.recording.row import Row
from tests.outputs.live.devices import is_note_off, is_note_on, is_panic, one_row
from tests.outputs.live.performances import by_voice, notes_after_the_setup
from tests.outputs.live.simulated import SimulatedPlayer, exact

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")
compose = partial(compose, sound="post")

FAST = Timing(unit=0.002)
LONG_NOTES = Timing(unit=0.5)  # 3 s a step of four layers
TWO_A_STEP = Timing(unit=0.1, rest=0)  # 0.2 s a step of two layers
SNARE, CRASH = 38, 49
LAYERS = ("conv1", "conv2", "fc1", "fc2")
QUIET = (0.4, 1.8, 3.3, 2.4)
LATENCY = 0.05  # s from handing a step over to its first note
PANIC = bytes((0xB0, 64, 0))  # the first message of the silence at the end
STEP = 0.004  # s that a training step takes
LEAVING = 0.2  # s in which the player says twice that all is silent


@pytest.fixture
def player():
    return SimulatedPlayer()


def feed_for(output, player, seconds, row=lambda step: one_row(step, QUIET, loss=1.0)):
    """Feed steps as a training does; returns how many."""
    steps = round(seconds / STEP)
    for step in range(steps):
        output.feed(row(step))
        player.wait(STEP)
    return steps


def a_and_b(step):
    return one_row(step, (1.0, 2.0), ("a", "b"))


def first_note(player):
    return player.note_ons()[0].at


@pytest.mark.parametrize("scale", ["A minor pentatonic", None])
@pytest.mark.parametrize("style", ["sequence", "drone"])
@pytest.mark.parametrize("sound", SOUNDS)
def test_live_sends_what_the_file_holds(sound, scale, style, sick):
    """Pace ``wait``: the same messages in the same order at the same times, NaN, Inf, gap and bends included."""
    rows, player = sick.rows(10, 80), SimulatedPlayer(max_rate=5000)
    options = {"sound": sound, "scale": scale, "style": style, "timing": FAST}
    with LiveOutput(Composer(sick.layers, **options), player, pace="wait", max_rate=5000) as output:
        for step in range(len(rows)):
            output.feed(rows.rows(step, step + 1))
    expected = note_events(compose(rows, **options), "bend" if scale is None else "12tet")
    notes = notes_after_the_setup(player.heard)[: len(expected)]
    assert by_voice(heard.data for heard in notes) == by_voice(bytes(event.message.bytes()) for event in expected)
    assert {exact(heard.at - event.time) for heard, event in zip(notes, expected, strict=True)} == {notes[0].at}


def test_two_alarms_in_one_voice_are_both_heard(player):
    """NaN in one layer and Inf in another that share a voice: the snare in its place, the crash beside it."""
    grouped = Composer(("a", "b"), groups={"both": ["a", "b"]}, timing=FAST)
    with LiveOutput(grouped, player, pace="wait") as output:
        output.append(Row.of(0, np.array([np.nan, np.inf], dtype=np.float32)))
    assert {heard.data[1] for heard in player.note_ons(channel=9)} == {SNARE, CRASH}


def test_the_piece_begins_when_the_setup_is_out_at_the_allowed_rate(player):
    begun = player.time.now()
    output = LiveOutput(Composer(("a", "b"), timing=TWO_A_STEP), player)
    player.wait(0.5)
    setup = list(player.heard)
    assert [exact(heard.at - begun) for heard in setup] == [exact(0.02 + i / 800) for i in range(len(setup))]
    assert len(setup) > 20 and not any(is_note_on(heard.data) for heard in setup)
    output.close()


def test_the_first_step_begins_20_ms_after_the_setup(player):
    with LiveOutput(Composer(("a", "b"), timing=TWO_A_STEP), player, pace="wait") as output:
        output.feed(a_and_b(0))
    setup = sum(frame.deadline < first_note(player) - 0.001 for _, frame in player.handed)
    assert first_note(player) == exact(player.heard[0].at + setup / 800 + 0.02)


def test_bend_range_is_set_and_the_rpn_closed(player, healthy):
    LiveOutput(Composer(healthy.layers, scale=None), player).close()
    on_channel_1 = [heard.data[1:] for heard in player.heard if heard.data[0] == 0xB0]
    rpn = [(101, 0), (100, 0), (6, 2), (38, 0), (101, 127), (100, 127)]  # RPN 0 = 2 semitones, then the null RPN
    assert b"".join(map(bytes, rpn)) in b"".join(on_channel_1)


def test_programs_that_connect_to_a_port_of_ours_have_the_time_to(healthy):
    player = SimulatedPlayer(port="gradmidi")
    begun = player.time.now()
    LiveOutput(Composer(healthy.layers), player).close()
    assert exact(player.heard[0].at - begun) == 0.3


def test_steps_of_a_fast_training_follow_each_other_without_a_gap(player):
    with LiveOutput(Composer(("a", "b"), timing=TWO_A_STEP), player) as output:
        steps = feed_for(output, player, 3.0, a_and_b)
    begins = [heard.at for heard in player.note_ons(channel=0)]
    assert {exact(later - earlier) for earlier, later in pairwise(begins)} == {0.2}
    assert steps == 750 and len(begins) == 16  # in 3 s, and the one that waits at the end


def test_each_step_of_a_slow_training_is_heard_at_once(player):
    with LiveOutput(Composer(("a", "b"), timing=TWO_A_STEP), player) as output:
        fed = []
        for step in range(5):
            player.wait(1.0)
            fed.append(player.time.now())
            output.feed(a_and_b(step))
    begins = [heard.at for heard in player.note_ons(channel=0)]
    assert begins == [exact(at + LATENCY) for at in fed]


def test_peak_plays_the_spike_between_two_heard_steps(player):
    layers = ("a", "b", "c", "d")
    with LiveOutput(Composer(layers, scale=None), player, tuning="12tet") as output:
        steps = feed_for(
            output, player, 1.2, lambda step: one_row(step, (0.4, 1.8, 3.3, 10.0 if step == 50 else 2.4), layers)
        )
        report = output.close()
    assert steps == 300 and report.heard < steps / 10
    # log mapping: norm 2.4 is C4 + 12·log10(2.4) = key 65; norm 10 an octave above C4, key 72
    keys = [heard.data[1] for heard in player.note_ons(channel=3)]
    assert set(keys) == {65, 72} and keys.count(72) == 1


@pytest.mark.parametrize("begun", [0.0, 0.4, 1.1])
def test_waiting_keeps_the_training_a_quarter_second_ahead_of_the_music(begun, player):
    """However late it begins: the first steps are given at once, then each 0.25 s before its first note."""
    with LiveOutput(Composer(("a", "b"), timing=TWO_A_STEP), player, pace="wait") as output:
        player.wait(begun)
        returned = []
        for step in range(20):
            output.append(Row.of(step, np.array([1.0, 2.0], dtype=np.float32)))
            returned.append(player.time.now())
    begins = [heard.at for heard in player.note_ons(channel=0)]
    assert {exact(later - earlier) for earlier, later in pairwise(begins)} == {0.2}
    assert list(map(exact, returned)) == [exact(max(returned[0], at - 0.25)) for at in begins]
    assert returned[0] == 1000.0 + begun


def test_closing_plays_what_was_given_to_its_end(player):
    output = LiveOutput(Composer(("a", "b"), timing=TWO_A_STEP), player, pace="wait")
    for step in range(3):
        output.feed(a_and_b(step))
    report = output.close()
    over = exact(player.note_ons()[0].at + 3 * 0.2)
    assert next(heard.at for heard in player.heard if heard.data == PANIC) == over
    assert exact(player.time.now()) == exact(over + LEAVING)
    assert report.notes == 6 and [exact(note.at - over) for note in player.note_ons()][-1] == -0.1


def test_closing_waits_for_at_most_five_seconds(player):
    """Two notes of four seconds: the second is cut."""
    output = LiveOutput(Composer(("a", "b"), timing=Timing(unit=4.0, rest=0)), player)
    output.feed(a_and_b(0))
    closing = player.time.now()
    report = output.close()
    assert report.notes == 2
    assert exact(player.time.now() - closing) == 5 + LEAVING
    assert exact(player.heard[-1].at - closing) == 5 + LEAVING / 2
    assert [exact(heard.at - closing) for heard in player.heard if is_note_off(heard.data)][-1] == 5.0


def test_what_waits_is_played_when_the_training_ends(player):
    """A step that came while another sounded is not lost, as no newer one takes its place."""
    output = LiveOutput(Composer(("a", "b"), timing=TWO_A_STEP), player)
    player.wait(0.2)
    output.feed(a_and_b(0))
    player.wait(0.1)
    output.feed(a_and_b(1))
    report = output.close()
    first, second = player.note_ons(channel=0)
    assert exact(second.at - first.at) == 0.2
    assert (report.steps, report.heard, report.skipped) == (2, 2, 0)


def test_an_alarm_cuts_the_step_that_sounds(player):
    with LiveOutput(Composer(LAYERS, timing=LONG_NOTES), player) as output:
        feed_for(output, player, 0.4)
        asked = player.time.now()
        output.feed(one_row(1000, (0.4, np.nan, np.nan, 2.4)))
        player.wait(1.3)  # nothing more is fed: whoever stops at a NaN hears it
        report = output.close(drain=False)
    heard = [(exact(heard.at - asked), heard.data[0], heard.data[1]) for heard in player.heard]
    assert [at for at, status, key in heard if (status, key) == (0x99, SNARE)] == [0.55, 1.05]  # layers 2 and 3
    assert report.alarms == 1
    first, again = (at for at, status, _ in heard if status == 0x90)
    assert first < 0 and again == LATENCY  # the alarm's step, in place of the one that sounded
    assert next(at for at, status, _ in heard if at > first and status == 0x80) == LATENCY
    # The note that was cut has ended, and those after it never began.
    changes = [is_note_on(sent.data) - is_note_off(sent.data) for sent in player.heard]
    assert max(np.cumsum(changes)) == 1


def test_an_explosion_is_played_at_once(player):
    """A long note sounds and nobody looks at the steps, but one over twenty times its usual is heard."""
    with LiveOutput(Composer(LAYERS, timing=LONG_NOTES, scale=None), player) as output:
        steps = feed_for(output, player, 1.5)
        asked = player.time.now()
        output.append(Row.of(1000, np.array([4000.0, 1.8, 3.3, 2.4], dtype=np.float32)))
        player.wait(0.3)
        report = output.close(drain=False)
    # log mapping: norm 4000 is 12·log10(4000) = 43 keys above C4
    high = [exact(heard.at - asked) for heard in player.note_ons(channel=0) if heard.data[1] == 103]
    assert high == [LATENCY]
    assert report.alarms == 1
    assert report.steps == report.heard + report.skipped == steps + 1


def test_an_alarm_waits_for_the_one_that_sounds(player):
    """The second is another kind: it is heard in whole after the first, which it does not cut."""
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.1)), player) as output:
        feed_for(output, player, 0.4)
        asked = player.time.now()
        output.feed(one_row(1000, (np.nan, 1.8, 3.3, 2.4)))
        player.wait(0.1)
        output.feed(one_row(1001, (np.inf, 1.8, 3.3, 2.4)))
        report = output.close()
    drums = {heard.data[1]: exact(heard.at - asked) for heard in player.note_ons(channel=9)}
    assert drums == {SNARE: 0.05, CRASH: 0.65}  # a step of four layers takes 0.6 s
    assert report.alarms == 2 and report.merged == 0


def test_an_alarm_is_heard_however_late_and_notes_are_not(player):
    """The device hangs for three seconds when the alarm is due."""
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.1)), player) as output:
        feed_for(output, player, 0.5)
        output.feed(one_row(1000, (np.nan, 1.8, 3.3, 2.4)))
        asked = player.time.now()
        player.hang(3.0)
        feed_for(output, player, 3.5)
        report = output.close()
    assert [exact(heard.at - asked) for heard in player.note_ons(channel=9)] == [3.0]
    assert report.dropped > 4 and report.notes > 4


def test_what_a_cut_step_would_have_tuned_is_tuned_by_the_next(player):
    """The second layer's bend was handed over and cut before it went out; the alarm's step plays the same pitch."""
    norm = 1.3
    with LiveOutput(Composer(("a", "b"), timing=Timing(unit=0.5), scale=None), player) as output:
        player.wait(0.2)
        output.feed(one_row(0, (1.0, norm), ("a", "b")))
        player.wait(0.2)
        output.feed(one_row(1, (np.nan, norm), ("a", "b")))
    note = next(i for i, heard in enumerate(player.heard) if heard.data[0] == 0x91)
    _, low, high = next(heard.data for heard in reversed(player.heard[:note]) if heard.data[0] == 0xE1)
    keys = player.heard[note].data[1] + 2 * ((high << 7 | low) - 8192) / 8192
    assert keys == pytest.approx(60 + 12 * np.log10(norm), abs=0.01)  # log mapping: a tenfold norm is an octave


def test_clock_ticks_24_a_quarter_with_steps_on_the_ticks(player):
    timing = Timing(unit=0.033, tempo=125)  # 198 ms a step, which is no multiple of a tick
    with LiveOutput(Composer(LAYERS, timing=timing), player, clock=True) as output:
        feed_for(output, player, 1.5)
    clock = [heard for heard in player.heard if heard.data[0] >= 0xF8]
    start, *ticks, stop, again = clock
    assert (start.data, stop.data, again.data) == (b"\xfa", b"\xfc", b"\xfc")
    assert {tick.data for tick in ticks} == {b"\xf8"} and len(ticks) > 50
    assert exact(ticks[0].at - start.at) == 0.005
    spacing = 60 / 125 / 24  # 20 ms
    assert [tick.at for tick in ticks] == [exact(ticks[0].at + i * spacing) for i in range(len(ticks))]
    steps = [heard.at for heard in player.note_ons(channel=0)]
    assert len(steps) >= 5 and set(steps) <= {tick.at for tick in ticks}
    assert {exact(later - earlier) for earlier, later in pairwise(steps)} == {0.2}  # on the tick after 198 ms


def test_steps_that_last_a_number_of_ticks_follow_without_a_gap(player):
    """Sums of seconds may lie past a tick by a rounding error, which is no reason to wait for the next one."""
    timing = Timing(unit=0.02, tempo=125)  # a tick
    with LiveOutput(Composer(LAYERS, timing=timing), player, clock=True) as output:
        feed_for(output, player, 2.0)
    steps = [heard.at for heard in player.note_ons(channel=0)]
    assert len(steps) > 10 and {exact(later - earlier) for earlier, later in pairwise(steps)} == {0.12}


def test_a_metric_moves_a_controller_on_change_at_most_50_times_a_second(player):
    def row(step):
        return one_row(step, QUIET, loss=2.0 * 0.99**step)

    with LiveOutput(Composer(LAYERS), player, cc=["loss=74:0..2"]) as output:
        feed_for(output, player, 1.5, row)
    *sent, back, again = [heard for heard in player.heard if heard.data[:2] == bytes((0xB0, 74))]
    assert back.data[2] == again.data[2] == 64  # the synth is handed back as it was, said twice
    values = [heard.data[2] for heard in sent]
    assert len(values) > 20 and values == sorted(set(values), reverse=True)
    assert np.diff([heard.at for heard in sent]).min() > 0.02 - 1e-6
    # After the set-up, which resets controllers: at the first of the looks, one each 20 ms, at a training step.
    assert 0 <= sent[0].at - first_note(player) < 0.02 + STEP


def test_an_interrupted_performance_counts_the_steps_that_waited_and_is_silent_at_once(player):
    with LiveOutput(Composer(LAYERS, timing=LONG_NOTES), player) as output:
        steps = feed_for(output, player, 0.6)
        closing = player.time.now()
        report = output.close(drain=False)
    assert report.steps == steps == 150 and report.skipped == steps - report.heard
    assert exact(next(heard.at for heard in player.heard if heard.data == PANIC)) == exact(closing)
    assert exact(player.time.now()) == exact(closing + LEAVING)


def test_the_rate_limit_holds():
    player = SimulatedPlayer(max_rate=100)
    with LiveOutput(Composer(("a", "b", "c")), player, max_rate=100) as output:
        feed_for(output, player, 3.0, lambda step: one_row(step, (1.0, 2.0, 3.0), ("a", "b", "c")))
    times = np.array([heard.at for heard in player.heard if not is_panic(heard.data)])
    in_a_second = [np.sum((times >= at) & (times < at + 1)) for at in times]
    assert max(in_a_second) <= 100 + 24 + 1  # the short burst that is let through


def test_more_messages_than_the_rate_allows_stretch_the_steps():
    """A bend and its note-on and note-off for each of two layers: 6 messages, 60 ms at 100 a second."""
    player = SimulatedPlayer(max_rate=100)
    composer = Composer(("a", "b"), scale=None, timing=Timing(unit=0.01, rest=0))
    norms = [10 ** (step / 120) for step in range(40)]  # each a tenth of a key higher
    with LiveOutput(composer, player, pace="wait", tuning="bend", max_rate=100) as output:
        for step, norm in enumerate(norms):
            output.feed(one_row(step, (norm, norm), ("a", "b")))
    steps = [heard.at for heard in player.note_ons(channel=0)]
    # The first step needs no bend.
    assert [exact(later - earlier) for earlier, later in pairwise(steps)] == [0.04] + [0.06] * 38


def test_while_the_player_accepts_nothing_alarms_wait_and_are_heard_when_it_does(player):
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.02)), player) as output:
        feed_for(output, player, 0.5)
        player.full_until = inf
        feed_for(output, player, 0.4)
        output.feed(one_row(1000, (np.nan, 1.8, 3.3, 2.4)))
        feed_for(output, player, 0.4)
        handed = len(player.handed)
        player.full_until = accepted = player.time.now()
        feed_for(output, player, 0.4)
        report = output.close()
    at, _ = player.handed[handed]
    assert 0 <= at - accepted <= 0.01 + STEP  # looks each 10 ms, at a training step
    (snare,) = player.note_ons(channel=9)
    assert exact(snare.at - at) == LATENCY and report.alarms == 1


def test_a_lost_player_is_told_once_and_costs_the_training_no_wait(player):
    output = LiveOutput(Composer(("a", "b"), timing=TWO_A_STEP), player, pace="wait")
    output.feed(a_and_b(0))
    player.failure = "the player process is gone"
    with pytest.warns(TrainingWarning, match="the training continues: the player process is gone") as warned:
        before = player.time.now()
        for step in range(1, 50):
            output.feed(a_and_b(step))
    assert player.time.now() == before
    report = output.close()
    assert len(warned) == 1 and report.failure == "the player process is gone"


def test_feeding_never_raises_and_warns_once(player):
    output = LiveOutput(Composer(("a", "b")), player)
    with pytest.warns(TrainingWarning, match="the training continues") as warned:
        for step in range(3):
            output.feed(one_row(step, (1.0, 2.0, 3.0), ("a", "b", "c")))
    assert len(warned) == 1
    assert "goes on" not in output.close().failure


@pytest.mark.filterwarnings("error")
def test_a_training_that_makes_warnings_errors_goes_on_too(player, capsys):
    output = LiveOutput(Composer(("a", "b")), player)
    output.feed(one_row(0, (1.0, 2.0, 3.0), ("a", "b", "c")))
    assert "the training continues" in capsys.readouterr().err
    output.close()


def test_drones_end_when_the_performance_ends(player):
    with LiveOutput(Composer(("a", "b"), style="drone"), player) as output:
        feed_for(output, player, 0.5, a_and_b)
    sent = [heard.data for heard in player.heard]
    ons = sum(map(is_note_on, sent))
    assert ons == sum(data[0] & 0xF0 == 0x80 for data in sent) == 2
