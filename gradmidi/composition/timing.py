"""When notes sound: the post's proportion of one unit per layer and two units of rest per step."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gradmidi.checks import is_number
from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.score import DEFAULT_TEMPO

POST_UNIT = 0.01  # s; the post's tones last 441 samples at 44.1 kHz
DEFAULT_UNIT = 0.05  # s; long enough for a sampled instrument to speak
REST_UNITS = 2  # the post's silence between batches, in tones
MAX_UNIT = 60.0  # s
MAX_DURATION = 1e9  # s; thirty years
SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "": 1.0}  # per unit of a duration
_DURATION = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)
ROUNDING = 1e-12  # so that 0.3 s hold three steps of 0.1 s


@dataclass(frozen=True)
class Timing:
    """Length of a note and of the rest between steps.

    Args:
        unit: s, length of one note.
        rest: units of silence after each step.
        tempo: BPM, for bar lines; it does not affect note times.

    Raises:
        InputError: a unit outside 1 ms … 60 s, a rest below 0, a tempo outside 10 … 1000.
    """

    unit: float = DEFAULT_UNIT
    rest: int = REST_UNITS
    tempo: float = DEFAULT_TEMPO

    def __post_init__(self) -> None:
        for name in ("unit", "rest", "tempo"):
            if not is_number(value := getattr(self, name)):
                raise InputError(f"{name} is {shown(value)}; it must be a number")
        if not 0.001 <= self.unit <= MAX_UNIT:
            raise InputError(f"a unit of {self.unit:g} s cannot be played; use 1ms to {MAX_UNIT:g}s, such as 50ms")
        if self.rest < 0:
            raise InputError(f"a rest of {self.rest} units is not possible; use 0 or more")
        if not 10 <= self.tempo <= 1000:
            raise InputError(f"a tempo of {self.tempo:g} is out of range; use 10 to 1000 BPM")

    def step_units(self, layers: int) -> int:
        """Units from one step to the next."""
        return layers + self.rest

    def onsets(self, first_row: int, rows: int, layers: int) -> NDArray[np.float64]:
        """Onset in s of each note, (rows, layers); an integer number of units, so rounding does not accumulate."""
        step = np.arange(first_row, first_row + rows)[:, np.newaxis] * self.step_units(layers)
        return np.asarray((step + np.arange(layers)) * self.unit, dtype=np.float64)

    def end(self, rows: int, layers: int) -> float:
        """Time in s when ``rows`` steps and the last rest are over."""
        return rows * self.step_units(layers) * self.unit

    def steps_within(self, duration: float, layers: int) -> int:
        """How many steps of ``layers`` notes, each with its rest, last no longer than ``duration`` s.

        Raises:
            InputError: the duration is shorter than one step, or longer than any piece.
        """
        step = self.step_units(layers) * self.unit
        if not step * (1 - ROUNDING) <= duration <= MAX_DURATION:
            lasts = f"one step of {layers} voices lasts {step:g} s"
            wrong = f"a duration of {duration:g} s is not possible: {lasts}"
            raise InputError(f"{wrong}; use {step:g} to {MAX_DURATION:g} s")
        return math.floor(duration / step * (1 + ROUNDING))


def choose_timing(timing: Timing | None, unit: str | float | None, tempo: float | None) -> Timing:
    """The given timing, or one made from a unit (s, or text as :func:`parse_unit` reads it) and a tempo in BPM.

    Raises:
        InputError: a value that cannot be used, or a timing together with a unit or tempo.
    """
    if timing is None:
        plain = Timing(tempo=DEFAULT_TEMPO if tempo is None else tempo)
        return plain if unit is None else replace(plain, unit=parse_unit(unit, plain.tempo))
    if not isinstance(timing, Timing):
        raise InputError(f"timing is {shown(timing)}; it must be a Timing; for the length of a note write unit=0.05")
    if unit is not None or tempo is not None:
        raise InputError("timing holds the unit and the tempo; give it, or give unit and tempo")
    return timing


def parse_duration(value: str | float) -> float:
    """Seconds of ``"60s"``, ``"2m"``, ``"1.5min"``, ``"1h"``, ``"500ms"``, ``"60"`` or ``60``.

    Raises:
        InputError: the value is none of these, or not above 0.
    """
    seconds = _seconds(value)
    if not 0 < seconds < math.inf:
        raise InputError(f"{shown(value)} is not a duration; write 60s, 2m, 1h or 500ms")
    return seconds


def parse_unit(value: str | float, tempo: float = DEFAULT_TEMPO) -> float:
    """Seconds of a duration as :func:`parse_duration` reads it, or of a note value at a tempo in BPM: ``"1/16"``.

    Raises:
        InputError: the value is none of these.
    """
    seconds = _seconds(value)
    if math.isnan(seconds) and isinstance(value, str):
        seconds = _note_value(value) * 4 * 60 / tempo
    if not math.isfinite(seconds):
        raise InputError(f"{shown(value)} is not a length; write 50ms, 0.05s or a note value such as 1/16")
    return seconds


def _seconds(value: str | float) -> float:
    """Seconds, or nan if it is not a duration."""
    if not isinstance(value, str):
        return float(value) if is_number(value) else math.nan
    match = _DURATION.fullmatch(value)
    if match is None or match[2].lower() not in SECONDS:
        return math.nan
    try:
        return float(match[1]) * SECONDS[match[2].lower()]
    except ValueError:
        return math.nan


def _note_value(text: str) -> float:
    """``"1/16"`` as a fraction of a whole note; nan if it is not a note value."""
    over, _, under = text.partition("/")
    try:
        return float(over) / float(under)
    except (ValueError, ZeroDivisionError):
        return math.nan
