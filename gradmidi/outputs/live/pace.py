"""Which steps are heard when training outruns hearing. Alarms are never among those left out.

Between two heard steps the policy keeps one row for all that arrive: the newest, the loudest or their mean. A row with
an alarm waits apart and is heard first. Alarms of one kind that arrive while one waits join it, layer by layer, so that
however fast they come, each layer's is heard, and no more than one row of each kind ever waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.baseline import Baseline
from gradmidi.composition.events import BASELINE_WEIGHT, Watch
from gradmidi.errors import InputError
from gradmidi.recording import Recording

ALARMS = ("nan", "inf", "explosion")  # gravest first


@dataclass(frozen=True)
class Waiting:
    """A row of norms that waits to be heard.

    Attributes:
        row: a recording of one step.
        loudness: how far the largest norm lies above its layer's usual, as a logarithm.
        rows: how many steps it stands for.
        alarm: its gravest kind of alarm, or "".
    """

    row: Recording
    loudness: float = 0.0
    rows: int = 1
    alarm: str = ""


def _latest(kept: Waiting, new: Waiting) -> Waiting:
    return replace(new, rows=kept.rows + 1)


def _peak(kept: Waiting, new: Waiting) -> Waiting:
    louder = kept if kept.loudness > new.loudness else new
    return replace(louder, rows=kept.rows + 1)


def _mean(kept: Waiting, new: Waiting) -> Waiting:
    """The running arithmetic mean; a gap takes the other's norm."""
    rows = kept.rows + 1
    joined = _joined(kept.row, new.row, lambda old, now: old + (now - old) / rows)
    return Waiting(joined, max(kept.loudness, new.loudness), rows)


PACES: dict[str, Callable[[Waiting, Waiting], Waiting]] = {
    "latest": _latest,
    "peak": _peak,
    "mean": _mean,
    "wait": _latest,  # nothing is skipped, as feeding waits; only a device that is stuck makes rows meet
}


class Pace:
    """The rows between two heard steps, reduced to what is heard next.

    Args:
        policy: one of :data:`PACES`.
        layers: how many.

    Raises:
        InputError: an unknown policy.
    """

    def __init__(self, policy: str, layers: int) -> None:
        if policy not in PACES:
            raise InputError(f"no pace is called {policy!r}; there are {', '.join(PACES)}")
        self._keep = PACES[policy]
        self._watch = Watch(layers)
        self._usual = Baseline(layers, BASELINE_WEIGHT)
        self._kept: Waiting | None = None
        self._alarms: dict[str, Waiting] = {}
        self.steps = self.alarms = self.merged = 0

    def put(self, rows: Sequence[Recording]) -> bool:
        """Take recordings of one step each; True where an alarm is among them."""
        block = _block(rows)
        kinds: dict[int, set[str]] = {}
        for event in self._watch.find(block):
            kinds.setdefault(event.row, set()).add(event.kind)
        loudness = _loudness(block.norms, self._usual.before(block.norms)).tolist()
        alarms = self.alarms
        for number, row in enumerate(rows):
            alarm = next((kind for kind in ALARMS if kind in kinds.get(number, ())), "")
            new = Waiting(row, loudness[number], alarm=alarm)
            if alarm:
                self._put_alarm(new)
            else:
                self._kept = self._keep(self._kept, new) if self._kept else new
        self.steps += len(rows)
        return self.alarms > alarms

    def take(self) -> Waiting | None:
        """What is heard next: the alarm that has waited longest, else the policy's row, else nothing."""
        if self._alarms:
            return self._alarms.pop(next(iter(self._alarms)))
        kept, self._kept = self._kept, None
        return kept

    def __bool__(self) -> bool:
        return bool(self._alarms) or self._kept is not None

    def _put_alarm(self, new: Waiting) -> None:
        self.alarms += 1
        waiting = self._alarms.get(new.alarm)
        if waiting:
            self.merged += 1
            new = replace(new, row=_joined(waiting.row, new.row, np.maximum), rows=waiting.rows + 1)
        self._alarms[new.alarm] = new


def _block(rows: Sequence[Recording]) -> Recording:
    """The rows as one recording: looking at many at once costs hardly more than looking at one."""
    if len(rows) == 1:
        return rows[0]
    norms, gaps = np.concatenate([row.norms for row in rows]), np.concatenate([row.gaps for row in rows])
    return Recording(rows[0].layers, np.concatenate([row.steps for row in rows]), norms, gaps=gaps)


def _loudness(norms: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) logarithm of each row's largest norm relative to its layer's usual one; −inf where every layer is silent."""
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(np.isnan(usual), 0.0, np.log(norms) - usual)
    return np.asarray(np.fmax.reduce(above, axis=1, initial=-np.inf))


def _joined(
    kept: Recording, new: Recording, rule: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
) -> Recording:
    """The newer row with norms by ``rule``; where one has a gap, the other's norm."""
    norms = np.where(kept.gaps, new.norms, np.where(new.gaps, kept.norms, rule(kept.norms, new.norms)))
    return Recording(new.layers, new.steps, norms, new.metrics, new.meta, kept.gaps & new.gaps)
