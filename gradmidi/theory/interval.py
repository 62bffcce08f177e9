"""An interval: the distance between two tones, in cents and, if known, as an exact ratio."""

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.theory.pitch import CENTS_PER_OCTAVE

MAX_CENTS = 100 * CENTS_PER_OCTAVE  # far beyond hearing, and safe to raise to powers in float64
_LARGEST_EXACT = 2**63  # larger numerators and denominators are kept as cents only: no one reads them as a ratio
_LARGEST_FROM_FLOAT = 10_000_000  # any float is a fraction over a power of two; only a short one was meant as one
_SIMPLE_DENOMINATOR = 100_000
_RATIO_TEXT = re.compile(r"\s*[+-]?\d+(/\d+|\.\d*)?\s*", re.ASCII)  # no exponents: "1e999999999" would take forever


@dataclass(frozen=True)
class Interval:
    """A musical interval, upwards when ``cents`` is positive.

    ``fraction`` is the exact frequency ratio if there is one (3/2 for the just fifth), else None.
    """

    cents: float
    fraction: Fraction | None = field(default=None, compare=False)

    @classmethod
    def from_cents(cls, cents: float) -> "Interval":
        """An interval of ``cents``, 1200 to the octave.

        Raises:
            InputError: ``cents`` is not finite, or exceeds 100 octaves.
        """
        number = _number(cents, "cents")
        if not math.isfinite(number):
            raise InputError(f"interval of {shown(cents)} cents: not a finite number")
        if abs(number) > MAX_CENTS:
            raise InputError(f"interval of {number:g} cents: larger than 100 octaves ({MAX_CENTS:g} cents)")
        return cls(number + 0.0)  # turns -0.0 into 0.0

    @classmethod
    def from_ratio(cls, ratio: "float | Fraction | str") -> "Interval":
        """An interval from a frequency ratio: a number, a ``Fraction`` or text such as ``"3/2"``.

        A float that stands for a simple fraction (1.5, 5 / 3) is understood as that fraction.

        Raises:
            InputError: the ratio is not a positive finite number within 100 octaves.
        """
        exact = _fraction(ratio)
        if exact <= 0:
            raise InputError(f"ratio {shown(ratio)}: not positive; a frequency ratio is a number above 0 such as 3/2")
        cents = CENTS_PER_OCTAVE * _log2(exact)
        if abs(cents) > MAX_CENTS:
            raise InputError(f"ratio {shown(ratio)}: larger than 100 octaves")
        largest = _LARGEST_FROM_FLOAT if isinstance(ratio, float) else _LARGEST_EXACT
        readable = max(exact.numerator, exact.denominator) <= largest
        return cls(cents + 0.0, exact if readable else None)

    @property
    def ratio(self) -> float:
        """The frequency ratio: 2.0 for an octave."""
        return float(self.fraction) if self.fraction is not None else 2.0 ** (self.cents / CENTS_PER_OCTAVE)

    def __add__(self, other: "Interval") -> "Interval":
        if self.fraction is not None and other.fraction is not None:
            return Interval.from_ratio(self.fraction * other.fraction)
        return Interval.from_cents(self.cents + other.cents)

    def __neg__(self) -> "Interval":
        return Interval(0.0 - self.cents, None if self.fraction is None else 1 / self.fraction)

    def __sub__(self, other: "Interval") -> "Interval":
        return self + -other

    def __str__(self) -> str:
        return f"{self.cents:.6g} c" if self.fraction is None else str(self.fraction)


def _fraction(ratio: "float | Fraction | str") -> Fraction:
    if isinstance(ratio, np.generic):
        ratio = ratio.item()
    try:
        if isinstance(ratio, str) and not _RATIO_TEXT.fullmatch(ratio):
            raise ValueError(ratio)
        exact = Fraction(ratio)
    except ZeroDivisionError:
        raise InputError(f"ratio {shown(ratio)}: division by zero; a ratio is written as 3/2") from None
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"ratio {shown(ratio)}: not a ratio; give a positive number or text such as '3/2'") from None
    if isinstance(ratio, float):
        simple = exact.limit_denominator(_SIMPLE_DENOMINATOR)
        return simple if float(simple) == ratio else exact
    return exact


def _log2(ratio: Fraction) -> float:
    try:
        return math.log2(float(ratio))
    except (OverflowError, ValueError):  # beyond float64, but each part still has a logarithm
        return math.log2(ratio.numerator) - math.log2(ratio.denominator)


def _number(value: float, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what} {shown(value)}: not a number") from None
