"""Gathering: steps that are processed together, as processing one costs nearly as much as processing thirty."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
        self._rows: list[Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, row: Row, /) -> bool:
        """Keep one step until the next look; True if it is time to look."""
        self._rows.append(row)
        if self._now() >= self.look_at or len(self._rows) >= MOST:
            return True
        # With Python floats, which are faster than NumPy calls for up to about a hundred layers.
        if self.limits is None or all(map(lt, row.norms.tolist(), self.limits)):
            return False
        gaps = row.missing
        return gaps is None or not bool(((row.norms < self.limits) | gaps).all())

    def take(self) -> Recording:
        """What was gathered since the last look; a metric that a step did not have is nan there.

        Raises:
            InputError, ValueError: a step's norms or gaps are not of L layers.
        """
        rows, self._rows = self._rows, []
        norms = np.array([row.norms for row in rows], dtype=np.float64)
        gaps = np.array([row.gaps for row in rows])
        names = dict.fromkeys(name for row in rows for name in row.metrics)
        metrics = {name: np.array([row.metrics.get(name, np.nan) for row in rows]) for name in names}
        return Recording(self._layers, np.array([row.step for row in rows]), norms, metrics, gaps=gaps)
