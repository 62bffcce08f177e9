"""Score → bytes for the wire: the set-up of the channels once, then each step's notes with tunings carried over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import mido

from gradmidi.compose.composer import Composer
from gradmidi.outputs.midi_events import TimedMessage, note_events, setup_messages
from gradmidi.outputs.tuning import check_tuning, choose_tuning
from gradmidi.score import Score, Voice

ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF, BANK_COARSE, BANK_FINE = 120, 121, 123, 0, 32
CLEAN_SLATE = (ALL_SOUND_OFF, ALL_NOTES_OFF, RESET_CONTROLLERS, BANK_COARSE, BANK_FINE)
LOWEST, HIGHEST = 20.0, 12_000.0  # Hz between which a scale's tones are looked at


class TimedBytes(NamedTuple):
    """A MIDI message at a time in s from the start of the piece."""

    time: float
    data: bytes


def setup_bytes(voices: Sequence[Voice], tuning: str) -> Iterator[bytes]:
    """What every channel is told before the first note: a clean slate, then the voice's set-up."""
    for voice in voices:
        yield from clean_slate(voice.channel)
        for message in setup_messages(voice, tuning):
            yield _bytes(message)


def clean_slate(channel: int) -> Iterator[bytes]:
    """Silence, controllers at rest, the first bank."""
    for control in CLEAN_SLATE:
        yield _bytes(mido.Message("control_change", channel=channel, control=control, value=0))


def live_tuning(composer: Composer, tuning: str) -> str:
    """The tuning of a piece whose notes are still to come: ``auto`` looks at the scale instead.

    Raises:
        InputError: an unknown tuning.
    """
    check_tuning(tuning)
    if tuning != "auto":
        return tuning
    if composer.scale is None:
        return "bend"
    return choose_tuning("auto", composer.scale.frequencies(LOWEST, HIGHEST))


class NoteBytes:
    """The notes of one score after the other, on the same channels.

    Each call of :func:`note_events` takes the channels as untouched; here the bend of each channel, or the tuning of
    each of its keys, is known from the steps before, and said where it differs.
    """

    def __init__(self, tuning: str) -> None:
        self._tuning = tuning
        self._said: dict[tuple[int, ...], bytes] = {}
        self._known = True  # channels not in _said are untouched, and not of unknown tuning

    def of(self, score: Score) -> list[TimedBytes]:
        """Every message of ``score``, in order."""
        if self._tuning == "12tet":
            return [TimedBytes(event.time, _bytes(event.message)) for event in note_events(score, self._tuning)]
        percussion = {voice.channel for voice in score.voices if voice.percussion}
        wanted: dict[tuple[int, ...], bytes] = {}
        out: list[TimedBytes] = []
        for event in note_events(score, self._tuning):
            data, place = _bytes(event.message), self._place(event)
            if event.message.type not in ("note_on", "note_off"):
                wanted[place] = data
                continue
            if event.message.type == "note_on" and event.message.channel not in percussion:
                untouched = self._untouched(event.message)
                tune = wanted.get(place, untouched)
                if self._said.get(place, untouched if self._known else None) != tune:
                    self._said[place] = tune
                    out.append(TimedBytes(event.time, tune))
            out.append(TimedBytes(event.time, data))
        return out

    def forget(self) -> None:
        """Messages that were handed over may not have been sent: say every tuning again."""
        self._said.clear()
        self._known = False

    def _place(self, event: TimedMessage) -> tuple[int, ...]:
        """What a tuning holds for: a channel (bend) or a channel and key (mts)."""
        message = event.message
        if message.type == "sysex":
            return message.data[4], message.data[6]
        return (message.channel,) if self._tuning == "bend" else (message.channel, message.note)

    def _untouched(self, note: mido.Message) -> bytes:
        if self._tuning == "bend":
            return _bytes(mido.Message("pitchwheel", channel=note.channel, pitch=0))
        return _bytes(mido.Message("sysex", data=(0x7F, 0x7F, 8, 2, note.channel, 1, note.note, note.note, 0, 0)))


def _bytes(message: mido.Message) -> bytes:
    return bytes(message.bytes())
