"""Makers of scales: the class methods ``Scale.named``, ``Scale.from_…``, ``Scale.equal`` and ``Scale.parse``."""

from collections.abc import Iterable
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gradmidi.errors import InputError
from gradmidi.files.small import read_toml
from gradmidi.printable import shown
from gradmidi.theory import catalogue, definition, degrees, pitch, scala
from gradmidi.theory.interval import Interval
from gradmidi.theory.keyboard import KeyboardMap, sounding_tones
from gradmidi.theory.text import read_scale_text

DEFAULT_TONIC = "C4"
LOWEST_TONIC, HIGHEST_TONIC = 1e-6, 1e6  # Hz

Pitch = str | float


class ScaleMakers:
    """The ways to make a scale, which :class:`gradmidi.Scale` inherits."""

    if TYPE_CHECKING:

        def __init__(
            self, degrees: tuple[Interval, ...], repeat: Interval | None, tonic: float, name: str = ...
        ) -> None: ...

    @classmethod
    def named(cls, name: str, tonic: Pitch = DEFAULT_TONIC, *, a4: float = pitch.A4) -> Self:
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
    ) -> Self:
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
    ) -> Self:
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
    ) -> Self:
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
    ) -> Self:
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
    ) -> Self:
        """Exactly these tones: note names, float Hz or int MIDI keys, in any order; ``period=2`` repeats them.

        Without a ``tonic`` the first one is the tonic.

        Raises:
            InputError: there are no notes, or one is not a pitch.
        """
        hz = [pitch.parse_pitch(note, a4) for note in degrees.as_list(notes, "notes")]
        if not hz:
            raise InputError("a scale without notes: give at least one, such as ['C4', 'Eb4', 'G4']")
        tonic_hz = hz[0] if tonic is None else pitch.parse_pitch(tonic, a4)
        check_tonic(tonic_hz)
        return cls._defined(definition.define("ratios", [tone / tonic_hz for tone in hz], period), tonic_hz, a4, name)

    @classmethod
    def from_scala(
        cls,
        path: str | PathLike[str],
        keyboard: str | PathLike[str] | None = None,
        *,
        tonic: Pitch | None = None,
        a4: float = pitch.A4,
    ) -> Self:
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
    def from_toml(cls, path: str | PathLike[str], *, tonic: Pitch | None = None, a4: float | None = None) -> Self:
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
    def parse(cls, text: str, *, a4: float = pitch.A4) -> Self:
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
    def _defined(cls, made: definition.Definition, tonic: Pitch, a4: float, name: str) -> Self:
        return cls(made.intervals, made.period, pitch.parse_pitch(tonic, a4), name)


def check_tonic(hz: float) -> float:
    """The tonic in Hz, if a scale can have it.

    Raises:
        InputError: it is out of range.
    """
    if not LOWEST_TONIC <= hz <= HIGHEST_TONIC:
        raise InputError(f"tonic of {hz:g} Hz: out of range; choose one from {LOWEST_TONIC:g} to {HIGHEST_TONIC:g} Hz")
    return float(hz)
