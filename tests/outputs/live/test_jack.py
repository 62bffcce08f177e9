"""Through a real JACK server to a program that is not ours: everything arrives, in order, once, on its channel."""

import time
from collections import Counter
from functools import partial
from math import log2

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.timing import Timing
from gradmidi.errors import InputError
from gradmidi.outputs.live import LiveOutput, list_ports, play
from gradmidi.outputs.midi_events import note_events
from gradmidi.recording import Recording
from tests.outputs.live.devices import is_note, is_note_off, is_note_on, is_panic, wait_until

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")
compose = partial(compose, sound="post")

pytestmark = pytest.mark.slow

FAST = Timing(unit=0.002)  # 12 ms a step of four layers: 201 steps take 2.4 s


def expected_notes(recording, timing):
    """Note messages of the offline score, from its columns and the MIDI specification alone."""
    score = compose(recording, timing=timing)
    events = []
    for onset, duration, hz, layer, velocity in zip(
        score.onset, score.duration, score.frequency, score.layer, score.velocity, strict=True
    ):
        key = round(69 + 12 * log2(hz / 440))
        channel = score.voices[layer].channel
        events.append((round(onset, 6), bytes((0x90 | channel, key, int(velocity)))))
        events.append((round(onset + duration, 6), bytes((0x80 | channel, key, 64))))
    return events


def test_a_run_of_201_steps_arrives_whole(backend, receiver, healthy):
    with LiveOutput(
        Composer(healthy.layers, timing=FAST), "receiver", pace="wait", backend=backend, max_rate=5000
    ) as out:
        for step in range(len(healthy)):
            out.feed(healthy.rows(step, step + 1))
        report = out.close()
    wait_until(lambda: sum(map(is_panic, receiver.messages())) >= 3 * 5)
    messages = receiver.messages()
    notes = [data for data in messages if is_note(data)]
    expected = expected_notes(healthy, FAST)
    assert Counter(notes) == Counter(data for _, data in expected)
    ons = [data for data in notes if is_note_on(data)]
    assert ons == [data for _, data in sorted(expected) if is_note_on(data)]  # sorted by onset, which are all different
    assert sum(map(is_note_on, notes)) == sum(map(is_note_off, notes)) == report.notes == 804
    assert [data[0] & 0x0F for data in ons] == [0, 1, 2, 3] * 201  # a channel a layer, layers in order
    assert (report.steps, report.heard, report.skipped, report.failure) == (201, 201, 0, "")


def test_nothing_comes_before_the_set_up_and_it_is_complete(backend, receiver, healthy):
    with LiveOutput(Composer(healthy.layers, timing=FAST), "receiver", backend=backend) as out:
        out.feed(healthy.rows(0, 1))
    wait_until(lambda: any(map(is_panic, receiver.messages()[60:])))
    messages = receiver.messages()
    setup = messages[: next(i for i, data in enumerate(messages) if is_note(data))]
    # all sound off, all notes off, controllers reset, bank 0:0, program 0 (piano), volume 100, pan 40
    first = [(0xB0, 120, 0), (0xB0, 123, 0), (0xB0, 121, 0), (0xB0, 0, 0), (0xB0, 32, 0), (0xC0, 0), (0xB0, 7, 100)]
    assert setup[:7] == [bytes(data) for data in first]
    assert {data[0] & 0x0F for data in setup} == {0, 1, 2, 3, 9}
    assert not any(map(is_note, setup))


def test_a_port_of_our_own_can_be_listened_to(backend, jack, receiver, healthy):
    with LiveOutput(Composer(healthy.layers, timing=FAST), backend=backend, pace="wait") as out:
        jack.connect("gradmidi:gradmidi", receiver.port)
        for step in range(20):
            out.feed(healthy.rows(step, step + 1))
        assert (out.port, out.system) == ("gradmidi", "JACK")
    wait_until(lambda: any(map(is_panic, receiver.messages()[60:])))
    notes = [data for data in receiver.messages() if is_note(data)]
    assert Counter(notes) == Counter(data for _, data in expected_notes(healthy.rows(0, 20), FAST))


def test_ports_are_listed_with_system_and_library(backend, receiver):
    library = {"rtmidi/jack": "python-rtmidi", "rtmidi2/jack": "rtmidi2"}[backend]
    assert [tuple(port) for port in list_ports(backend)] == [(1, "receiver:input", "JACK", library)]


@pytest.mark.parametrize("text", ["receiver:input", "1", "CEIVER"])
def test_a_port_is_found_by_name_number_or_part(receiver, text):
    with LiveOutput(Composer(("a",)), text) as out:
        assert out.port == "receiver:input"


def test_an_unknown_port_is_refused_with_the_ports_that_exist(receiver):
    with pytest.raises(InputError, match=r"no MIDI port matches 'nowhere'; there are receiver:input"):
        LiveOutput(Composer(("a",)), "nowhere")


def test_play_sends_a_score_and_ends_it(receiver, healthy):
    started = time.perf_counter()
    report = play(compose(healthy.rows(0, 50), timing=FAST), "receiver", speed=2)
    assert time.perf_counter() - started >= 50 * 0.012 / 2
    wait_until(lambda: sum(map(is_panic, receiver.messages())) >= 3 * 5)
    notes = [data for data in receiver.messages() if is_note(data)]
    assert Counter(notes) == Counter(data for _, data in expected_notes(healthy.rows(0, 50), FAST))
    assert report.notes == 200


def in_trouble():
    """A NaN, a layer that is exactly zero for a while, an explosion, and in the end all is well again."""
    norms = np.array([1.0, 2.0, 3.0]) * np.exp(np.random.default_rng(3).normal(0, 0.1, (340, 3)))
    norms[60, 1] = np.nan
    norms[100:140, 0] = 0.0
    norms[180:220] *= 500.0
    return Recording(("a", "b", "c"), np.arange(340), norms, {"loss": np.geomspace(2.0, 0.1, 340)})


def by_channel(messages, *statuses):
    """Messages of some kinds, in order on each channel."""
    found = {}
    for data in messages:
        if data[0] & 0xF0 in statuses:
            found.setdefault(data[0] & 0x0F, []).append(data)
    return found


def test_events_are_heard_as_in_the_file(backend, receiver):
    """Earcons in order, the knock of zero with its changes of program, held tones that end; and then nothing sounds."""
    rows, options = in_trouble(), {"timing": FAST, "sound": "debug"}
    with LiveOutput(Composer(rows.layers, **options), "receiver", pace="wait", backend=backend, max_rate=5000) as out:
        out.feed(rows)
        report = out.close()
    wait_until(lambda: len(receiver.messages()) >= report.messages + 3 * 5)  # those of the end are not counted
    messages = receiver.messages()
    file = [bytes(event.message.bytes()) for event in note_events(compose(rows, **options), "12tet")]
    assert report.dropped == 0, "the machine was too busy to play in time"
    assert by_channel(messages, 0x90) == by_channel(file, 0x90)
    assert Counter(filter(is_note_off, messages)) == Counter(filter(is_note_off, file))
    first = next(i for i, data in enumerate(messages) if is_note(data))
    assert by_channel(messages[first:], 0xC0) == by_channel(file, 0xC0)
    strokes = [data[1] for data in messages if data[0] == 0x99]
    # NaN 38, zero 77, explosion 57, what has ended 81; held: NaN 59, explosion 53
    assert {38, 77, 57, 81, 59, 53} <= set(strokes) and strokes.count(81) >= 3
    assert Counter(map(is_note_on, filter(is_note, messages)))[True] == sum(map(is_note_off, messages)) == report.notes
