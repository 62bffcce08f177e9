"""Modes: which of several scales a step is played in, by how far the loss has fallen."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.quantising import Quantiser
from gradmidi.composition.running_mean import RunningMean
from gradmidi.recording import Recording
from gradmidi.theory.scale import Scale

WEIGHT = 0.05  # of the newest loss in its running mean
BRIGHTER = 2.0  # the loss, divided by that of the first step, has to fall by this factor for the next brighter scale
SECOND_DARKEST = -2
TOLERANCE = 0.25  # of such a factor, as the loss of a batch is noisy


class Modes:
    """Quantises to one of several scales, the brightest of them first.

    The darkest is for a loss above the first one, the second darkest from there on, and each factor of two below it
    chooses the next brighter one.

    Args:
        scales: one or more; ``None`` keeps every pitch.
        layers: L.
        hysteresis: see :class:`gradmidi.composition.quantising.Quantiser`.
    """

    def __init__(self, scales: Sequence[Scale | None], layers: int, hysteresis: float) -> None:
        self._quantisers = [Quantiser(scale, layers, hysteresis) for scale in scales]
        self._mean = RunningMean(WEIGHT)
        self._first = nan

    def __call__(self, hz: NDArray[np.float64], recording: Recording) -> NDArray[np.float64]:
        """Tones in Hz for pitches (N, L) in Hz."""
        if len(self._quantisers) == 1:
            return self._quantisers[0](hz)
        which = self._which(recording)
        tones = np.empty_like(hz)
        for index in np.unique(which).tolist():
            tones[which == index] = self._quantisers[index](hz[which == index])
        return tones

    def _which(self, recording: Recording) -> NDArray[np.int64]:
        """(N,) positions of scales; the second darkest while no loss is known."""
        count = len(self._quantisers)
        loss = recording.metrics.get("loss", np.full(len(recording), nan))
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(np.where((loss > 0) & np.isfinite(loss), loss, np.nan))
        known = ~np.isnan(logs)
        which = np.full(len(loss), count + SECOND_DARKEST)
        if known.any():
            means = self._mean.after(logs[known])
            if isnan(self._first):
                self._first = float(means[0])
            fallen = np.floor((self._first - means) / np.log(BRIGHTER) + TOLERANCE)
            which[known] = np.clip(count + SECOND_DARKEST - fallen, 0, count - 1).astype(np.int64)
        return which
