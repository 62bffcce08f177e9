"""Volatility: soft pulses that tell when norms change from one step to the next more strongly than they used to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.earcons import key_of
from gradmidi.composition.passage import Passage
from gradmidi.composition.voices import PERCUSSION_CHANNEL
from gradmidi.score import NOTHING, Notes, Voice
from gradmidi.theory.pitch import key_to_hz

NAME = "unrest"
PULSES = (2.0, 3.0, 5.0)  # times the usual change, from which there are one, two and three pulses per step
WEIGHT = 0.1  # of the newest step in what is so now
KNOWN = 40  # steps after which something is usual
MEMORY, SLOW = 200, 4000  # steps over which the usual is averaged; SLOW while a change is twice as large or more
LEAST = 0.05  # what is usual at least, so that norms that hardly move may begin to
VELOCITY, LASTS = 76, 0.08  # s


class Unrest:
    """How many times its usual the mean absolute change of ln(norm) is, step by step."""

    def __init__(self) -> None:
        self._now = self._usual = 0.0
        self._seen = 0

    def after(self, changes: NDArray[np.float64]) -> NDArray[np.float64]:
        """The ratio after each of K changes, (K,); 0 while nothing is usual yet."""
        ratios = []
        for change in changes.tolist():
            self._seen += 1
            if self._seen == 1:
                self._now = self._usual = change
            self._now += WEIGHT * (change - self._now)
            is_large = self._seen > KNOWN and change > 2 * self._usual
            self._usual += (change - self._usual) / (SLOW if is_large else min(self._seen, MEMORY))
            ratios.append(self._now / max(self._usual, LEAST) if self._seen > KNOWN else 0.0)
        return np.array(ratios, dtype=np.float64)


class Volatility:
    """A section of one voice; see :class:`gradmidi.composition.passage.Section`.

    A step's change is the median over the voices of the absolute ln(norm / norm before); how its running mean over
    about ten steps compares with what is usual for the run decides. Norms that are zero, missing or not finite have no
    change; a step without any has no pulses.

    Args:
        first: position of its voice among those of the piece.
        width: V, how many voices there are.
    """

    def __init__(self, first: int, width: int) -> None:
        self._first = first
        self.voices = (Voice(NAME, PERCUSSION_CHANNEL, percussion=True),)
        self._before = np.full((1, width), np.nan)
        self._unrest = Unrest()

    def feed(self, passage: Passage) -> Notes:
        """The pulses of the next passage, evenly over each step."""
        counts = self._levels(passage.norms)
        rows = np.repeat(np.arange(len(counts)), counts)
        if not len(rows):
            return NOTHING
        starts, ends = passage.step_times
        number = np.arange(len(rows)) - np.searchsorted(rows, rows)
        onset = starts[rows] + (ends - starts)[rows] * number / counts[rows]
        key = np.full(len(rows), key_of("pulse"))
        return Notes(
            onset=onset,
            duration=np.full(len(rows), LASTS),
            frequency=np.asarray(key_to_hz(key)),
            layer=np.full(len(rows), self._first),
            velocity=passage.softened(np.full(len(counts), VELOCITY))[rows],
            step=passage.recording.steps[rows],
            tied=np.zeros(len(rows), dtype=bool),
            drum=key,
        )

    def _levels(self, norms: NDArray[np.float64]) -> NDArray[np.int64]:
        """How many pulses each step has."""
        usable = np.isfinite(norms) & (norms > 0)
        logs = np.log(norms, where=usable, out=np.full(norms.shape, np.nan))
        changes = np.abs(np.diff(np.concatenate([self._before, logs]), axis=0))
        self._before = logs[-1:] if len(logs) else self._before
        known = np.flatnonzero(~np.isnan(changes).all(axis=1))
        levels = np.zeros(len(norms), dtype=np.int64)
        if len(known):
            ratios = self._unrest.after(_median(changes[known]))
            levels[known] = np.searchsorted(PULSES, ratios, side="right")
        return levels


def _median(changes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each row, (K,), without its nan, as numpy.nanmedian in a tenth of the time for a single row."""
    rows, count = np.arange(len(changes)), changes.shape[1] - np.isnan(changes).sum(axis=1)
    ordered = np.sort(changes, axis=1)  # nan last
    return np.asarray((ordered[rows, (count - 1) // 2] + ordered[rows, count // 2]) / 2)
