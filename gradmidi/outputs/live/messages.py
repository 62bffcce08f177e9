"""Score → bytes for the wire: what the channels are told first, and the notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import mido

from gradmidi.composition.composer import Composer
from gradmidi.outputs.midi_events import TimedMessage, setup_messages, tuning_messages
from gradmidi.outputs.midi_numbers import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BANK_COARSE,
    BANK_FINE,
    RESET_CONTROLLERS,
)
from gradmidi.outputs.tuning import check_tuning, choose_tuning
from gradmidi.score import Voice

CLEAN_SLATE = (ALL_SOUND_OFF, ALL_NOTES_OFF, RESET_CONTROLLERS, BANK_COARSE, BANK_FINE)
LOWEST, HIGHEST = 20.0, 12_000.0  # Hz; range in which a scale's tones are examined


class TimedBytes(NamedTuple):
    """A MIDI message at a time in s from the start of the piece."""

    time: float
    data: bytes


def setup_bytes(voices: Sequence[Voice], tuning: str) -> Iterator[bytes]:
    """What is sent on every channel before the first note: a reset, then the voice's setup."""
    for voice in voices:
        yield from clean_slate(voice.channel)
        for message in setup_messages(voice, tuning):
            yield _bytes(message)


def clean_slate(channel: int) -> Iterator[bytes]:
    """Silence, controllers at rest, the first bank."""
    for control in CLEAN_SLATE:
        yield _bytes(mido.Message("control_change", channel=channel, control=control, value=0))


def tuning_bytes(channel: int, tuning: str) -> Iterator[bytes]:
    """The bend centred and the tuning program, as for a voice."""
    return map(_bytes, tuning_messages(channel, tuning))


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


def timed_bytes(events: Iterable[TimedMessage]) -> list[TimedBytes]:
    """The messages of a score as they go over the wire."""
    return [TimedBytes(event.time, _bytes(event.message)) for event in events]


def _bytes(message: mido.Message) -> bytes:
    return bytes(message.bytes())
