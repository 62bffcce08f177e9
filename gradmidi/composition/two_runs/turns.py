"""Two runs in turns: some steps of A, then the same steps of B, with knocks that say whose turn it is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.checks import is_number
from gradmidi.composition.timing import ROUNDING, Timing, parse_duration
from gradmidi.composition.two_runs.material import LETTERS
from gradmidi.composition.voices import PERCUSSION_CHANNEL
from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.score import COLUMNS, Marks, Notes, Score, Voice
from gradmidi.theory.pitch import key_to_hz

DEFAULT_TURN = 5.0  # s
KNOCK = 56  # cowbell; in our own SoundFont the soft pulse of unrest, which two runs do not have
KNOCKED = (1, 2)  # knocks before a turn of A, of B
APART, LEAD = 0.15, 0.5  # s between two knocks, and from the first one to the turn
KNOCK_SECONDS, KNOCK_VELOCITY = 0.1, 127
TURN = "turn"  # kind of the mark, and name of the voice
_STEPS = re.compile(r"\s*(\d{1,9})\s*steps?\s*", re.ASCII)


class Turns(NamedTuple):
    """How long turns are: ``rows`` rows of ``step`` s each."""

    rows: int
    step: float

    def rows_within(self, duration: float) -> int:
        """How many rows both runs can play in turns within ``duration`` s.

        Raises:
            InputError: none.
        """
        whole = 2 * (self.rows * self.step + LEAD)
        full = math.floor(duration / whole * (1 + ROUNDING))
        rest = (duration - full * whole) / 2 - LEAD
        rows = full * self.rows + max(0, math.floor(rest / self.step * (1 + ROUNDING)))
        if not rows:
            shortest = 2 * (self.step + LEAD)
            raise InputError(f"a duration of {duration:g} s is not possible: one step of both lasts {shortest:g} s")
        return rows


def choose_turns(turn: str | float, timing: Timing, voices: int) -> Turns:
    """Turns of a length in s, or as text: ``"5s"``, ``"40 steps"``.

    Raises:
        InputError: it is neither, or shorter than a step.
    """
    step = timing.step_units(voices) * timing.unit
    counted = _STEPS.fullmatch(turn) if isinstance(turn, str) else None
    if counted:
        rows = int(counted[1])
    elif isinstance(turn, str) or is_number(turn):
        rows = math.floor(_seconds(turn) / step * (1 + ROUNDING))
    else:
        raise InputError(f"turn is {shown(turn)}; write 5s, 1m or '40 steps'")
    if rows < 1:
        raise InputError(f"a turn of {shown(turn)} is too short: one step lasts {step:g} s")
    return Turns(rows, step)


def _seconds(turn: str | float) -> float:
    try:
        return parse_duration(turn)
    except InputError:
        raise InputError(f"{shown(turn)} is not the length of a turn; write 5s, 1m or '40 steps'") from None


def in_turns(
    alone: Sequence[Score], heard: Sequence[NDArray[np.bool_]], steps: NDArray[np.int64], turns: Turns
) -> Score:
    """Both scores in turns; a run that has no row in a turn's steps leaves it out.

    Args:
        alone: the scores of both, of N rows on the same time axis, with the same voices.
        heard: of each the rows (N,) that it has.
        steps: (N,) the optimizer steps.
        turns: their length.
    """
    knocks = Voice(TURN, PERCUSSION_CHANNEL, percussion=True)
    knocking = len(alone[0].voices)
    notes: list[dict[str, Any]] = []
    marks: list[Marks] = []
    now = 0.0
    for number, first, last in _plan(heard, len(steps), turns):
        start, end = first * turns.step, last * turns.step
        marks.append(_mark(number, now, steps[first:last]))
        notes.append(_knocks(number, now, knocking, int(steps[first])))
        now += LEAD
        notes.append(_cut(alone[number], start, end, now))
        inside = alone[number].marks
        inside = inside[(inside.time >= start) & (inside.time < end)]
        marks.append(replace(inside, time=inside.time - start + now))
        now += end - start
    return replace(
        alone[0],
        **_sorted(notes),
        voices=(*alone[0].voices, knocks),
        marks=Marks.merged(marks),
        length=now,
    )


def _plan(heard: Sequence[NDArray[np.bool_]], rows: int, turns: Turns) -> Iterator[tuple[int, int, int]]:
    """Run, first row and last row (excluded) of each turn."""
    for first in range(0, rows, turns.rows):
        last = min(first + turns.rows, rows)
        for number in range(2):
            if heard[number][first:last].any():
                yield number, first, last


def _cut(score: Score, start: float, end: float, at: float) -> dict[str, Any]:
    """The notes from ``start`` to ``end``, moved to ``at``; none is longer than the turn, or tied to another turn."""
    inside = (score.onset >= start) & (score.onset < end)
    columns = {name: column[inside] for name, column in score.columns().items()}
    columns["duration"] = np.minimum(columns["duration"], end - columns["onset"])
    _, first = np.unique(columns["layer"], return_index=True)
    columns["tied"] = columns["tied"].copy()
    columns["tied"][first] = False
    columns["onset"] = columns["onset"] - start + at
    return columns


def _knocks(number: int, now: float, voice: int, step: int) -> dict[str, Any]:
    count = KNOCKED[number]
    return Notes(
        onset=np.arange(count, dtype=np.float64) * APART + now,
        duration=np.full(count, KNOCK_SECONDS),
        frequency=np.full(count, float(key_to_hz(KNOCK))),
        layer=np.full(count, voice),
        velocity=np.full(count, KNOCK_VELOCITY),
        step=np.full(count, step),
        tied=np.zeros(count, dtype=bool),
        drum=np.full(count, KNOCK),
    ).columns()


def _mark(number: int, now: float, steps: NDArray[np.int64]) -> Marks:
    text = f"{LETTERS[number]}: steps {steps[0]} to {steps[-1]}"
    return Marks(np.array([now]), np.array([TURN]), np.array([text]), steps[:1])


def _sorted(notes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    columns = {name: np.concatenate([part[name] for part in notes]) for name in COLUMNS}
    order = np.argsort(columns["onset"], kind="stable")
    return {name: column[order] for name, column in columns.items()}
