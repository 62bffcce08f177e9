"""What is wrong with a run: NaN, Inf, explosions and exact zeros, found here, heard and seen everywhere."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.baseline import Baseline
from gradmidi.recording import Recording

ANOMALIES = ("nan", "inf", "explosion", "zero")

EXPLOSION_RATIO = 20.0  # times the layer's running baseline
BASELINE_WEIGHT = 0.1
READABLE = 1e6  # a larger ratio is given as a power of ten


class Event(NamedTuple):
    """Something that happened: row and column in the block of norms, kind, text for people, and the step."""

    row: int
    layer: int
    kind: str
    text: str
    step: int


class Spotted(NamedTuple):
    """Anomalies of a block of norms: ``code`` (N, L), 0 or 1 + the index in ``ANOMALIES``, and the usual norms."""

    code: NDArray[np.uint8]
    usual: NDArray[np.float64]

    def event(self, recording: Recording, row: int, layer: int) -> Event:
        """The anomaly at a position of the block that has one."""
        kind = ANOMALIES[int(self.code[row, layer]) - 1]
        step, norm, usual = int(recording.steps[row]), recording.norms[row, layer], self.usual[row, layer]
        return Event(row, layer, kind, _text(kind, recording.layers[layer], step, norm, usual), step)


class Watch:
    """Finds events block by block and remembers between blocks what is usual and what has been reported.

    NaN and Inf are reported each time. An explosion (a finite norm over 20 times the running geometric mean of the
    layer's earlier norms) and a gradient of exactly zero are reported when they begin.
    """

    def __init__(self, layers: int) -> None:
        self._baseline = Baseline(layers, BASELINE_WEIGHT)
        self._exploding = np.zeros(layers, dtype=bool)
        self._zero = np.zeros(layers, dtype=bool)

    @property
    def usual(self) -> NDArray[np.float64]:
        """What is usual for each layer now: (L,) natural logarithms of norms, nan where nothing is known."""
        return self._baseline.now

    def find(self, recording: Recording) -> list[Event]:
        """Every anomaly in the rows of ``recording``, in order of row and layer."""
        spotted = self.spot(recording)
        return [spotted.event(recording, row, layer) for row, layer in np.argwhere(spotted.code).tolist()]

    def spot(self, recording: Recording) -> Spotted:
        """The same as a table, for blocks in which there may be very many."""
        norms = recording.norms
        with np.errstate(over="ignore"):  # nothing explodes near the largest float
            usual = np.exp(self._baseline.before(norms))
            exploding = np.isfinite(norms) & (norms > EXPLOSION_RATIO * usual)
        zero = norms == 0
        found = {
            "nan": np.isnan(norms) & ~recording.gaps,
            "inf": np.isinf(norms),
            "explosion": _begins(exploding, self._exploding),
            "zero": _begins(zero, self._zero),
        }
        code = np.zeros(norms.shape, dtype=np.uint8)
        for number, kind in enumerate(ANOMALIES, 1):
            code[found[kind]] = number
        if len(norms):
            self._exploding, self._zero = exploding[-1], zero[-1]
        return Spotted(code, usual)


def _begins(now: NDArray[np.bool_], before: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True where a condition (N, L) holds that did not one row earlier; ``before`` (L,) is the row before the first."""
    held: NDArray[np.bool_] = np.concatenate([before[np.newaxis], now[:-1]])
    return now & ~held


def _text(kind: str, layer: str, step: int, norm: float, usual: float) -> str:
    if kind == "explosion":
        return f"{layer} explodes at step {step}: {norm:.3g}, {_times(float(norm), float(usual))} times its usual"
    if kind == "zero":
        return f"{layer} has a gradient of exactly 0 from step {step}"
    return f"{'NaN' if kind == 'nan' else 'Inf'} in {layer} at step {step}"


def _times(norm: float, usual: float) -> str:
    ratio = norm / usual if usual else math.inf
    if ratio == math.inf:
        return "more than 1e+308"
    return f"{ratio:.0f}" if ratio < READABLE else f"{ratio:.0e}"
