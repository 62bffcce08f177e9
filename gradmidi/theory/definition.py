"""A scale as defined in a TOML table: the one reader for the catalogue and for a user's own file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.theory import degrees
from gradmidi.theory.interval import Interval

NO_PERIOD = "none"  # TOML has no null
_OTHER_KEYS = {"period", "name", "tonic", "a4", "source", "aliases", "family"}


@dataclass(frozen=True)
class Unit:
    """How a unit of interval is read, both in the list of tones and in the period, and its octave."""

    intervals: Callable[[Any], tuple[Interval, ...]]
    interval: Callable[[Any], Interval]
    octave: float


def _semitone_interval(semitones: Any) -> Interval:
    return Interval.from_cents(degrees.semitones_to_cents(semitones))


UNITS: Mapping[str, Unit] = {
    "semitones": Unit(degrees.from_semitones, _semitone_interval, 12.0),
    "cents": Unit(degrees.from_cents, Interval.from_cents, 1200.0),
    "ratios": Unit(degrees.from_ratios, Interval.from_ratio, 2),
    "equal": Unit(lambda divisions: (), Interval.from_ratio, 2),
}


@dataclass(frozen=True)
class Definition:
    """A scale without a tonic: its intervals, as they were written, and its period (None: it does not repeat)."""

    intervals: tuple[Interval, ...]
    period: Interval | None


def define(unit_name: str, values: Any, period: Any) -> Definition:
    """A definition from the ``values`` and the ``period`` in one of UNITS; a period of None or "none" is no period.

    For ``equal`` the values are the number of divisions.

    Raises:
        InputError: the values do not make a scale.
    """
    unit = UNITS[unit_name]
    none = period is None or (isinstance(period, str) and period == NO_PERIOD)
    repeat = None if none else degrees.check_period(unit.interval(period))
    if unit_name != "equal":
        return Definition(unit.intervals(values), repeat)
    if repeat is None:
        raise InputError("an equal division needs a period to divide; give period=2 for the octave")
    return Definition(degrees.equal_steps(values, repeat), repeat)


def from_table(table: Mapping[str, Any], where: str) -> Definition:
    """The definition in a TOML table that has one of ``semitones``, ``cents``, ``ratios`` or ``equal``.

    ``period`` may follow, in the same unit (a ratio for ``equal``); it is an octave unless given. ``where`` names
    the table in error messages.

    Raises:
        InputError: the table does not define a scale, or has an unknown key.
    """
    if unknown := [key for key in table if key not in UNITS and key not in _OTHER_KEYS]:
        raise InputError(
            f"{where}: unknown key {shown(unknown[0])}; known are {', '.join((*UNITS, *sorted(_OTHER_KEYS)))}"
        )
    present = [unit for unit in UNITS if unit in table]
    if len(present) != 1:
        found = " and ".join(present) if present else "none"
        raise InputError(f"{where}: needs exactly one of {', '.join(UNITS)}, found {found}")
    unit = present[0]
    try:
        return define(unit, table[unit], table.get("period", UNITS[unit].octave))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
