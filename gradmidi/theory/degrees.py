"""From the numbers that describe a scale to its degrees: one period's intervals above the tonic, ascending."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.theory.interval import Interval

_T = TypeVar("_T")
SAME_TONE_CENTS = 1e-6  # tones nearer than this are one tone: far below hearing, far above rounding
MIN_PERIOD_CENTS = 1.0
MAX_DEGREES = 10_000
_MAX_EXACT_PERIODS = 64  # powers of a ratio beyond this are unreadable, and slow to compute


def from_cents(cents: Iterable[float]) -> tuple[Interval, ...]:
    """Intervals from cents.

    Raises:
        InputError: anything but finite numbers.
    """
    return tuple(Interval.from_cents(value) for value in as_list(cents, "cents"))


def from_semitones(semitones: Iterable[float]) -> tuple[Interval, ...]:
    """Intervals from equal-tempered semitones, fractions allowed.

    Raises:
        InputError: anything but finite numbers.
    """
    return tuple(Interval.from_cents(semitones_to_cents(value)) for value in as_list(semitones, "semitones"))


def from_ratios(ratios: Iterable[float | Fraction | str]) -> tuple[Interval, ...]:
    """Intervals from frequency ratios.

    Raises:
        InputError: anything but positive finite ratios.
    """
    return tuple(Interval.from_ratio(value) for value in as_list(ratios, "ratios"))


def equal_steps(divisions: int, period: Interval) -> tuple[Interval, ...]:
    """``divisions`` equal steps of ``period``.

    Raises:
        InputError: ``divisions`` is not 1 to 10,000.
    """
    if not isinstance(divisions, (int, np.integer)) or not 1 <= divisions <= MAX_DEGREES:
        raise InputError(
            f"equal division into {shown(divisions)}: give a whole number of steps from 1 to {MAX_DEGREES:,}"
        )
    steps = (Interval.from_cents(period.cents * step / divisions) for step in range(1, divisions))
    return (UNISON, *steps)


def semitones_to_cents(semitones: float) -> float:
    """Cents of equal-tempered semitones: 2.3 semitones are 230 cents, to a billionth of a cent."""
    try:
        # Without the rounding 2.3 semitones, say, would be 229.99999999999997 cents.
        return round(float(semitones) * 100.0, 9)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{shown(semitones)} semitones: not a number") from None


def check_period(period: Interval) -> Interval:
    """``period`` itself when tones can repeat at it, else an InputError."""
    if period.cents <= 0:
        raise InputError(f"period of {period}: must be above 1 (0 cents), or None for a scale that does not repeat")
    if period.cents < MIN_PERIOD_CENTS:
        raise InputError(f"period of {period.cents:g} cents: shorter than {MIN_PERIOD_CENTS:g} cent; give a longer one")
    return period


def one_period(intervals: Sequence[Interval], period: Interval | None) -> tuple[Interval, ...]:
    """The different tones of ``intervals``, ascending, brought into [0, period) unless ``period`` is None.

    Raises:
        InputError: ``intervals`` is empty or has more than 10,000 tones.
    """
    if not intervals:
        raise InputError("a scale without tones: give at least one")
    if len(intervals) > MAX_DEGREES:
        raise InputError(f"a scale of {len(intervals):,} tones: more than {MAX_DEGREES:,}; leave some out")
    reduced = intervals if period is None else [_reduce(interval, period) for interval in intervals]
    kept: list[Interval] = []
    # If a tone occurs twice, the exact one is kept.
    for interval in sorted(reduced, key=lambda interval: (interval.cents, interval.fraction is None)):
        if not kept or interval.cents - kept[-1].cents > SAME_TONE_CENTS:
            kept.append(interval)
        elif kept[-1].fraction is None:
            kept[-1] = interval
    return tuple(kept)


def as_list(values: Iterable[_T], what: str) -> list[_T]:
    """``values`` as a list, or an InputError that calls them ``what``; text is refused, for it iterates by letter."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{what} {shown(values)}: expected a list of values such as [0, 2, 4]")
    return list(values)


def _reduce(interval: Interval, period: Interval) -> Interval:
    periods = math.floor(interval.cents / period.cents)
    if periods and abs(periods) <= _MAX_EXACT_PERIODS and interval.fraction and period.fraction:
        reduced = Interval.from_ratio(interval.fraction / period.fraction**periods)
    elif periods:
        reduced = Interval.from_cents(interval.cents - periods * period.cents)
    else:
        reduced = interval
    at_the_seam = reduced.cents < 0 or period.cents - reduced.cents <= SAME_TONE_CENTS
    return UNISON if at_the_seam else reduced


UNISON = Interval.from_ratio(1)
OCTAVE = Interval.from_ratio(2)
