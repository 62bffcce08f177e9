"""Pitch in its four units: Hz, MIDI key, cents and note name.

A MIDI key is a number of equal-tempered semitones with 60 = C4 (middle C) and 69 = A4; it may be fractional.
"""

import math
import re
import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown

A4 = 440.0  # Hz, ISO 16
A4_KEY = 69
LOWEST_KEY, HIGHEST_KEY = 0, 127
SEMITONES_PER_OCTAVE = 12
CENTS_PER_OCTAVE = 1200.0
DEFAULT_OCTAVE = 4

_SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_LETTER_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTAL_SEMITONES = {"#": 1, "♯": 1, "b": -1, "♭": -1, "♮": 0}
_NOTE = re.compile(r"([A-Ga-g])(##|♯♯|bb|♭♭|[#♯b♭♮]?)(-?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_HZ = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\s*[hH][zZ])?", re.ASCII)


def as_floats(values: ArrayLike, what: str = "frequency") -> NDArray[np.float64]:
    """``values`` as float64 of the same shape, or an InputError that calls them ``what``."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what}: expected numbers, got {shown(values)}; give a number or an array of them") from None


def hz_to_key(hz: ArrayLike, a4: float = A4) -> NDArray[np.float64]:
    """Fractional MIDI keys of frequencies in Hz, any shape: 69 + 12 log2(hz / a4).

    NaN and negative values give NaN, 0 gives -inf, inf gives inf.

    Raises:
        InputError: anything but numbers.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = as_floats(hz) / check_a4(a4)
        return np.asarray(A4_KEY + SEMITONES_PER_OCTAVE * np.log2(ratio))[()]


def key_to_hz(key: ArrayLike, a4: float = A4) -> NDArray[np.float64]:
    """Frequencies in Hz of (fractional) MIDI keys, any shape: a4 · 2^((key - 69) / 12). NaN stays NaN.

    Raises:
        InputError: anything but numbers.
    """
    with np.errstate(over="ignore"):
        octaves = (as_floats(key, "MIDI key") - A4_KEY) / SEMITONES_PER_OCTAVE
        return np.asarray(check_a4(a4) * np.exp2(octaves))[()]


def cents_between(hz: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """How many cents ``hz`` lies above ``reference`` (Hz; broadcast against each other): 1200 log2(hz / reference).

    Negative where ``hz`` is the lower one; NaN where either is NaN or negative.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = as_floats(hz) / as_floats(reference, "reference")
        return np.asarray(CENTS_PER_OCTAVE * np.log2(ratio))[()]


def note_name(key: float) -> str:
    """The name of a MIDI key, with sharps: 60 is ``C4``, 61 ``C#4``, 0 ``C-1``.

    A fractional key gets its distance from the nearest key in whole cents: 60.14 is ``C4+14c``.

    Raises:
        InputError: ``key`` is not a finite number.
    """
    if not math.isfinite(key):
        raise InputError(f"MIDI key {key}: not a finite number, so it has no note name")
    nearest = math.floor(key + 0.5)
    cents = round((key - nearest) * 100)
    octave, step = divmod(nearest, SEMITONES_PER_OCTAVE)
    return f"{_SHARP_NAMES[step]}{octave - 1}" + (f"{cents:+d}c" if cents else "")


def parse_pitch(pitch: str | float, a4: float = A4) -> float:
    """A pitch as people write it, in Hz.

    An ``int`` is a MIDI key (0 to 127) and a ``float`` is Hz. Text is a note name (``C4``, ``Eb4``, ``F♯3``,
    ``C-1``; without an octave, octave 4), a whole number for a MIDI key (``60``), or Hz, written with a point
    or with the unit (``261.63``, ``262 Hz``). ``a4`` is the frequency of A4 in Hz for names and keys.

    Raises:
        InputError: anything else, a key outside 0 to 127, or Hz that are not positive and finite.
    """
    if isinstance(pitch, str):
        return _parse_pitch_text(pitch.strip(), a4)
    if isinstance(pitch, (int, np.integer)) and not isinstance(pitch, bool):
        return _hz_of_key(int(pitch), shown(int(pitch)), a4)
    if isinstance(pitch, (float, np.floating)):
        return _check_hz(float(pitch), str(pitch))
    raise _not_a_pitch(shown(pitch))


def check_a4(a4: float) -> float:
    """``a4`` itself when it is a usable reference frequency in Hz, else an InputError."""
    if not isinstance(a4, (int, float, np.number)) or isinstance(a4, bool) or not 0 < a4 <= sys.float_info.max:
        raise InputError(f"a4={shown(a4)}: the reference pitch must be a positive frequency in Hz, such as 440 or 415")
    return float(a4)


def _parse_pitch_text(text: str, a4: float) -> float:
    if note := _NOTE.fullmatch(text):
        letter, accidentals, octave_text = note.groups()
        octave = int(octave_text) if octave_text else DEFAULT_OCTAVE
        semitone = _LETTER_SEMITONES[letter.upper()] + sum(_ACCIDENTAL_SEMITONES[sign] for sign in accidentals)
        return _hz_of_key((octave + 1) * SEMITONES_PER_OCTAVE + semitone, shown(text), a4)
    if _WHOLE.fullmatch(text):
        return _hz_of_key(int(text), shown(text), a4)
    if number := _HZ.fullmatch(text):
        return _check_hz(float(number[1]), text)
    raise _not_a_pitch(shown(text))


def _hz_of_key(key: int, text: str, a4: float) -> float:
    if not LOWEST_KEY <= key <= HIGHEST_KEY:
        raise InputError(
            f"pitch {text}: MIDI key {shown(key)} is outside {LOWEST_KEY} to {HIGHEST_KEY} (C-1 to G9); "
            "for a frequency write it with a point or with Hz, such as 220.0 or '220 Hz'"
        )
    return float(check_a4(a4) * 2.0 ** ((key - A4_KEY) / SEMITONES_PER_OCTAVE))


def _check_hz(hz: float, text: str) -> float:
    if not (math.isfinite(hz) and hz > 0):
        raise InputError(f"pitch {shown(text)}: a frequency must be positive and finite; give Hz such as 261.63")
    return hz


def _not_a_pitch(shown: str) -> InputError:
    return InputError(f"pitch {shown}: not a note name, MIDI key or frequency; write 'Eb4', 60 or '261.63 Hz'")
