"""Scale: which tones there are, and the nearest of them to any frequency."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradmidi.errors import InputError
from gradmidi.files.small import read_toml
from gradmidi.printable import shown
from gradmidi.theory import catalogue, definition, degrees, pitch, scala, tones
from gradmidi.theory.interval import Interval
from gradmidi.theory.keyboard import KeyboardMap, sounding_tones
from gradmidi.theory.text import read_scale_text

DEFAULT_TONIC = "C4"
LOWEST_TONIC, HIGHEST_TONIC = 1e-6, 1e6  # Hz
_EXACT_KEY_CENTS = 1e-3
_EQUAL_DIGITS = 6  # decimals of a cent in which two equal scales agree
_SHOWN_DEGREES = 24

Floats = NDArray[np.float64]
Pitch = str | float


@dataclass(frozen=True, eq=False, repr=False)
class Scale:
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
        object.__setattr__(self, "tonic", _check_tonic(self.tonic))
        object.__setattr__(self, "name", " ".join(str(self.name).split()) or "custom")

    @classmethod
    def named(cls, name: str, tonic: Pitch = DEFAULT_TONIC, *, a4: float = pitch.A4) -> "Scale":
        """A scale of the catalogue (``scales.toml``), such as ``"dorian"`` or ``"minor pentatonic"``.

        ``tonic`` here and below is a note name, an int MIDI key or a float in Hz (see
        :func:`gradmidi.theory.pitch.parse_pitch`), ``a4`` the frequency of A4 in Hz for names and keys.

        Raises:
            InputError: an unknown name (the message has the nearest names), or a tonic that is invalid or out of range.
        """
        entry = catalogue.find(name)
        return cls._defined(entry.definition, tonic, a4, entry.name)

    @classmethod
    def from_semitones(
        cls,
        semitones: Iterable[float],
        tonic: Pitch = DEFAULT_TONIC,
        *,
        period: float | None = 12.0,
        a4: float = pitch.A4,
        name: str = "",
    ) -> "Scale":
        """A scale from semitones above the tonic, fractions allowed, with its period in semitones too.

        A period of None here and below makes a scale of just these tones.

        Raises:
            InputError: there are no tones, one is not a finite number, or the period is not above 0.
        """
        return cls._defined(definition.define("semitones", semitones, period), tonic, a4, name)

    @classmethod
    def from_cents(
        cls,
        cents: Iterable[float],
        tonic: Pitch = DEFAULT_TONIC,
        *,
        period: float | None = 1200.0,
        a4: float = pitch.A4,
        name: str = "",
    ) -> "Scale":
        """A scale from cents above the tonic, with its period in cents.

        Raises:
            InputError: as ``from_semitones``.
        """
        return cls._defined(definition.define("cents", cents, period), tonic, a4, name)

    @classmethod
    def from_ratios(
        cls,
        ratios: Iterable[float | Fraction | str],
        tonic: Pitch = DEFAULT_TONIC,
        *,
        period: float | Fraction | str | None = 2,
        a4: float = pitch.A4,
        name: str = "",
    ) -> "Scale":
        """A scale from frequency ratios to the tonic: numbers, ``Fraction`` or text such as ``"3/2"``.

        ``period`` is a ratio as well: 2 for the octave, 3 for the tritave.

        Raises:
            InputError: there are no tones, a ratio is not positive and finite, or the period is not above 1.
        """
        return cls._defined(definition.define("ratios", ratios, period), tonic, a4, name)

    @classmethod
    def equal(
        cls,
        divisions: int,
        period: float | Fraction | str = 2,
        tonic: Pitch = DEFAULT_TONIC,
        *,
        a4: float = pitch.A4,
        name: str = "",
    ) -> "Scale":
        """``divisions`` (1 to 10,000) equal steps of ``period``, a ratio: 19 of 2 is 19-EDO, 13 of 3 Bohlen–Pierce.

        In place of the period, the name of a note is the tonic: ``Scale.equal(19, "D4")``.

        Raises:
            InputError: the number of divisions is out of range, or the period is not above 1.
        """
        if isinstance(period, str) and period.strip()[:1].isalpha():
            period, tonic = 2, period
        made = definition.define("equal", divisions, period)
        unit = "EDO" if made.period == degrees.OCTAVE else f"ED{made.period}"
        return cls._defined(made, tonic, a4, name or f"{divisions}-{unit}")

    @classmethod
    def from_notes(
        cls,
        notes: Iterable[Pitch],
        tonic: Pitch | None = None,
        *,
        period: float | Fraction | str | None = None,
        a4: float = pitch.A4,
        name: str = "",
    ) -> "Scale":
        """Exactly these tones: note names, float Hz or int MIDI keys, in any order; ``period=2`` repeats them.

        Without a ``tonic`` the first one is the tonic.

        Raises:
            InputError: there are no notes, or one is not a pitch.
        """
        hz = [pitch.parse_pitch(note, a4) for note in degrees.as_list(notes, "notes")]
        if not hz:
            raise InputError("a scale without notes: give at least one, such as ['C4', 'Eb4', 'G4']")
        tonic_hz = hz[0] if tonic is None else pitch.parse_pitch(tonic, a4)
        _check_tonic(tonic_hz)
        return cls._defined(definition.define("ratios", [tone / tonic_hz for tone in hz], period), tonic_hz, a4, name)

    @classmethod
    def from_scala(
        cls,
        path: str | PathLike[str],
        keyboard: str | PathLike[str] | None = None,
        *,
        tonic: Pitch | None = None,
        a4: float = pitch.A4,
    ) -> "Scale":
        """The tones of a Scala ``.scl`` file, and of a ``.kbm`` mapping if there is a ``keyboard``.

        Without a mapping degree 0 is the ``tonic``, C4 (key 60, 261.6256 Hz) unless given. With one the scale has
        the degrees that are mapped, degree 0 at the Hz that follows from its reference frequency, and repeats as the
        mapping does; if the mapping's pattern does not repeat within its range of keys, exactly their tones. For the
        Hz of each MIDI key see :func:`gradmidi.theory.keyboard.keyboard_frequencies`.

        Raises:
            InputError: a file breaks its format or does not make a scale; the message names file, line and reason.
        """
        read = scala.read_scl(path)
        name = read.description or Path(path).stem
        if keyboard is not None and tonic is not None:
            raise InputError(f"{keyboard}: a keyboard mapping sets the tonic; give either a mapping or a tonic")
        mapping = KeyboardMap() if keyboard is None else scala.read_kbm(keyboard)
        try:
            intervals, repeat, tonic_hz = sounding_tones(read, mapping)
            if keyboard is None:
                tonic_hz = pitch.parse_pitch(DEFAULT_TONIC if tonic is None else tonic, a4)
            return cls(intervals, repeat, tonic_hz, name)
        except InputError as error:
            files = path if keyboard is None else f"{path} with {keyboard}"
            raise InputError(f"{files}: {error}") from None

    @classmethod
    def from_toml(cls, path: str | PathLike[str], *, tonic: Pitch | None = None, a4: float | None = None) -> "Scale":
        """A scale from a TOML file with one of ``semitones``, ``cents``, ``ratios`` (lists) or ``equal`` (a number).

        It may also have ``period`` (in the same unit; "none" for no repetition), ``tonic``, ``a4`` and ``name``.
        ``tonic`` and ``a4`` given here win over the file's.

        Raises:
            InputError: it cannot be read or does not make a scale; the message names the file.
        """
        table = read_toml(path, "a scale file")
        made = definition.from_table(table, str(path))
        given_tonic = table.get("tonic", DEFAULT_TONIC) if tonic is None else tonic
        given_a4 = table.get("a4", pitch.A4) if a4 is None else a4
        name = table.get("name", Path(path).stem)
        try:
            if not isinstance(name, str):
                raise InputError(f"name is {shown(name)}; write it in quotes")
            return cls._defined(made, given_tonic, given_a4, name)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def parse(cls, text: str, *, a4: float = pitch.A4) -> "Scale":
        """A scale from text, as written after ``--scale``.

        A catalogue name (``"minor pentatonic"``), an equal division (``"19edo"``, ``"13ed3"``), a file ending in
        ``.toml`` or ``.scl``, semitones (``"0 2 3.5 7 8.9"``) or ratios (``"1/1 9/8 5/4"``), both repeated at the
        octave; any of them after a tonic (``"D dorian"``, ``"A3 minor pentatonic"``, ``"220Hz 1/1 5/4"``), which is
        C4 unless given, and in octave 4 if it has no octave. A file whose name begins with a note and a space is
        written ``"./A scale.scl"``.

        Raises:
            InputError: the text does not describe a scale.
        """
        read = read_scale_text(text, a4)
        tonic = DEFAULT_TONIC if read.tonic is None else read.tonic
        match read.kind:
            case "toml":
                return cls.from_toml(read.values[0], tonic=read.tonic)
            case "scala":
                return cls.from_scala(read.values[0], tonic=read.tonic, a4=a4)
            case "ratios":
                return cls.from_ratios(read.values, tonic, a4=a4, name=" ".join(read.values))
            case "semitones":
                return cls.from_semitones(map(float, read.values), tonic, a4=a4, name=" ".join(read.values))
            case "equal":
                return cls.equal(int(read.values[0]), read.values[1], tonic, a4=a4)
            case _:
                return cls.named(read.values[0], tonic, a4=a4)

    @classmethod
    def _defined(cls, made: definition.Definition, tonic: Pitch, a4: float, name: str) -> "Scale":
        return cls(made.intervals, made.period, pitch.parse_pitch(tonic, a4), name)

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
        """Every tone from ``lo`` to ``hi`` Hz, both included, ascending (M,); empty if there is none.

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


def _check_tonic(hz: float) -> float:
    if not LOWEST_TONIC <= hz <= HIGHEST_TONIC:
        raise InputError(f"tonic of {hz:g} Hz: out of range; choose one from {LOWEST_TONIC:g} to {HIGHEST_TONIC:g} Hz")
    return float(hz)
