"""What differs between two runs, as numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.grouping import Group, Grouping
from gradmidi.composition.two_runs.pairing import Pair
from gradmidi.events import Event, find_events
from gradmidi.events.verdict import Verdict, losses_of, verdict_of
from gradmidi.recording import Recording

# The rule by which two runs part, chosen on pairs of healthy seeds; docs/compare.md states it.
BIN = 10  # compared steps of a bin; a tenth of all where there are fewer than 100
IN_A_ROW = 5  # bins
FACTOR = 2.0  # between the runs, in the median of each bin
SHARE = 0.8  # of a bin's steps that lie on the same side
SAME_LOSS = 0.01  # relative difference up to which two runs finish alike

WHOLE = "the whole gradient"
LOSS = "the loss"


Losses = tuple[float | None, float | None]


class Stretch(NamedTuple):
    """Steps in which two runs are apart.

    Attributes:
        since: the first step.
        until: the last step; None if they are still apart at the last compared step.
        ratio: median of B / A in between; inf or 0 where one is not finite or exactly zero.
        sizes: median of A and of B in between; inf where it is not finite.
    """

    since: int
    until: int | None
    ratio: float
    sizes: tuple[float, float]


class Difference(NamedTuple):
    """How something differs between the runs.

    Attributes:
        name: a layer, :data:`WHOLE` or :data:`LOSS`.
        steps: how many steps were compared.
        ratio: median of B / A in them; nan for no such steps.
        sizes: median of A and of B in them; inf where it is not finite, nan for no such steps.
        apart: where the runs are apart, in order.
    """

    name: str
    steps: int
    ratio: float
    sizes: tuple[float, float]
    apart: tuple[Stretch, ...]


class Ending(NamedTuple):
    """The losses with which two runs end.

    Attributes:
        last: of A and B, the median of the last ten; nan where it was lost to NaN, None where none was recorded.
        shared: the same up to the last step that both have.
        lower: ``"A"`` or ``"B"``; None where they are within 1 %, or not both known.
    """

    last: Losses
    shared: Losses
    lower: str | None


class Differences(NamedTuple):
    """What differs between two runs, A and B.

    Attributes:
        layers: each common layer.
        whole: the norm of all common layers together.
        loss: the loss, where both have one; otherwise None.
        ending: how they end; None where neither has a loss.
        verdicts: the health of each, examined alone, see :func:`gradmidi.events.verdict.verdict_of`.
        events: what began or ended in each, see :func:`gradmidi.find_events`.
        steps: (first, last) step that both have.
        compared: how many steps both have.
    """

    layers: tuple[Difference, ...]
    whole: Difference
    loss: Difference | None
    ending: Ending | None
    verdicts: tuple[Verdict, Verdict]
    events: tuple[list[Event], list[Event]]
    steps: tuple[int, int]
    compared: int


def differences_of(pair: Pair) -> Differences:
    """Compare the runs of a pair at the steps that both have."""
    steps = pair.steps[pair.both]
    a, b = (side.recording[pair.both] for side in pair.sides)
    together = Grouping((Group(WHOLE, tuple(range(len(pair.layers)))),))
    (whole_a, gaps_a), (whole_b, gaps_b) = together.join(a), together.join(b)
    layers = [
        _difference(name, _Compared.of(a.norms[:, i], b.norms[:, i], ~a.gaps[:, i] & ~b.gaps[:, i], steps))
        for i, name in enumerate(pair.layers)
    ]
    known = ~gaps_a[:, 0] & ~gaps_b[:, 0]
    whole = _difference(WHOLE, _Compared.of(whole_a[:, 0], whole_b[:, 0], known, steps))
    one, other = (side.run for side in pair.sides)
    verdicts = verdict_of(one), verdict_of(other)
    loss = None
    if "loss" in a.metrics and "loss" in b.metrics:
        loss_a, loss_b = _losses(a), _losses(b)
        loss = _difference(LOSS, _Compared.of(loss_a, loss_b, (loss_a > 0) & (loss_b > 0), steps))
    return Differences(
        tuple(layers),
        whole,
        loss if loss is not None and loss.steps else None,
        _ending(pair),
        verdicts,
        (find_events(one), find_events(other)),
        (int(steps[0]), int(steps[-1])),
        len(steps),
    )


class _Compared(NamedTuple):
    """The same thing in both runs at n steps: the values of A and B, NaN as inf, and the steps, each (n,)."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    steps: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        a: NDArray[np.float64],
        b: NDArray[np.float64],
        known: NDArray[np.bool_],
        steps: NDArray[np.int64],
    ) -> _Compared:
        large = [np.where(np.isfinite(values[known]), values[known], np.inf) for values in (a, b)]
        return cls(large[0], large[1], steps[known])

    def part(self, first: int, last: int) -> _Compared:
        return _Compared(self.a[first:last], self.b[first:last], self.steps[first:last])

    def log_ratio(self) -> NDArray[np.float64]:
        """ln(B / A), (n,): two that are infinite, or two that are zero, are equal."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(self.b) - np.log(self.a)
        return np.where(np.isnan(ratio), 0.0, ratio)

    def ratio(self) -> float:
        """The median of B / A."""
        with np.errstate(over="ignore"):
            return float(np.exp(_median(self.log_ratio())))

    def sizes(self) -> tuple[float, float]:
        """The medians of A and B."""
        return float(_median(self.a)), float(_median(self.b))


def _difference(name: str, both: _Compared) -> Difference:
    if not len(both.steps):
        return Difference(name, 0, math.nan, (math.nan, math.nan), ())
    return Difference(name, len(both.steps), both.ratio(), both.sizes(), tuple(_stretches(both)))


def _stretches(both: _Compared) -> Iterator[Stretch]:
    """Where B / A keeps to one side for five bins in a row, until it has not for five in a row.

    A bin is on a side if its median is at least ``FACTOR`` away and at least ``SHARE`` of its steps are on that side.
    """
    count = len(both.steps)
    size = max(1, min(BIN, count // BIN))
    bins = both.log_ratio()[: count // size * size].reshape(-1, size)
    if len(bins) < IN_A_ROW:
        return
    middle = _median(bins)
    far = np.where(np.abs(middle) >= math.log(FACTOR), np.sign(middle), 0.0)
    sides = np.where((np.sign(bins) == far[:, np.newaxis]).mean(axis=1) >= SHARE, far, 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(sides, IN_A_ROW)
    begins = np.flatnonzero((windows[:, 0] != 0) & (windows == windows[:, :1]).all(axis=1))
    at = 0
    while len(begins := begins[begins >= at]):
        first = int(begins[0])
        over = np.flatnonzero((windows[first:] != sides[first]).all(axis=1))
        at = first + int(over[0]) if len(over) else len(bins)
        inside = both.part(first * size, at * size if len(over) else count)
        until = int(inside.steps[-1]) if len(over) else None
        yield Stretch(int(inside.steps[0]), until, inside.ratio(), inside.sizes())


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median along the last axis; 0 where it is between −inf and inf."""
    with np.errstate(invalid="ignore"):
        middle = np.median(values, axis=-1)
    return np.where(np.isnan(middle), 0.0, middle)


def _losses(recording: Recording) -> NDArray[np.float64]:
    """The loss of each row, inf where it is NaN as a gradient is; where only the loss is NaN, none was recorded."""
    loss = recording.metrics["loss"]
    lost = np.isnan(loss) & (np.isnan(recording.norms) & ~recording.gaps).any(axis=1)
    return np.where(lost, np.inf, loss)


def _ending(pair: Pair) -> Ending | None:
    whole = [losses_of(side.run) for side in pair.sides]
    if whole == [None, None]:
        return None
    last_step = int(pair.steps[pair.both][-1])
    shared = [losses_of(side.run.between(None, last_step)) for side in pair.sides]
    return Ending(_last(whole), _last(shared), _lower(*_last(whole)))


def _last(losses: Sequence[tuple[float, float] | None]) -> Losses:
    a, b = (None if loss is None else loss[1] for loss in losses)
    return a, b


def _lower(a: float | None, b: float | None) -> str | None:
    """Which loss is lower; one that was lost to NaN is higher than any other."""
    if a is None or b is None:
        return None
    a, b = (math.inf if math.isnan(value) else value for value in (a, b))
    if a == b or abs(a - b) <= SAME_LOSS * max(abs(a), abs(b)) < math.inf:
        return None
    return "A" if a < b else "B"
