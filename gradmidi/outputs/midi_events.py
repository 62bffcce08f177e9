"""Score → timed MIDI messages: one place for the file, the SoundFont renderer and the live player."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import mido
import numpy as np

from gradmidi.outputs.midi_numbers import (
    BEND_RANGE_RPN,
    OWN_PROGRAMS,
    PAN,
    SINGLE_NOTE_TUNING,
    STANDARD_PROGRAM,
    VOLUME,
    Controls,
    equal_temperament,
    null_rpn,
    rpn,
    tuning_program,
)
from gradmidi.outputs.tuning import BEND_RANGE, MTS_STEPS, to_keys
from gradmidi.score import OWN_PROGRAM, Score, Voice

NOTE_OFF_VELOCITY = 64  # the specification's neutral value


class TimedMessage(NamedTuple):
    """A message at a time in s from the start of the piece, for the voice of that index."""

    time: float
    voice: int
    message: mido.Message


def setup_messages(voice: Voice, tuning: str) -> list[mido.Message]:
    """What is sent on a channel before its first note: program, volume, pan, and the tuning, whatever was set."""
    channel = voice.channel
    levels = _controls(channel, [(VOLUME, voice.volume), (PAN, voice.pan)])
    if voice.percussion:
        return levels
    program = mido.Message("program_change", channel=channel, program=voice.program)
    return [program, *levels, *tuning_messages(channel, tuning)]


def tuning_messages(channel: int, tuning: str) -> list[mido.Message]:
    """A channel's bend centred and its tuning program: the standard one, or with ``mts`` a separate one."""
    # The bend range comes last: a synth that ignores tuning programs may take their data for it.
    bend_range = [*rpn(BEND_RANGE_RPN, BEND_RANGE, 0)] if tuning == "bend" else []
    program = OWN_PROGRAMS + channel if tuning == "mts" else STANDARD_PROGRAM
    controls = [*tuning_program(program), *bend_range, *null_rpn()]
    return [mido.Message("pitchwheel", channel=channel, pitch=0), *_controls(channel, controls)]


def closing_messages(voice: Voice, tuning: str, keys: Iterable[int]) -> list[mido.Message]:
    """Messages that leave a channel in tune for its next user; ``keys`` are those that were retuned."""
    if voice.percussion or tuning == "12tet":
        return []
    if tuning == "bend":
        return [mido.Message("pitchwheel", channel=voice.channel, pitch=0)]
    head = SINGLE_NOTE_TUNING + bytes([OWN_PROGRAMS + voice.channel])
    retuned = [mido.Message("sysex", data=data) for data in equal_temperament(head, keys)]
    return [*retuned, *_controls(voice.channel, [*tuning_program(STANDARD_PROGRAM), *null_rpn()])]


class MidiStream:
    """The notes of one score after another on the same channels, with every tuning sent once and drones held.

    Each layer has its own channel and plays one note at a time. At one moment note-offs come first, and a note's
    tuning right before its note-on, so that no sounding note of a channel is ever bent. There the instrument changes,
    too, for a note that has a program of its own.

    Args:
        tuning: one of :data:`gradmidi.outputs.tuning.TUNINGS`.
    """

    def __init__(self, tuning: str) -> None:
        self._tuning = tuning
        self._tuned: dict[tuple[int, int], int | None] = {}
        self._held: dict[int, TimedMessage] = {}
        self._programs: dict[int, int | None] = {}  # by channel that no longer has its voice's
        self._bends_known = True  # the setup centres every bend; nothing is known about a key's tuning

    def events(self, score: Score) -> list[TimedMessage]:
        """Every message of ``score``, sorted by time; where it holds its notes, without the ends of the last ones."""
        voices, tied = score.layer.tolist(), score.tied.tolist()
        sustained, programs = score.sustained.tolist(), score.program.tolist()
        keys = to_keys(score.frequency, self._tuning)
        pitched, key = score.pitched.tolist(), np.where(score.pitched, keys.key, score.drum).tolist()
        fine, velocities = keys.fine.tolist(), score.velocity.tolist()
        onsets, ends = score.onset.tolist(), (score.onset + score.duration).tolist()
        events = [(end.time, 0, end) for end in self._ended_before(voices, tied)]
        for i, voice in enumerate(voices):
            channel = score.voices[voice].channel
            off = mido.Message("note_off", channel=channel, note=key[i], velocity=NOTE_OFF_VELOCITY)
            end = TimedMessage(ends[i], voice, off)
            continues = tied[i] and voice in self._held
            if not continues:
                if voice in self._held:
                    events.append((self._held[voice].time, 0, self._held[voice]))
                on = mido.Message("note_on", channel=channel, note=key[i], velocity=velocities[i])
                change = self._change(score.voices[voice], programs[i])
                tune = self._tune(channel, key[i], fine[i]) if pitched[i] else []
                events += [(onsets[i], 1, TimedMessage(onsets[i], voice, message)) for message in (*change, *tune, on)]
            if sustained[i]:
                self._held[voice] = end
            else:
                events.append((ends[i], 0, end))
        events.sort(key=lambda event: event[:2])
        return [event[2] for event in events]

    def end(self) -> list[TimedMessage]:
        """The ends of the notes that are still held."""
        held = sorted(self._held.values(), key=lambda message: message.time)
        self._held.clear()
        return held

    def forget(self) -> None:
        """Messages that were returned may not have been sent: send every tuning and strike every note again."""
        self._tuned.clear()
        self._programs = dict.fromkeys(self._programs)  # those that were never changed are as the setup has them
        self._held.clear()
        self._bends_known = False

    def _ended_before(self, voices: list[int], tied: list[bool]) -> list[TimedMessage]:
        """The ends of held notes that the next score does not continue."""
        first_tied = dict(zip(reversed(voices), reversed(tied), strict=True))
        return [self._held.pop(voice) for voice in list(self._held) if not first_tied.get(voice, False)]

    def _change(self, voice: Voice, program: int) -> list[mido.Message]:
        """The message that gives a channel the instrument of its next note; empty if it has it already."""
        if voice.percussion:
            return []
        wanted = voice.program if program == OWN_PROGRAM else program
        if self._programs.get(voice.channel, voice.program) == wanted:
            return []
        self._programs[voice.channel] = wanted
        return [mido.Message("program_change", channel=voice.channel, program=wanted)]

    def _tune(self, channel: int, key: int, fine: int) -> list[mido.Message]:
        """Messages that tune a channel (bend) or a key of it (mts) to a pitch; empty if it is in tune already."""
        if self._tuning == "12tet":
            return []
        bends = self._tuning == "bend"
        place, unsaid = (channel, -1 if bends else key), 0 if bends and self._bends_known else None
        if self._tuned.get(place, unsaid) == fine:
            return []
        self._tuned[place] = fine
        if bends:
            return [mido.Message("pitchwheel", channel=channel, pitch=fine)]
        return [_single_note_tuning(channel, key, fine)]


def note_events(score: Score, tuning: str) -> list[TimedMessage]:
    """Every message of a self-contained score, sorted by time."""
    stream = MidiStream(tuning)
    events = [*stream.events(score), *stream.end()]
    # The sort is stable and the stream's order is kept: note-offs of one moment before its note-ons.
    return sorted(events, key=lambda event: (event.time, event.message.type != "note_off"))


def _single_note_tuning(channel: int, key: int, pitch: int) -> mido.Message:
    """MIDI Tuning Standard, real-time single-note change (sub-ids 08 02): ``pitch`` in 1/16384 semitones from key 0."""
    semitone, fraction = divmod(pitch, MTS_STEPS)
    change = (OWN_PROGRAMS + channel, 1, key, semitone, fraction >> 7, fraction & 127)
    return mido.Message("sysex", data=(*SINGLE_NOTE_TUNING, *change))


def _controls(channel: int, controls: Controls) -> list[mido.Message]:
    return [mido.Message("control_change", channel=channel, control=c, value=v) for c, v in controls]
