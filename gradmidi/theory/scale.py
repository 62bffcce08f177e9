"""Scale: which tones there are, and the nearest of them to any frequency."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.theory import degrees, pitch, scala, tones
from gradmidi.theory.interval import Interval
from gradmidi.theory.scale_makers import ScaleMakers, check_tonic

_EXACT_KEY_CENTS = 1e-3
_EQUAL_DIGITS = 6  # decimals of a cent in which two equal scales agree
_SHOWN_DEGREES = 24

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Scale(ScaleMakers):
    """A set of tones: degrees above a tonic, repeated at a period upwards and downwards, or not repeated at all.

    Immutable and hashable. Two scales are equal when their tonic, degrees and period agree to a millionth of a
    cent; the name is only a label. Make one with ``named``, ``from_semitones``, ``from_cents``, ``from_ratios``,
    ``equal``, ``from_notes``, ``from_scala``, ``from_toml`` or ``parse``.

    ``degrees`` are ascending and different; with a ``repeat`` they lie in [0, repeat). The tonic itself need not
    be one of them. ``tonic`` is in Hz.
    """

    degrees: tuple[Interval, ...]
    repeat: Interval | None
    tonic: float
    name: str = field(default="custom")

    def __post_init__(self) -> None:
        if self.repeat is not None:
            degrees.check_period(self.repeat)
        object.__setattr__(self, "degrees", degrees.one_period(self.degrees, self.repeat))
        object.__setattr__(self, "tonic", check_tonic(self.tonic))
        object.__setattr__(self, "name", " ".join(str(self.name).split()) or "custom")

    @property
    def period(self) -> float | None:
        """The frequency ratio at which the degrees repeat (2.0 for an octave), or None if they do not."""
        return None if self.repeat is None else self.repeat.ratio

    @property
    def cents(self) -> tuple[float, ...]:
        """The degrees in cents above the tonic, ascending."""
        return tuple(degree.cents for degree in self.degrees)

    @property
    def ratios(self) -> tuple[float, ...]:
        """The degrees as frequency ratios to the tonic, ascending."""
        return tuple(degree.ratio for degree in self.degrees)

    @property
    def is_12tet(self) -> bool:
        """Whether every tone is a key of the ordinary piano (A4 = 440 Hz) to a thousandth of a cent."""
        tonic_cents = 100 * float(pitch.hz_to_key(self.tonic))
        steps = [tonic_cents + cents for cents in self.cents] + ([self.repeat.cents] if self.repeat else [])
        return all(abs(math.remainder(cents, 100)) <= _EXACT_KEY_CENTS for cents in steps)

    def __len__(self) -> int:
        """The number of tones in one period, or of all tones if there is no period."""
        return len(self.degrees)

    def quantize(self, hz: ArrayLike) -> Floats:
        """The nearest tone, in Hz, to each frequency in Hz; same shape, float64.

        Nearest in log frequency; a value exactly between two tones goes to the lower one. The results are the same
        floats that ``frequencies`` gives, so quantising twice changes nothing. NaN, infinity, zero and negative
        values have no nearest tone and give NaN. A scale with a period has tones from 1e-60 to 1e60 Hz.

        Raises:
            InputError: anything but numbers.
        """
        return self._tones.nearest(pitch.as_floats(hz))[()]

    def degree_of(self, hz: ArrayLike) -> Floats:
        """The number of the nearest tone to each frequency in Hz; same shape, float64 so that NaN stays NaN.

        Tones are counted upwards from the first degree at or above the tonic, which is 0; with N degrees the same
        degree one period higher is N more, and degrees below the tonic are negative: ``n % len(scale)`` is the place
        in the period, ``n // len(scale)`` the period. Without a period the lowest tone is 0.
        """
        return self._tones.nearest_number(pitch.as_floats(hz))[()]

    def frequencies(self, lo: float, hi: float) -> Floats:
        """Every tone from ``lo`` to ``hi`` Hz, both included, ascending (M,); empty if the range has no tone.

        Raises:
            InputError: one is not positive and finite, or ``lo`` is above ``hi``.
        """
        edges = pitch.as_floats([lo, hi])
        if edges.shape != (2,) or not tones.playable(edges).all() or lo > hi:
            raise InputError(f"range {lo} to {hi} Hz: give two positive frequencies, the lower one first")
        return self._tones.between(lo, hi)

    @cached_property
    def _tones(self) -> tones.ToneSet:
        return tones.ToneSet(np.array(self.ratios), self.period, self.tonic)

    def transpose(self, interval: float | Fraction | str) -> "Scale":
        """The same scale on another tonic: a number moves it by semitones, a ``Fraction`` or ``"3/2"`` by a ratio.

        Raises:
            InputError: that is not an interval, or it moves the tonic out of range.
        """
        if isinstance(interval, (str, Fraction)):
            ratio = Interval.from_ratio(interval).ratio
        else:
            ratio = Interval.from_cents(degrees.semitones_to_cents(interval)).ratio
        return Scale(self.degrees, self.repeat, self.tonic * ratio, self.name)

    def rotate(self, steps: int) -> "Scale":
        """The same tones with another tonic, ``steps`` degrees up (or down): C major rotated by 1 begins on D.

        Raises:
            InputError: the scale has no period or ``steps`` is not a whole number.
        """
        if not isinstance(steps, (int, np.integer)):
            raise InputError(f"rotation by {shown(steps)}: give a whole number of degrees")
        periods, place = divmod(int(steps), len(self))
        moved, period = self._seen_from(place)
        start = Interval.from_cents(self.degrees[place].cents + periods * period.cents)
        ratio = start.ratio if periods else self.degrees[place].ratio
        return Scale(moved, period, self.tonic * ratio, self.name)

    def mode(self, number: int) -> "Scale":
        """The ``number``-th mode (1 is the scale itself) on the same tonic: mode 2 of C major is C dorian.

        Raises:
            InputError: the scale has no period or ``number`` is not 1 to its number of degrees.
        """
        if not isinstance(number, (int, np.integer)) or not 1 <= number <= len(self):
            raise InputError(f"mode {shown(number)}: {self.name} has modes 1 to {len(self)}; give one of them")
        moved, period = self._seen_from(int(number) - 1)
        return Scale(moved, period, self.tonic, self.name if number == 1 else f"{self.name}, mode {number}")

    def _seen_from(self, place: int) -> tuple[tuple[Interval, ...], Interval]:
        """The degrees measured from the degree at ``place``, and the period, which there has to be."""
        if self.repeat is None:
            raise InputError(f"{self.name} has no period, so it has no modes; transpose it, or give it a period")
        return tuple(degree - self.degrees[place] for degree in self.degrees), self.repeat

    def union(self, other: "Scale") -> "Scale":
        """All tones of both, on this scale's tonic; also written ``scale + other``.

        Raises:
            InputError: they have different periods, or only one has a period.
        """
        if not (isinstance(other, Scale) and self._identity[0] == other._identity[0]):
            raise InputError(
                f"{self.name} and {getattr(other, 'name', other)} repeat at different periods, so they cannot be joined"
            )
        if other.tonic == self.tonic:
            moved = other.degrees
        else:
            offset = Interval.from_ratio(other.tonic / self.tonic)
            moved = tuple(degree + offset for degree in other.degrees)
        return Scale(self.degrees + moved, self.repeat, self.tonic, f"{self.name} + {other.name}")

    def __add__(self, other: "Scale") -> "Scale":
        return self.union(other) if isinstance(other, Scale) else NotImplemented

    def save_scala(self, path: str | PathLike[str]) -> None:
        """Write the scale as a Scala ``.scl`` file, so that ``from_scala(path, tonic=scale.tonic) == scale``.

        The format has no place for the tonic, and needs a period and a tone on the tonic.

        Raises:
            InputError: the scale lacks one of them, or the file cannot be written.
        """
        if self.repeat is None:
            raise InputError(f"{self.name}: an .scl file needs a period; make the scale with one, such as period=2")
        if self.degrees[0].cents != 0:
            raise InputError(
                f"{self.name}: an .scl file begins on the tonic, which is not a tone of this scale; rotate(0) first"
            )
        scala.write_scl(path, self.name, (*self.degrees[1:], self.repeat))

    @cached_property
    def _identity(self) -> tuple[float | None, ...]:
        """What makes two scales the same: the period (None: none), the tonic and the degrees, in rounded cents."""
        period = None if self.repeat is None else round(self.repeat.cents, _EQUAL_DIGITS)
        tonic = pitch.CENTS_PER_OCTAVE * math.log2(self.tonic)
        return (period, *(round(cents, _EQUAL_DIGITS) for cents in (tonic, *self.cents)))

    def __eq__(self, other: object) -> bool:
        return self._identity == other._identity if isinstance(other, Scale) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity)

    def __str__(self) -> str:
        return f"{self.name} on {self._tonic_text()}"

    def __repr__(self) -> str:
        first = ", ".join(str(degree) for degree in self.degrees[:_SHOWN_DEGREES])
        more = ", …" if len(self) > _SHOWN_DEGREES else ""
        repeats = "no period" if self.repeat is None else f"period {self.repeat}"
        return f"<Scale {self.name!r} on {self._tonic_text()}: {len(self)} tones [{first}{more}], {repeats}>"

    def _tonic_text(self) -> str:
        return f"{pitch.note_name(float(pitch.hz_to_key(self.tonic)))} ({self.tonic:.6g} Hz)"
