"""Controllers, registered parameters and tuning messages by number. Knows no library: the player process loads it too.

Source: MIDI 1.0 Detailed Specification, MIDI Tuning Standard and General MIDI (what a synthesiser has at power-up).
"""

from __future__ import annotations

from collections.abc import Iterable

BANK_COARSE, DATA_COARSE, VOLUME, PAN, BANK_FINE, DATA_FINE, SUSTAIN = 0, 6, 7, 10, 32, 38, 64
DATA_INCREMENT, DATA_DECREMENT, NRPN_FINE, NRPN_COARSE, RPN_FINE, RPN_COARSE = range(96, 102)
ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF = 120, 121, 123

BEND_RANGE_RPN, FINE_TUNING_RPN, COARSE_TUNING_RPN, TUNING_PROGRAM_RPN, TUNING_BANK_RPN = range(5)
NULL_RPN = 127

STANDARD_PROGRAM = 0  # the tuning program that every channel is on at first, in equal temperament; never retuned here
OWN_PROGRAMS = 112  # tuning program of channel 0 where keys are retuned; each channel has its own, up to 127
SINGLE_NOTE_TUNING = bytes((0x7F, 0x7F, 0x08, 0x02))  # real time, all devices; then program, count, and 4 bytes per key
MOST_KEYS = 32  # in one message: some receivers have small buffers

Controls = list[tuple[int, int]]


def rpn(number: int, *values: int) -> Controls:
    """Controllers that set a registered parameter to its coarse and, where given, fine value."""
    data = zip((DATA_COARSE, DATA_FINE), values, strict=False)
    return [(RPN_COARSE, 0), (RPN_FINE, number), *data]


def null_rpn() -> Controls:
    """Controllers after which data entry changes nothing."""
    return [(RPN_COARSE, NULL_RPN), (RPN_FINE, NULL_RPN)]


def tuning_program(program: int) -> Controls:
    """Controllers that put a channel on a tuning program of bank 0; FluidSynth before 2.6 needs both."""
    return [*rpn(TUNING_BANK_RPN, 0), *rpn(TUNING_PROGRAM_RPN, program)]


def equal_temperament(head: bytes, keys: Iterable[int]) -> list[bytes]:
    """Data of single-note tuning messages that bring keys back to where they are on a piano.

    Args:
        head: all that stands before the count of keys: :data:`SINGLE_NOTE_TUNING` and a program.
        keys: 0–127.
    """
    order = sorted(keys)
    parts = [order[i : i + MOST_KEYS] for i in range(0, len(order), MOST_KEYS)]
    return [head + bytes((len(part), *(byte for key in part for byte in (key, key, 0, 0)))) for part in parts]
