"""What is heard, in words: instruments, places from left to right, how high and how loud it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.voices import instrument_names
from gradmidi.score import Voice
from gradmidi.theory.pitch import hz_to_key, key_to_hz, note_name

# from which pan (0 to 127) on a voice is there
PLACES = (
    (0, "far left"),
    (22, "left"),
    (44, "slightly left"),
    (60, "in the middle"),
    (69, "slightly right"),
    (85, "right"),
    (106, "far right"),
)
REGISTERS = tuple((float(key_to_hz(key)), word) for key, word in ((48, "low"), (60, "middle"), (72, "high")))
LOWEST, HIGHEST = "very low", "very high"
TOP = float(key_to_hz(84))


def place_of(pan: int) -> str:
    """Where a voice is, from "far left" to "far right"."""
    return [word for limit, word in PLACES if pan >= limit][-1]


def voice_in_words(voice: Voice) -> str:
    """Such as ``"conv1: Xylophone, right"``."""
    return f"{voice.name}: {instrument_names()[voice.program]}, {place_of(voice.pan)}"


def register_of(hertz: float) -> str:
    """How high: "very low" below C3, then an octave each "low", "middle" and "high", "very high" from C6 on."""
    if hertz >= TOP:
        return HIGHEST
    return ([LOWEST] + [word for limit, word in REGISTERS if hertz >= limit])[-1]


def pitch_name(hertz: float) -> str:
    """The nearest note, as it is read aloud: "A4", "C sharp 5"."""
    return note_name(round(float(hz_to_key(hertz)))).replace("#", " sharp ")


def range_in_words(hertz: NDArray[np.float64]) -> str:
    """Such as ``"pitches low to high, A3 to E5"``; "" without pitches."""
    if not len(hertz):
        return ""
    low, high = float(hertz.min()), float(hertz.max())
    registers, names = (register_of(low), register_of(high)), (pitch_name(low), pitch_name(high))
    return f"pitches {_range(*registers)}, {_range(*names)}"


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def number_in_words(value: float) -> str:
    """Two digits, without an exponent that would be read letter by letter: "0.05", "3 times 10 to the minus 5"."""
    if not np.isfinite(value) or value == 0:
        return "infinite" if value > 0 else f"{value:g}"
    digits, exponent = f"{value:.1e}".split("e")
    power = int(exponent)
    if -3 <= power < 5:
        return f"{round(value, 1 - power):.{max(0, 1 - power)}f}"
    sign = "minus " if power < 0 else ""
    return f"{digits} times 10 to the {sign}{abs(power)}"
