"""For any score: every on has one off, a channel's tuning comes before its note, and nothing is said twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from io import BytesIO
from typing import NamedTuple

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradmidi.composition import compose
from gradmidi.composition.styles import STYLES
from gradmidi.composition.timing import Timing
from gradmidi.outputs.midi_events import MidiStream, TimedMessage, note_events
from gradmidi.outputs.tuning import TUNINGS
from gradmidi.recording import Recording
from gradmidi.score import Score
from tests.outputs.scores import scores

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

# Lowest and highest sounding key, and how far in cents from the pitch asked for.
REACH = {"12tet": (0, 127, 50.0), "bend": (-2, 127 + 2 * 8191 / 8192, 0.0123), "mts": (0, 128 - 2 / 16384, 0.0031)}
DRUMS = 9
MTS_HEAD = (0x7F, 0x7F, 0x08, 0x02)

tunings = st.sampled_from(TUNINGS)
any_score = st.booleans().flatmap(scores)


class Played(NamedTuple):
    """A note as an instrument plays it; ``key`` has the bend or the tuning in it."""

    on: float
    off: float
    channel: int
    key: float
    velocity: int


def played(messages: Iterable[tuple[float, mido.Message]]) -> list[Played]:
    """What an instrument makes of messages; one that is out of order or superfluous fails the test."""
    sounding: dict[int, list[tuple[int, Played]]] = defaultdict(list)
    bends: dict[int, float] = {}
    tuned: dict[tuple[int, int], float] = {}
    notes = []
    for time, message in messages:
        if message.type == "note_on":
            assert message.channel == DRUMS or not sounding[message.channel], "one note at a time"
            key = tuned.get((message.channel, message.note), message.note) + bends.get(message.channel, 0)
            note = Played(time, np.nan, message.channel, key, message.velocity)
            sounding[message.channel].append((message.note, note))
        elif message.type == "note_off":
            at = [key for key, _ in sounding[message.channel]].index(message.note)
            notes.append(sounding[message.channel].pop(at)[1]._replace(off=time))
        elif message.type == "pitchwheel":
            assert not sounding[message.channel], "a sounding note is bent"
            bend = 2 * message.pitch / 8192
            assert bends.get(message.channel, 0) != bend, "said twice"
            bends[message.channel] = bend
        else:
            assert message.data[:4] == MTS_HEAD
            program, count, key, semitone, high, low = message.data[4:]
            channel = program - 112
            assert count == 1
            assert (semitone, high, low) != (127, 127, 127), "reserved: no change"
            assert not sounding[channel], "a sounding note is retuned"
            pitch = semitone + (128 * high + low) / 16384
            assert tuned.get((channel, key)) != pitch, "said twice"
            tuned[channel, key] = pitch
    assert not any(sounding.values()), "a note hangs"
    return sorted(notes)


def expected(score: Score) -> list[Played]:
    """The notes that a score asks for: one that is tied makes the one before of its voice longer."""
    notes: list[Played] = []
    last: dict[int, int] = {}
    for i in range(len(score)):
        voice = int(score.layer[i])
        end = float(score.onset[i] + score.duration[i])
        if score.held and score.tied[i]:
            notes[last[voice]] = notes[last[voice]]._replace(off=end)
            continue
        key = 69 + 12 * np.log2(score.frequency[i] / 440) if score.drum[i] < 0 else float(score.drum[i])
        last[voice] = len(notes)
        channel = score.voices[voice].channel
        notes.append(Played(float(score.onset[i]), end, channel, float(key), int(score.velocity[i])))
    return sorted(notes)


def assert_alike(found: list[Played], wanted: list[Played], tuning: str, ticks: bool = False) -> None:
    low, high, cents = REACH[tuning]
    assert [(n.channel, n.velocity) for n in found] == [(n.channel, n.velocity) for n in wanted]
    for is_, should in zip(found, wanted, strict=True):
        assert 100 * abs(is_.key - np.clip(should.key, low, high)) <= cents + 1e-6
        assert (is_.on, is_.off) == pytest.approx((should.on, should.off), abs=0.00051 if ticks else 1e-12)


def still_on(events: list[TimedMessage]) -> set[int]:
    """Channels of notes that have begun and not ended."""
    kinds = Counter((event.message.channel, event.message.type) for event in events if event.message.type != "sysex")
    return {channel for channel, _ in kinds if kinds[channel, "note_on"] != kinds[channel, "note_off"]}


def timed(events: Iterable[TimedMessage]) -> list[tuple[float, mido.Message]]:
    events = list(events)
    assert [event.time for event in events] == sorted(event.time for event in events)
    return [(event.time, event.message) for event in events]


@given(score=any_score, tuning=tunings)
def test_a_score_is_played_as_it_is_written(score, tuning):
    assert_alike(played(timed(note_events(score, tuning))), expected(score), tuning)


@given(score=any_score, tuning=tunings, cut=st.integers(0, 6))
def test_a_stream_says_the_same_in_pieces(score, tuning, cut):
    stream = MidiStream(tuning)
    events = []
    for chosen in (score.step < cut, score.step >= cut):
        columns = {name: column[chosen] for name, column in score.columns().items()}
        events += stream.events(replace(score, **columns))
        # Only drones of the newest piece may go on; all else has had its end by now.
        holds = chosen & score.pitched & score.held
        assert still_on(events) == {score.voices[voice].channel for voice in score.layer[holds].tolist()}
    assert sorted(map(repr, events + stream.end())) == sorted(map(repr, note_events(score, tuning)))


@given(score=any_score, tuning=tunings)
def test_after_forgetting_all_is_said_again(score, tuning):
    """An instrument that was switched off meanwhile plays the right pitches all the same."""
    stream = MidiStream(tuning)
    stream.events(score)
    stream.forget()
    events = sorted([*stream.events(score), *stream.end()], key=lambda e: (e.time, e.message.type != "note_off"))
    # Nothing is known of its bends, so that the centre is said too: twice is right here.
    astray = [(0.0, mido.Message("pitchwheel", channel=c, pitch=77)) for c in range(3)] if tuning == "bend" else []
    first = replace(score, tied=score.tied & False) if not score.held else score
    assert_alike(played([*astray, *timed(events)]), expected(first), tuning)


@given(score=any_score, tuning=tunings)
def test_the_file_holds_the_same_notes_in_ticks(score, tuning):
    data = BytesIO()
    score.to_mido(tuning).save(file=data)
    data.seek(0)
    notes = []
    for track in mido.MidiFile(file=data).tracks[1:]:
        now, messages = 0, []
        for message in track:
            now += message.time
            if message.type in ("note_on", "note_off", "pitchwheel", "sysex"):
                messages.append((now / 1000, message))
        head = [m for t, m in messages if t == 0 and m.type == "pitchwheel"][:1]
        # The centre is said at the head and at the tail, whatever it was.
        body = messages[len(head) :]
        tail = [m for _, m in reversed(body[-1:]) if m.type in ("pitchwheel", "sysex")]
        notes += played(body[: len(body) - len(tail)])
    assert_alike(sorted(notes), expected(score), tuning, ticks=True)


@settings(max_examples=60)
@given(
    norms=st.lists(st.lists(st.sampled_from([0.3, 1.0, 1.0, 4.0, np.nan]), min_size=2, max_size=2), max_size=12),
    unit=st.fractions(Fraction(1, 200), Fraction(1, 2)).map(float),
    style=st.sampled_from(sorted(STYLES)),
    tuning=tunings,
)
def test_what_is_composed_has_one_off_for_each_on_at_any_speed(norms, unit, style, tuning):
    """Also where the end of a note and the start of the next are sums of floats that differ in the last bit."""
    block = np.array(norms).reshape(len(norms), 2)
    recording = Recording(("a", "b"), np.arange(len(block)), block)
    score = compose(recording, style=style, timing=Timing(unit), scale="19edo")
    assert_alike(played(timed(note_events(score, tuning))), expected(score), tuning)
