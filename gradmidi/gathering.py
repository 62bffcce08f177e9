"""Gathering: steps that are looked at together, as looking at one costs nearly as much as looking at thirty."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from gradmidi.recording import Recording

MOST = 256  # steps


class Gathering:
    """Takes steps as they are made, and gives them as one recording when it is time to look.

    All that is done at a step is done here, so that on a small net it takes a few µs.

    Args:
        layers: names of the L layers.

    Attributes:
        look_at: when it is time, s of ``time.perf_counter``; to be set after each look.
        alert: it is time at once when a norm is NaN or Inf.
    """

    def __init__(self, layers: Sequence[str]) -> None:
        self.look_at = 0.0
        self.alert = True
        self._layers = tuple(layers)
        self._rows: list[tuple[int, NDArray[np.floating], Mapping[str, float], NDArray[np.bool_] | None]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def append(
        self,
        step: int,
        norms: NDArray[np.floating],
        metrics: Mapping[str, float] | None = None,
        gaps: NDArray[np.bool_] | None = None,
    ) -> bool:
        """Keep one step; True where it is time to look.

        Args:
            step, norms, metrics, gaps: as :meth:`gradmidi.recording_csv.RecordingWriter.append` takes them; the arrays
                are kept until the look.
        """
        self._rows.append((step, norms, metrics or {}, gaps))
        # A sum finds every NaN and Inf; of Python's floats it is, up to some hundred layers, quicker than NumPy's.
        due = time.perf_counter() >= self.look_at or len(self._rows) >= MOST
        return due or (self.alert and not isfinite(sum(norms.tolist())))

    def take(self) -> Recording:
        """What was gathered since the last look; a metric that a step did not have is nan there.

        Raises:
            InputError, ValueError: a step's norms or gaps are not of L layers.
        """
        rows, self._rows = self._rows, []
        norms = np.array([row[1] for row in rows], dtype=np.float64)
        none = np.zeros(norms.shape[1:], dtype=bool)
        gaps = np.array([none if row[3] is None else row[3] for row in rows])
        names = dict.fromkeys(name for row in rows for name in row[2])
        metrics = {name: np.array([row[2].get(name, np.nan) for row in rows]) for name in names}
        return Recording(self._layers, np.array([row[0] for row in rows]), norms, metrics, gaps=gaps)
