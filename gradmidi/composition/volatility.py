"""Volatility: soft pulses that tell how strongly norms change from one step to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.earcons import key_of
from gradmidi.composition.passage import Passage
from gradmidi.composition.running_mean import RunningMean
from gradmidi.composition.voices import PERCUSSION_CHANNEL
from gradmidi.score import NOTHING, Notes, Voice
from gradmidi.theory.pitch import key_to_hz

NAME = "unrest"
PULSES = (1.5, 3.0, 6.0)  # mean change of ln(norm) from which there are one, two and three pulses per step
WEIGHT = 0.1  # of the newest step
VELOCITY, LASTS = 52, 0.08  # s


class Volatility:
    """A section of one voice; see :class:`gradmidi.composition.passage.Section`.

    A step's change is the median over the voices of the absolute ln(norm / norm before); its running mean decides.
    Norms that are zero, missing or not finite have no change; a step without any has no pulses.

    Args:
        first: position of its voice among those of the piece.
        width: V, how many voices there are.
    """

    def __init__(self, first: int, width: int) -> None:
        self._first = first
        self.voices = (Voice(NAME, PERCUSSION_CHANNEL, percussion=True),)
        self._before = np.full((1, width), np.nan)
        self._mean = RunningMean(WEIGHT)

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
        usable = np.isfinite(norms) & (norms > 0)
        logs = np.log(norms, where=usable, out=np.full(norms.shape, np.nan))
        changes = np.abs(np.diff(np.concatenate([self._before, logs]), axis=0))
        self._before = logs[-1:] if len(logs) else self._before
        known = np.flatnonzero(~np.isnan(changes).all(axis=1))
        levels = np.zeros(len(norms), dtype=np.int64)
        if len(known):
            levels[known] = np.searchsorted(
                PULSES, self._mean.after(np.nanmedian(changes[known], axis=1)), side="right"
            )
        return levels
