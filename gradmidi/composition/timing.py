"""When notes sound: the post's proportion of one unit a layer and two units of rest a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.score import DEFAULT_TEMPO

POST_UNIT = 0.01  # s; the post's tones last 441 samples at 44.1 kHz
DEFAULT_UNIT = 0.05  # s; long enough for a sampled instrument to speak
REST_UNITS = 2  # the post's silence between batches, in tones
MAX_UNIT = 60.0  # s
SECONDS = {"min": 60.0, "ms": 0.001, "s": 1.0, "": 1.0}  # by the ending of a duration
ROUNDING = 1e-12  # so that 0.3 s hold three steps of 0.1 s


@dataclass(frozen=True)
class Timing:
    """Length of a note and of the rest between steps.

    Args:
        unit: s, length of one note.
        rest: units of silence after each step.
        tempo: quarters a minute, for bar lines; it moves no note.

    Raises:
        InputError: a unit outside 1 ms … 60 s, a rest below 0, a tempo outside 10 … 1000.
    """

    unit: float = DEFAULT_UNIT
    rest: int = REST_UNITS
    tempo: float = DEFAULT_TEMPO

    def __post_init__(self) -> None:
        if not 0.001 <= self.unit <= MAX_UNIT:
            raise InputError(f"a unit of {self.unit:g} s cannot be played; take 1ms to {MAX_UNIT:g}s, such as 50ms")
        if self.rest < 0:
            raise InputError(f"a rest of {self.rest} units makes no sense; take 0 or more")
        if not 10 <= self.tempo <= 1000:
            raise InputError(f"a tempo of {self.tempo:g} is out of range; take 10 to 1000 quarters a minute")

    def step_units(self, layers: int) -> int:
        """Units from one step to the next."""
        return layers + self.rest

    def onsets(self, first_row: int, rows: int, layers: int) -> NDArray[np.float64]:
        """Onset in s of each note, (rows, layers); a product of whole units, so that nothing adds up."""
        step = np.arange(first_row, first_row + rows)[:, np.newaxis] * self.step_units(layers)
        return np.asarray((step + np.arange(layers)) * self.unit, dtype=np.float64)

    def end(self, rows: int, layers: int) -> float:
        """Time in s when ``rows`` steps and the last rest are over."""
        return rows * self.step_units(layers) * self.unit

    def steps_within(self, duration: float, layers: int) -> int:
        """How many steps of ``layers`` notes, each with its rest, last no longer than ``duration`` s.

        Raises:
            InputError: not even one does, or the duration is not finite.
        """
        step = self.step_units(layers) * self.unit
        if not step * (1 - ROUNDING) <= duration < math.inf:
            lasts = f"one step of {layers} voices lasts {step:g} s"
            raise InputError(f"a duration of {duration:g} s makes no piece: {lasts}; take that or longer")
        return math.floor(duration / step * (1 + ROUNDING))


def parse_duration(text: str) -> float:
    """Seconds of ``"60s"``, ``"1.5min"``, ``"500ms"`` or ``"60"``.

    Raises:
        InputError: the text is none of these, or not above 0.
    """
    try:
        ending = next(ending for ending in SECONDS if text.endswith(ending))
        seconds = float(text.removesuffix(ending)) * SECONDS[ending]
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InputError(f"{text!r} is not a duration; write 60s, 1.5min or 500ms")
    return seconds


def parse_unit(text: str, tempo: float = DEFAULT_TEMPO) -> float:
    """Seconds of ``"50ms"``, ``"0.05s"``, ``"0.05"`` or a note value at a tempo in quarters a minute, ``"1/16"``.

    Raises:
        InputError: the text is none of these.
    """
    try:
        if "/" in text:
            over, under = text.split("/")
            seconds = float(over) / float(under) * 4 * 60 / tempo
        elif text.endswith("ms"):
            seconds = float(text[:-2]) / 1000
        else:
            seconds = float(text.removesuffix("s"))
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{text!r} is not a length; write 50ms, 0.05s or a note value such as 1/16") from None
    if not math.isfinite(seconds):
        raise InputError(f"{text!r} is not a length; write 50ms, 0.05s or a note value such as 1/16")
    return seconds
