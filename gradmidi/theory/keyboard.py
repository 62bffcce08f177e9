"""What a Scala scale sounds like on a keyboard: which degree is on which MIDI key, and the Hz of each.

Follows https://www.huygens-fokker.org/scala/help.htm#mappings and, where that is silent, what Scala itself does: each
repetition of the mapping's pattern moves it by ``formal_octave`` degrees.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.theory.degrees import MAX_DEGREES, UNISON, check_period
from gradmidi.theory.interval import Interval
from gradmidi.theory.pitch import A4, CENTS_PER_OCTAVE, HIGHEST_KEY, LOWEST_KEY, parse_pitch

MIDDLE_KEY = 60


@dataclass(frozen=True)
class ScalaScale:
    """The contents of an ``.scl`` file: its description, and its pitches in the file's order.

    Degree 0, the unison, is implied. The last pitch is the period; without any pitch there is only degree 0.
    """

    description: str
    pitches: tuple[Interval, ...]

    @property
    def period(self) -> Interval | None:
        """The interval at which the degrees repeat; negative in a descending scale, None without pitches."""
        return self.pitches[-1] if self.pitches else None

    def cents(self, degree: int) -> float:
        """How far any degree lies above degree 0 (or below it)."""
        if not self.pitches:
            return 0.0
        periods, place = divmod(degree, len(self.pitches))
        return (self.pitches[place - 1].cents if place else 0.0) + periods * self.pitches[-1].cents

    def interval(self, degree: int) -> Interval:
        """The interval from degree 0, exact within the first period.

        Raises:
            InputError: the interval exceeds 100 octaves.
        """
        if 0 < degree <= len(self.pitches):
            return self.pitches[degree - 1]
        return Interval.from_cents(self.cents(degree)) if degree else UNISON


@dataclass(frozen=True)
class KeyboardMap:
    """The contents of a ``.kbm`` file: which degree of a scale sounds on which of the 128 MIDI keys.

    ``degrees`` is the pattern from the ``middle`` key upwards (None: unmapped), repeated over the keyboard; empty
    maps every key in turn. Each repetition is ``formal_octave`` degrees higher, 0 standing for the number of
    notes of the scale. Keys outside ``first`` to ``last`` are not mapped. The ``reference`` key sounds at
    ``frequency`` Hz. The defaults are Scala's own without a mapping: degree 0 on key 60 at 261.6256 Hz.
    """

    degrees: tuple[int | None, ...] = ()
    first: int = LOWEST_KEY
    last: int = HIGHEST_KEY
    middle: int = MIDDLE_KEY
    reference: int = MIDDLE_KEY
    frequency: float = parse_pitch(MIDDLE_KEY, A4)
    formal_octave: int = 0

    def degree(self, key: int, notes: int) -> int | None:
        """The degree on ``key``, for a scale of that many ``notes``, whether or not it is in first to last."""
        if not self.degrees:
            return key - self.middle
        repetitions, place = divmod(key - self.middle, len(self.degrees))
        degree = self.degrees[place]
        return None if degree is None else degree + repetitions * (self.formal_octave or notes)


def keyboard_frequencies(scale: ScalaScale, keyboard: KeyboardMap | None = None) -> NDArray[np.float64]:
    """The frequency in Hz of each MIDI key (128,): NaN for keys that are unmapped or beyond float64.

    Without a ``keyboard`` degree 0 is on key 60 at 261.6256 Hz.

    Raises:
        InputError: the reference key is unmapped.
    """
    keyboard = keyboard or KeyboardMap()
    keys = range(LOWEST_KEY, HIGHEST_KEY + 1)
    degrees = [_degree(scale, keyboard, key) if keyboard.first <= key <= keyboard.last else None for key in keys]
    cents = np.array([math.nan if degree is None else scale.cents(degree) for degree in degrees])
    with np.errstate(over="ignore", invalid="ignore"):
        hz = keyboard.frequency * np.exp2((cents - _reference_cents(scale, keyboard)) / CENTS_PER_OCTAVE)
    return np.where((hz > 0) & (hz < np.inf), hz, np.nan)


def sounding_tones(scale: ScalaScale, keyboard: KeyboardMap) -> tuple[tuple[Interval, ...], Interval | None, float]:
    """The tones that a keyboard plays: their intervals above degree 0, their period, and degree 0's Hz.

    There is no period if the mapping's pattern does not repeat within ``first`` to ``last``: then exactly the mapped
    keys sound.

    Raises:
        InputError: the reference key is unmapped, no key is mapped, or there are too many tones.
    """
    notes = len(scale.pitches)
    tonic = _degree_zero_hz(scale, keyboard)
    if scale.period is None:
        return (UNISON,), None, tonic
    period = check_period(scale.period if scale.period.cents >= 0 else -scale.period)
    if not keyboard.degrees:
        return (UNISON, *scale.pitches), period, tonic
    keys = range(keyboard.first, keyboard.last + 1)
    shift = keyboard.formal_octave or notes
    repeats = len(keyboard.degrees) < len(keys)
    if repeats:
        # Both the pattern and the scale repeat; together they do after the least common multiple of degrees.
        patterns = math.lcm(shift, notes) // shift
        keys = range(keyboard.middle, keyboard.middle + patterns * len(keyboard.degrees))
    if len(keys) > MAX_DEGREES:
        raise InputError(f"a mapping to {len(keys):,} tones: more than {MAX_DEGREES:,}; make the pattern smaller")
    mapped = [degree for key in keys if (degree := keyboard.degree(key, notes)) is not None]
    if not mapped:
        raise InputError("no key is mapped; give at least one degree in the mapping")
    together = Interval.from_cents(period.cents * math.lcm(shift, notes) / notes) if shift != notes else period
    return tuple(scale.interval(degree) for degree in mapped), together if repeats else None, tonic


def _degree(scale: ScalaScale, keyboard: KeyboardMap, key: int) -> int | None:
    degree = keyboard.degree(key, len(scale.pitches))
    return degree if scale.pitches or degree == 0 else None  # without pitches there is only degree 0


def _reference_cents(scale: ScalaScale, keyboard: KeyboardMap) -> float:
    degree = _degree(scale, keyboard, keyboard.reference)
    if degree is None:
        raise InputError(f"reference key {keyboard.reference} is not mapped; map it, or give another reference key")
    return scale.cents(degree)


def _degree_zero_hz(scale: ScalaScale, keyboard: KeyboardMap) -> float:
    try:
        return keyboard.frequency / math.exp2(_reference_cents(scale, keyboard) / CENTS_PER_OCTAVE)
    except (OverflowError, ZeroDivisionError):
        raise InputError(f"reference key {keyboard.reference} is too far from degree 0; use a nearer one") from None
