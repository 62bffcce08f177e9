"""Which steps are played when training outruns the music. Alarms are never left out.

Between two played steps the policy keeps one row for all that arrive: the newest, the loudest or their mean. A row with
an alarm waits separately and is played first. Alarms of one kind that arrive while one waits join it, layer by layer,
so that however fast they come, each layer's alarm is played, and no more than one row of each kind ever waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.baseline import Baseline
from gradmidi.composition.passage import nonfinite
from gradmidi.errors import InputError
from gradmidi.outputs.live.peak import Peak
from gradmidi.recording import Recording

BASELINE_WEIGHT = 0.1
ALARMS = ("nan", "inf", "spike")  # gravest first


@dataclass(frozen=True)
class Waiting:
    """A row of norms that waits to be played.

    Attributes:
        row: a recording of one step.
        loudness: how many times its usual norm the loudest layer has.
        rows: the number of steps it represents.
        alarm: its gravest kind of alarm, or "".
    """

    row: Recording
    loudness: float = 0.0
    rows: int = 1
    alarm: str = ""


Loudness = NDArray[np.float64]  # (N,), see Waiting
Policy = Callable[[Waiting | None, Recording, Loudness], Waiting]


def _latest(kept: Waiting | None, rows: Recording, loudness: Loudness) -> Waiting:
    return Waiting(rows.rows(-1), rows=len(rows) + (kept.rows if kept else 0))


def _peak(kept: Waiting | None, rows: Recording, loudness: Loudness) -> Waiting:
    """The loudest; of equally loud ones the newest."""
    loudest = len(rows) - 1 - int(np.argmax(loudness[::-1]))
    count = len(rows) + (kept.rows if kept else 0)
    if kept and kept.loudness > loudness[loudest]:
        return replace(kept, rows=count)
    return Waiting(rows.rows(loudest, loudest + 1), float(loudness[loudest]), count)


def _mean(kept: Waiting | None, rows: Recording, loudness: Loudness) -> Waiting:
    waiting = [kept] if kept else []
    return reduce(_averaged, [*waiting, *(Waiting(rows.rows(i, i + 1)) for i in range(len(rows)))])


def _averaged(kept: Waiting, new: Waiting) -> Waiting:
    """The running arithmetic mean; a gap is filled with the other's norm."""
    count = kept.rows + 1
    return Waiting(_joined(kept.row, new.row, lambda old, now: old + (now - old) / count), rows=count)


PACES: dict[str, Policy] = {
    "latest": _latest,
    "peak": _peak,
    "mean": _mean,
    "wait": _latest,  # nothing is skipped, as feeding waits; rows meet only if a device is stuck
}


class Pace:
    """The rows between two played steps, reduced to what is played next.

    Args:
        policy: one of :data:`PACES`.
        layers: their names.

    Raises:
        InputError: an unknown policy.
    """

    def __init__(self, policy: str, layers: Sequence[str]) -> None:
        if policy not in PACES:
            raise InputError(f"no pace is called {policy!r}; there are {', '.join(PACES)}")
        self._keep = PACES[policy]
        self._peak = Peak()
        self._baseline = Baseline(len(layers), BASELINE_WEIGHT)
        self._layers = len(layers)
        self._kept: Waiting | None = None
        self._alarms: dict[str, Waiting] = {}
        self.steps = self.alarms = self.merged = 0

    @property
    def limits(self) -> list[float]:
        """(L,) norms from which a step is an alarm; inf while nothing is usual yet."""
        return [self._peak.limit] * self._layers

    def put(self, rows: Recording) -> bool:
        """Add one or more steps, in order; True if an alarm is among them."""
        with np.errstate(over="ignore"):
            loudness = _loudness(rows.norms, np.exp(self._baseline.before(rows.norms)))
        alarms = _alarms_in(rows, self._peak.rise(rows.norms))
        self.steps += len(rows)
        if not alarms:
            self._kept = self._keep(self._kept, rows, loudness)
            return False
        for i in range(len(rows)):
            row = rows.rows(i, i + 1)
            if i in alarms:
                self._put_alarm(Waiting(row, float(loudness[i]), alarm=alarms[i]))
            else:
                self._kept = self._keep(self._kept, row, loudness[i : i + 1])
        return True

    def take(self) -> Waiting | None:
        """What is played next: the alarm that has waited longest, else the policy's row, else nothing."""
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


def _alarms_in(rows: Recording, risen: Sequence[int]) -> dict[int, str]:
    """Positions of the rows that must be heard, each with its gravest kind."""
    found: dict[int, set[str]] = {row: {"spike"} for row in risen}
    for row, _, kind, _ in nonfinite(rows).tolist():
        found.setdefault(row, set()).add(ALARMS[kind])
    return {row: next(kind for kind in ALARMS if kind in found[row]) for row in sorted(found)}


def _loudness(norms: NDArray[np.float64], usual: NDArray[np.float64]) -> Loudness:
    """Each row's largest norm relative to its layer's usual one; 0 where every layer is silent."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        times = np.where(np.isnan(usual), 1.0, norms / usual)
    return np.asarray(np.fmax.reduce(times, axis=1, initial=0.0))


def _joined(
    kept: Recording, new: Recording, rule: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
) -> Recording:
    """The newer row with norms by ``rule``; where one has a gap, the other's norm."""
    norms = np.where(kept.gaps, new.norms, np.where(new.gaps, kept.norms, rule(kept.norms, new.norms)))
    return Recording(new.layers, new.steps, norms, new.metrics, new.meta, kept.gaps & new.gaps)
