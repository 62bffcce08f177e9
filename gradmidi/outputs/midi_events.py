"""Score → timed MIDI messages: one place for the file, the SoundFont renderer and the live player."""

from __future__ import annotations

from typing import NamedTuple

import mido
import numpy as np

from gradmidi.outputs.tuning import BEND_RANGE, MTS_STEPS, to_keys
from gradmidi.score import Score, Voice

VOLUME, PAN, DATA_COARSE, DATA_FINE, RPN_FINE, RPN_COARSE = 7, 10, 6, 38, 100, 101
BEND_RANGE_RPN, TUNING_PROGRAM_RPN, TUNING_BANK_RPN, NULL_RPN = 0, 3, 4, 127
NOTE_OFF_VELOCITY = 64  # the specification's neutral value


class TimedMessage(NamedTuple):
    """A message at a time in s from the start of the piece, for the voice of that index."""

    time: float
    voice: int
    message: mido.Message


def setup_messages(voice: Voice, tuning: str) -> list[mido.Message]:
    """What a channel is told before its first note: program, volume, pan and, by tuning, its RPNs."""
    channel = voice.channel
    controls = [(VOLUME, voice.volume), (PAN, voice.pan)]
    if not voice.percussion:
        controls += _tuning_controls(channel, tuning)
    messages = [mido.Message("control_change", channel=channel, control=c, value=v) for c, v in controls]
    if voice.percussion:
        return messages
    return [mido.Message("program_change", channel=channel, program=voice.program), *messages]


def note_events(score: Score, tuning: str) -> list[TimedMessage]:
    """Every note-on and note-off with the bends or tuning changes before it, sorted by time.

    At one moment note-offs come first and a note's tuning right before its note-on, so that no sounding note of a
    channel is ever bent: each layer has a channel of its own and plays one note at a time.
    """
    keys = to_keys(score.frequency, tuning)
    percussion = np.array([voice.percussion for voice in score.voices])[score.layer] if len(score) else np.empty(0)
    key = np.where(percussion, to_keys(score.frequency, "12tet").key, keys.key).tolist()
    fine = np.where(percussion, 0, keys.fine).tolist()
    voices, velocities = score.layer.tolist(), score.velocity.tolist()
    onsets, ends = score.onset.tolist(), (score.onset + score.duration).tolist()
    channels = [voice.channel for voice in score.voices]
    tuned: dict[tuple[int, int], int] = {}
    events: list[tuple[float, int, int, TimedMessage]] = []
    for i, voice in enumerate(voices):
        channel = channels[voice]
        on = mido.Message("note_on", channel=channel, note=key[i], velocity=velocities[i])
        off = mido.Message("note_off", channel=channel, note=key[i], velocity=NOTE_OFF_VELOCITY)
        before = [] if score.voices[voice].percussion else _retune(tuning, channel, key[i], fine[i], tuned)
        events += [(onsets[i], 1, i, TimedMessage(onsets[i], voice, message)) for message in (*before, on)]
        events.append((ends[i], 0, i, TimedMessage(ends[i], voice, off)))
    events.sort(key=lambda event: event[:3])
    return [event[3] for event in events]


def _retune(tuning: str, channel: int, key: int, fine: int, tuned: dict[tuple[int, int], int]) -> list[mido.Message]:
    """The message that brings a channel (bend) or a key of it (mts) to a pitch, none where it is there already."""
    if tuning == "12tet":
        return []
    place, untouched = (channel, -1 if tuning == "bend" else key), 0 if tuning == "bend" else key * MTS_STEPS
    if tuned.get(place, untouched) == fine:
        return []
    tuned[place] = fine
    if tuning == "bend":
        return [mido.Message("pitchwheel", channel=channel, pitch=fine)]
    return [_single_note_tuning(channel, key, fine)]


def _single_note_tuning(program: int, key: int, pitch: int) -> mido.Message:
    """MIDI Tuning Standard, real-time single-note change (sub-ids 08 02): ``pitch`` in 1/16384 semitones from key 0."""
    semitone, fraction = divmod(pitch, MTS_STEPS)
    return mido.Message(
        "sysex", data=(0x7F, 0x7F, 0x08, 0x02, program, 1, key, semitone, fraction >> 7, fraction & 127)
    )


def _tuning_controls(channel: int, tuning: str) -> list[tuple[int, int]]:
    if tuning == "bend":
        return [*_rpn(BEND_RANGE_RPN, BEND_RANGE), (DATA_FINE, 0), *_null_rpn()]
    if tuning == "mts":
        # Each channel has a tuning program of its own number; FluidSynth before 2.6 needs bank and program said.
        return [*_rpn(TUNING_BANK_RPN, 0), *_rpn(TUNING_PROGRAM_RPN, channel), *_null_rpn()]
    return []


def _rpn(number: int, value: int) -> list[tuple[int, int]]:
    return [(RPN_COARSE, 0), (RPN_FINE, number), (DATA_COARSE, value)]


def _null_rpn() -> list[tuple[int, int]]:
    return [(RPN_COARSE, NULL_RPN), (RPN_FINE, NULL_RPN)]
