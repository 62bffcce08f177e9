"""Score → timed MIDI messages: one place for the file, the SoundFont renderer and the live player."""

from __future__ import annotations

from typing import NamedTuple

import mido

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


class MidiStream:
    """The notes of one score after another on the same channels, with every tuning said once and drones held.

    Each layer has a channel of its own and plays one note at a time. At one moment note-offs come first, and a note's
    tuning right before its note-on, so that no sounding note of a channel is ever bent.

    Args:
        tuning: one of :data:`gradmidi.outputs.tuning.TUNINGS`.
    """

    def __init__(self, tuning: str) -> None:
        self._tuning = tuning
        self._tuned: dict[tuple[int, int], int | None] = {}
        self._held: dict[int, TimedMessage] = {}
        self._known = True  # channels that are not in _tuned are untouched, not of unknown tuning

    def events(self, score: Score) -> list[TimedMessage]:
        """Every message of ``score``, sorted by time; where it holds its notes, without the ends of the last ones."""
        voices, tied = score.layer.tolist(), score.tied.tolist()
        percussion = [score.voices[i].percussion for i in voices]
        keys = to_keys(score.frequency, self._tuning)
        key, fine, velocities = keys.key.tolist(), keys.fine.tolist(), score.velocity.tolist()
        onsets, ends = score.onset.tolist(), (score.onset + score.duration).tolist()
        events = [(end.time, 0, end) for end in self._ended_before(voices, tied)]
        for i, voice in enumerate(voices):
            channel = score.voices[voice].channel
            off = mido.Message("note_off", channel=channel, note=key[i], velocity=NOTE_OFF_VELOCITY)
            end = TimedMessage(ends[i], voice, off)
            goes_on = tied[i] and voice in self._held
            if not goes_on:
                if voice in self._held:
                    events.append((self._held[voice].time, 0, self._held[voice]))
                on = mido.Message("note_on", channel=channel, note=key[i], velocity=velocities[i])
                tune = [] if percussion[i] else self._tune(channel, key[i], fine[i])
                events += [(onsets[i], 1, TimedMessage(onsets[i], voice, message)) for message in (*tune, on)]
            if score.held and not percussion[i]:
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
        """Messages that were handed out may not have been sent: say every tuning and strike every note again."""
        self._tuned.clear()
        self._held.clear()
        self._known = False

    def _ended_before(self, voices: list[int], tied: list[bool]) -> list[TimedMessage]:
        """The ends of held notes that the score to come does not go on with."""
        first_tied = dict(zip(reversed(voices), reversed(tied), strict=True))
        return [self._held.pop(voice) for voice in list(self._held) if not first_tied.get(voice, False)]

    def _tune(self, channel: int, key: int, fine: int) -> list[mido.Message]:
        """What brings a channel (bend) or a key of it (mts) to a pitch; nothing where it is there already."""
        if self._tuning == "12tet":
            return []
        bends = self._tuning == "bend"
        place, untouched = (channel, -1 if bends else key), 0 if bends else key * MTS_STEPS
        if self._tuned.get(place, untouched if self._known else None) == fine:
            return []
        self._tuned[place] = fine
        if bends:
            return [mido.Message("pitchwheel", channel=channel, pitch=fine)]
        return [_single_note_tuning(channel, key, fine)]


def note_events(score: Score, tuning: str) -> list[TimedMessage]:
    """Every message of a score that stands alone, sorted by time."""
    stream = MidiStream(tuning)
    events = [*stream.events(score), *stream.end()]
    # The sort is stable and the stream's order is kept: note-offs of one moment before its note-ons.
    return sorted(events, key=lambda event: (event.time, event.message.type != "note_off"))


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
