"""Events over live sound, in simulated time: each is heard, once, as in the file; grave ones at once; nothing hangs."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from benchmarks.clinic.runs import load_runs
from benchmarks.clinic.sample import SAMPLE_FOLDER
from gradmidi.composition import Composer, compose
from gradmidi.composition.earcons import earcons
from gradmidi.composition.timing import Timing
from gradmidi.events import ONSET, Watch
from gradmidi.outputs.live import LiveOutput
from gradmidi.outputs.midi_events import note_events
from gradmidi.recording import Recording
from tests.outputs.live.devices import is_note_off, is_note_on, one_row
from tests.outputs.live.simulated import SimulatedPlayer, exact

LAYERS = ("conv1", "conv2", "fc1", "fc2")
CALM = np.array([1.0, 2.0, 3.0, 4.0])
PERCUSSION = 9
# Keys as docs/voices.md names them, not read from the table that is tested.
NAN, NAN_HELD, INF, INF_HELD, OVER, EXPLOSION, ZERO = 38, 59, 49, 51, 81, 57, 77
HOLDS = {59, 51, 53, 46, 73, 78, 76, 70, 68}
SHORT = Timing(unit=0.002)
LATENCY = 0.05  # s from handing a step over to its first note


@pytest.fixture
def player():
    return SimulatedPlayer()


@cache
def clinic():
    """Of the sample's runs one for each kind of event that any of them has."""
    found = {}
    for run in load_runs(SAMPLE_FOLDER):
        for event in Watch(run.recording.layers).find(run.recording):
            if event.phase == ONSET:
                found.setdefault(event.kind, run.recording)
    return found


def row(step, norms=CALM, **metrics):
    return one_row(step, norms, LAYERS, **metrics)


def feed_for(output, player, seconds, make=row, first=0, each=0.004):
    for step in range(round(seconds / each)):
        output.feed(make(first + step))
        player.wait(each)
    return first + round(seconds / each)


def struck(messages, channel=PERCUSSION):
    """Note-ons of a channel, by key."""
    return Counter(data[1] for data in messages if is_note_on(data) and data[0] & 0x0F == channel)


def most_at_once(messages):
    """The largest number of unended notes of one key and channel, and how many are unended at the end."""
    sounding, most = Counter(), 0
    for data in messages:
        place = data[0] & 0x0F, data[1]
        if is_note_on(data):
            sounding[place] += 1
            most = max(most, sounding[place])
        elif is_note_off(data):
            sounding[place] -= 1
    return most, sum(sounding.values())


@pytest.mark.parametrize("kind", [kind for kind in earcons() if kind in clinic()])
def test_a_run_of_the_clinic_is_heard_live_as_in_its_file(kind):
    """Every percussion stroke, held tone and program change of a run with each kind of event, in order."""
    rows, player = clinic()[kind], SimulatedPlayer(max_rate=10_000)
    with LiveOutput(Composer(rows.layers, timing=SHORT), player, pace="wait", max_rate=10_000) as output:
        output.feed(rows)
    file = [bytes(event.message.bytes()) for event in note_events(compose(rows, timing=SHORT), "12tet")]
    sent = [heard.data for heard in player.heard]
    assert struck(sent) == struck(file) and struck(sent)[earcons()[kind].onset] >= 1
    programs = [data for data in sent if data[0] & 0xF0 == 0xC0]
    setup = len({voice.channel for voice in Composer(rows.layers).voices if not voice.percussion})
    assert Counter(programs[setup:]) == Counter(data for data in file if data[0] & 0xF0 == 0xC0)
    assert most_at_once(sent)[1] == 0


@pytest.mark.parametrize("pace", ["peak", "latest", "mean"])
def test_what_happens_between_two_played_steps_is_heard(pace, player):
    """Zeros for a while in one layer begin and end in steps that are not played."""

    def make(step):
        return row(step, CALM * (1, 1, 0.0 if 200 <= step < 500 else 1.0, 1))

    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.5)), player, pace=pace) as output:
        feed_for(output, player, 3.2, make)
        report = output.close()
    keys = struck(heard.data for heard in player.heard)
    assert report.heard < 8 and keys[ZERO] == 1 and keys[OVER] == 1


def test_the_row_of_a_nan_says_so_at_once(player):
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.5)), player) as output:
        step = feed_for(output, player, 0.4)
        asked = player.time.now()
        output.feed(row(step, (1.0, np.nan, 3.0, 4.0)))
        player.wait(1.0)
        output.close(drain=False)
    on = {heard.data[1]: exact(heard.at - asked) for heard in player.note_ons(channel=PERCUSSION)}
    assert on[NAN] == on[NAN_HELD] == LATENCY


def test_an_explosion_that_the_doctor_finds_later_cuts_the_step_that_sounds(player):
    """Told from outside, as in a session, when nothing but quiet rows are there."""
    onset = next(event for event in Watch(LAYERS).find(explosion()) if event.kind == "explosion")
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.5)), player, told=True) as output:
        step = feed_for(output, player, 0.4)
        asked = player.time.now()
        output.hear(onset)
        output.feed(row(step))
        player.wait(0.5)
        output.close(drain=False)
    assert [
        (heard.data[1], exact(heard.at - asked))
        for heard in player.note_ons(channel=PERCUSSION)
        if heard.data[1] == EXPLOSION
    ] == [(EXPLOSION, LATENCY)]


def explosion():
    norms = CALM * np.exp(np.random.default_rng(3).normal(0, 0.1, (300, 4)))
    norms[200:] *= 500
    return Recording(LAYERS, np.arange(300), norms)


def test_an_event_of_a_layer_that_has_joined_is_heard_too(player):
    (onset, *_) = Watch(LAYERS).find(row(0, (1.0, np.nan, 3.0, 4.0)))
    with LiveOutput(Composer(LAYERS, timing=SHORT), player, pace="wait", told=True) as output:
        output.hear(onset._replace(layer=7, layers=(7,)))
        output.feed(row(0))
    assert struck(heard.data for heard in player.heard)[NAN] == 1


def test_a_tone_that_is_held_ends_with_the_cut_and_begins_again_once(player):
    """NaN lasts, its tone and the loss's pad sound; then Inf cuts the step."""
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.5)), player) as output:
        step = feed_for(output, player, 0.4, lambda step: row(step, loss=1.0))
        output.feed(row(step, (1.0, np.nan, 3.0, 4.0), loss=1.0))
        step = feed_for(output, player, 7.4, lambda step: row(step, loss=1.0), step + 1, each=0.5)
        asked = player.time.now()
        output.feed(row(step, (np.inf, 2.0, 3.0, 4.0), loss=1.0))
        player.wait(0.5)
        output.close(drain=False)
    sent = [heard.data for heard in player.heard]
    assert struck(sent)[INF] == 1 and most_at_once(sent) == (1, 0)
    pad = next(voice.channel for voice in output._composer.voices if voice.name == "loss")
    at_the_cut = {heard.data[:2] for heard in player.heard if exact(heard.at - asked) == LATENCY}
    ended = {bytes(((data[0] & 0x0F) | 0x90, data[1])) for data in at_the_cut if data[0] & 0xF0 == 0x80}
    begun = {data for data in at_the_cut if data[0] & 0xF0 == 0x90}
    held = {data for data in ended & begun if data[0] & 0x0F in (pad, PERCUSSION)}
    assert bytes((0x99, NAN_HELD)) in held and any(data[0] & 0x0F == pad for data in held)


def test_alarms_that_chase_each_other_leave_no_tone_behind(player):
    """A slow training, whose steps are given ahead: Inf, NaN and a calm step wait one behind the other, and are cut."""
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.025)), player) as output:
        for step in range(30):
            output.feed(row(step, loss=1.0))
            player.wait(0.6)
        for norms in ((1.0, np.inf, 3.0, 4.0), (1.0, 2.0, np.nan, 4.0), CALM, (1e9, 2.0, 3.0, 4.0)):
            step += 1
            output.feed(row(step, norms, loss=1.0))
            player.wait(0.012)  # s; each is looked at
        player.wait(1.0)
        for later in range(step + 1, step + 100):  # all is well again
            output.feed(row(later, loss=1.0))
            player.wait(0.2)
        output.close(drain=False)
    sent = [heard.data for heard in player.heard]
    assert {INF, NAN, OVER} <= struck(sent).keys()
    held = [data for data in sent if data[0] & 0x0F != PERCUSSION or data[1] in HOLDS]
    assert most_at_once(held) == (1, 0)
    last = [heard.at for heard in player.heard if heard.data[:2] == bytes((0x80 | PERCUSSION, NAN_HELD))]
    over = next(heard.at for heard in player.note_ons(channel=PERCUSSION) if heard.data[1] == OVER)
    assert max(last) <= over


def test_the_end_of_trouble_is_heard_although_its_step_is_cut(player):
    """A recovery is to be said in a step that has not begun when an alarm cuts it."""
    nan, over = Watch(LAYERS).find(_nan_and_its_end())
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.1)), player, told=True) as output:
        output.hear(nan)
        output.feed(row(0))
        player.wait(1.0)
        for step in range(1, 12):  # a slow training, whose steps are given ahead
            output.feed(row(step))
            player.wait(0.45)
        output.hear(over)
        output.feed(row(12))
        player.wait(0.01)
        output.feed(row(13, (np.inf, 2.0, 3.0, 4.0)))
        player.wait(1.0)
    assert struck(heard.data for heard in player.heard)[OVER] == 1


def _nan_and_its_end():
    norms = np.tile(CALM, (200, 1))
    norms[10, 1] = np.nan
    return Recording(LAYERS, np.arange(200), norms)


def test_the_last_stroke_rings_out_and_what_is_held_ends_when_the_piece_does(player):
    with LiveOutput(Composer(LAYERS, timing=Timing(unit=0.02)), player, pace="wait") as output:
        for step in range(3):
            output.feed(row(step, (1.0, np.nan if step == 2 else 2.0, 3.0, 4.0), loss=1.0))
    begun = player.note_ons(channel=0)[0].at
    ends = {heard.data[1]: exact(heard.at - begun) for heard in player.heard if heard.data[0] == 0x80 | PERCUSSION}
    assert ends == {NAN_HELD: 0.36, NAN: 0.64}  # three steps of 0.12 s; a stroke of 0.4 s in the last one
