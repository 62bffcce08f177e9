"""What was wrong with a run, as facts that need no threshold: NaN, Inf, layers whose gradient stays exactly zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradmidi.recording.recording import Recording
from gradmidi.recording.row import Row

BLOCK = 256  # steps that are examined together
DEAD_STEPS = 10  # a gradient of exactly zero is reported when it has lasted this many steps up to the end
NAMES = {"nan": "NaN", "inf": "Inf"}


@dataclass(frozen=True)
class Finding:
    """One thing that was wrong.

    Attributes:
        kind: ``"nan"``, ``"inf"`` or ``"zero"``.
        steps: number of steps that had it.
        of: number of steps that were recorded.
        layer: the first layer that had it, in forward order.
        first: the step at which it began.
    """

    kind: str
    steps: int
    of: int
    layer: str
    first: int

    def __str__(self) -> str:
        if self.kind == "zero":
            return f"the gradient of {self.layer} is exactly 0 from step {self.first} to the end"
        return f"{NAMES[self.kind]} in {self.steps} of {self.of} steps, first in {self.layer} at step {self.first}"


class Tally:
    """Counts, step by step, what is wrong with a run. Memory stays flat; a step costs one copy of its norms.

    Args:
        layers: names of the L layers.

    Attributes:
        steps: number of steps seen.
    """

    def __init__(self, layers: Sequence[str]) -> None:
        self.steps = 0
        self._layers = tuple(layers)
        self._counts = dict.fromkeys(NAMES, 0)
        self._firsts: dict[str, tuple[str, int]] = {}
        self._zero_steps = np.zeros(len(layers), dtype=np.int64)  # length of the current stretch of zeros
        self._zero_since = np.zeros(len(layers), dtype=np.int64)
        self._norms = np.empty((BLOCK, len(layers)), dtype=np.float32)
        self._gaps = np.zeros((BLOCK, len(layers)), dtype=bool)
        self._numbers: list[int] = []

    def append(self, row: Row, /) -> None:
        """See :class:`gradmidi.recording.row.RowSink`."""
        i = len(self._numbers)
        self._numbers.append(row.step)
        self._norms[i] = row.norms
        if (gaps := row.missing) is not None:
            self._gaps[i] = gaps
        if i + 1 == BLOCK:
            self._look()

    def add_layers(self, names: Sequence[str]) -> None:
        """Count further layers from the next step on."""
        self._look()
        self._layers = (*self._layers, *names)
        more = np.zeros(len(names), dtype=np.int64)
        self._zero_steps, self._zero_since = np.append(self._zero_steps, more), np.append(self._zero_since, more)
        self._norms = np.empty((BLOCK, len(self._layers)), dtype=np.float32)
        self._gaps = np.zeros((BLOCK, len(self._layers)), dtype=bool)

    def feed(self, recording: Recording) -> Tally:
        """Add the steps of a recording, and return this tally."""
        self._look()
        self._count(recording.steps, recording.norms, recording.gaps)
        return self

    def findings(self) -> tuple[Finding, ...]:
        """What was wrong so far, in the order NaN, Inf, zero."""
        self._look()
        found = [
            Finding(kind, self._counts[kind], self.steps, *self._firsts[kind]) for kind in NAMES if kind in self._firsts
        ]
        for i in np.flatnonzero(self._zero_steps >= DEAD_STEPS).tolist():
            zeros, since = int(self._zero_steps[i]), int(self._zero_since[i])
            found.append(Finding("zero", zeros, self.steps, self._layers[i], since))
        return tuple(found)

    def _look(self) -> None:
        numbers, self._numbers = self._numbers, []
        if numbers:
            count = len(numbers)
            self._count(np.array(numbers, dtype=np.int64), self._norms[:count], self._gaps[:count])
            self._gaps[:count] = False

    def _count(self, steps: NDArray[np.int64], norms: NDArray[np.floating], gaps: NDArray[np.bool_]) -> None:
        self.steps += len(steps)
        for kind, where in (("nan", np.isnan(norms) & ~gaps), ("inf", np.isinf(norms))):
            rows = where.any(axis=1)
            self._counts[kind] += int(rows.sum())
            if kind not in self._firsts and rows.any():
                row = int(rows.argmax())
                self._firsts[kind] = (self._layers[int(where[row].argmax())], int(steps[row]))
        self._count_zeros(steps, norms == 0)

    def _count_zeros(self, steps: NDArray[np.int64], zero: NDArray[np.bool_]) -> None:
        if not len(steps):
            return
        rows = len(steps)
        # Zeros at the end of the block: the position of the last row that is not zero, counted from the end.
        tail = np.where(zero.all(axis=0), rows, (~zero[::-1]).argmax(axis=0))
        goes_on = (tail == rows) & (self._zero_steps > 0)
        begins = steps[np.minimum(rows - tail, rows - 1)]
        self._zero_since = np.where(goes_on, self._zero_since, begins)
        self._zero_steps = np.where(goes_on, self._zero_steps, 0) + tail


def findings_of(recording: Recording) -> tuple[Finding, ...]:
    """What was wrong with a recorded run; see :class:`Finding`."""
    return Tally(recording.layers).feed(recording).findings()


def sentences(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The findings as sentences; layers that became zero are joined into one."""
    lines = [str(finding) for finding in findings if finding.kind != "zero"]
    dead = [finding for finding in findings if finding.kind == "zero"]
    if len(dead) == 1:
        lines.append(str(dead[0]))
    elif dead:
        first = min(dead, key=lambda finding: finding.first)
        begin = f"first in {first.layer} from step {first.first}"
        lines.append(f"the gradients of {len(dead)} layers are exactly 0 at the end, {begin}")
    return tuple(lines)
