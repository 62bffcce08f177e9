"""Gathering: steps that are processed together, as processing one costs nearly as much as processing thirty."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from operator import lt

import numpy as np

from gradmidi.recording.recording import Recording
from gradmidi.recording.row import Row

MOST = 256  # steps


class Gathering:
    """Collects steps as they are made, and returns them as one recording when it is time to look.

    All the work of a step is done here, so that it takes a few µs on a small network.

    Args:
        layers: names of the L layers.
        now: a clock, s.

    Attributes:
        look_at: the time of the next look, s of ``now``; to be set after each look.
        limits: (L,) a norm that is not below its layer's limit, or is NaN, makes it time at once; ``None`` to let
            everything wait. Inf, as it is at first, lets all finite norms wait.
    """

    def __init__(self, layers: Sequence[str], now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self.look_at = 0.0
        self.limits: Sequence[float] | None = [inf] * len(layers)
        self._layers = tuple(layers)
        # Copied into arrays: a row that somebody keeps costs the probe a new one.
        self._norms = np.empty((MOST, len(layers)))
        self._gaps = np.zeros((MOST, len(layers)), dtype=bool)
        self._steps: list[int] = []
        self._metrics: list[Mapping[str, float]] = []

    def __len__(self) -> int:
        return len(self._steps)

    def append(self, row: Row, /) -> bool:
        """Keep one step until the next look; True if it is time to look.

        Raises:
            ValueError: its norms or gaps are not of L layers.
        """
        count = len(self._steps)
        if count == len(self._norms):
            self._norms = np.concatenate([self._norms, np.empty_like(self._norms)])
            self._gaps = np.concatenate([self._gaps, np.zeros_like(self._gaps)])
        if len(row.norms) != len(self._layers):  # which NumPy would repeat if there is one
            raise ValueError(f"a step has {len(row.norms)} norms of {len(self._layers)} layers")
        self._norms[count] = row.norms
        gaps = row.missing
        if gaps is not None:
            self._gaps[count] = gaps
        self._steps.append(row.step)
        self._metrics.append(row.metrics)
        if self._now() >= self.look_at or count + 1 >= MOST:
            return True
        # With Python floats, which are faster than NumPy calls for up to about a hundred layers.
        if self.limits is None or all(map(lt, row.norms.tolist(), self.limits)):
            return False
        return gaps is None or not bool(((row.norms < self.limits) | gaps).all())

    def take(self) -> Recording:
        """What was gathered since the last look; a metric that a step did not have is nan there."""
        steps, self._steps = self._steps, []
        logged, self._metrics = self._metrics, []
        count = len(steps)
        norms, gaps = self._norms[:count].copy(), self._gaps[:count].copy()
        self._gaps[:count] = False
        names = dict.fromkeys(name for metrics in logged for name in metrics)
        columns = {name: np.array([metrics.get(name, np.nan) for metrics in logged]) for name in names}
        return Recording(self._layers, np.array(steps), norms, columns, gaps=gaps)
