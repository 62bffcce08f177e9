"""Verdict: what was wrong with a run, from the first evidence to the last, and what could not be examined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import nan
from typing import NamedTuple

import numpy as np

from gradmidi.events.bins import BIN, UPDATE_RATIO
from gradmidi.events.event import ONSET, RECOVERED, Event
from gradmidi.events.kinds import KINDS
from gradmidi.events.network import SMOOTHED
from gradmidi.events.rules import DEFAULTS
from gradmidi.events.watch import find_events
from gradmidi.recording import Recording

HEALTHY, SICK, UNKNOWN = "healthy", "sick", "unknown"

# Measured steps before which a rule cannot find anything; NaN and Inf need none.
NEEDED = {
    "explosion": DEFAULTS.warm_up + BIN,
    "bad-start": DEFAULTS.warm_up,
    "drift": SMOOTHED * BIN,
    "spike": DEFAULTS.warm_up,
    "vanishing": 2 * BIN,
    "zero": BIN,
    "frozen": 2 * BIN,
    "noise": (SMOOTHED + 1) * BIN,
    "loss-spike": DEFAULTS.warm_up,
    "plateau": DEFAULTS.plateau_steps,
}
# Their first evidence is the start of a window or of the run, so that they come first when they are found.
SLOW = ("drift", "noise", "plateau")
OF_THE_LOSS = tuple(name for name, kind in KINDS.items() if kind.unit == "loss")
NO_LOSS = "no loss was recorded"
NO_RATIOS = 'no update ratios were recorded: listen(…, quantities=("grad_norm", "update_ratio"))'
ONE_LAYER = "a single layer has none to be compared with"


class Trouble(NamedTuple):
    """One thing that was wrong, from its first evidence to its end, in all layers in which it took the same time.

    Attributes:
        kind: a name in :data:`gradmidi.events.KINDS`.
        layers: their names; empty where it concerns the loss.
        where: the first layer, or ``"the loss"``.
        since: the optimizer step of the first evidence.
        step: the optimizer step at which that sufficed.
        until: the optimizer step at which it counted as over; None if it had not ended when the run did.
        value: the figure that decided; nan for a kind without one.
        usual: what it was compared with; nan for a kind without one.
        ratio: ``value / usual``; nan if either is unknown.
        seen: how many measured steps of the run the rule had seen at ``step``.
        rows: measured steps from then to the end of the trouble or of the run.
    """

    kind: str
    layers: tuple[str, ...]
    where: str
    since: int
    step: int
    until: int | None
    value: float
    usual: float
    ratio: float
    seen: int
    rows: int

    @property
    def is_momentary(self) -> bool:
        """Whether it was over at once, although its end is only known after some quiet steps."""
        return KINDS[self.kind].momentary and self.rows <= DEFAULTS.quiet + BIN

    @property
    def is_lasting(self) -> bool:
        """Whether it had not ended when the run did."""
        return self.until is None and not self.is_momentary


class Unchecked(NamedTuple):
    """Kinds of trouble that could not be found in a recording, and why."""

    kinds: tuple[str, ...]
    why: str


class Verdict(NamedTuple):
    """A run's health.

    Attributes:
        steps: number of measured steps.
        first_step: the first optimizer step; None for a run without steps.
        last_step: the last one.
        layers: number of layers.
        loss: the first one, and the median of the last ten, nan if it was lost to NaN; None where no step has one.
        troubles: what was wrong, by its first evidence, or by when it was found where that is slow to tell; of one
            step, the gravest first.
        unchecked: what could not be examined.
    """

    steps: int
    first_step: int | None
    last_step: int | None
    layers: int
    loss: tuple[float, float] | None
    troubles: tuple[Trouble, ...]
    unchecked: tuple[Unchecked, ...]

    @property
    def health(self) -> str:
        """``"sick"`` if anything was wrong; ``"unknown"`` if the run is too short to tell; otherwise ``"healthy"``."""
        if self.troubles:
            return SICK
        return HEALTHY if self.steps >= DEFAULTS.warm_up else UNKNOWN

    @property
    def is_lasting(self) -> bool:
        """Whether something was still wrong when the run ended."""
        return any(trouble.is_lasting for trouble in self.troubles)

    @property
    def kinds(self) -> list[str]:
        """The kinds of trouble that were found, gravest first, but what lasted to the end before what was over."""
        found = {trouble.kind for trouble in self.troubles}
        lasting = {trouble.kind for trouble in self.troubles if trouble.is_lasting}
        return sorted((kind for kind in KINDS if kind in found), key=lambda kind: kind not in lasting)


def verdict_of(recording: Recording) -> Verdict:
    """Examine a recorded run.

    Args:
        recording: of any length; what it lacks is listed as unchecked.
    """
    steps = recording.steps
    return Verdict(
        len(recording),
        int(steps[0]) if len(steps) else None,
        int(steps[-1]) if len(steps) else None,
        len(recording.layers),
        losses_of(recording),
        troubles_of(find_events(recording), recording.layers),
        tuple(_unchecked(recording)),
    )


def troubles_of(events: Iterable[Event], names: Sequence[str]) -> tuple[Trouble, ...]:
    """Onsets and recoveries joined.

    Args:
        events: in order, as :func:`gradmidi.events.find_events` returns them.
        names: the names of the layers.
    """
    going: dict[tuple[str, int | None], Event] = {}
    ends: dict[Event, dict[Event | None, list[int]]] = defaultdict(lambda: defaultdict(list))
    rows = 0
    for event in events:
        rows = max(rows, event.seen)
        if not KINDS[event.kind].sick or event.phase not in (ONSET, RECOVERED):
            continue
        for layer in event.layers or (None,):
            if event.phase == ONSET:
                going[event.kind, layer] = event
            elif onset := going.pop((event.kind, layer), None):
                ends[onset][event].extend(() if layer is None else (layer,))
    for (_, layer), onset in going.items():
        ends[onset][None].extend(() if layer is None else (layer,))
    found = [
        _trouble(onset, end, layers, names, rows) for onset, parts in ends.items() for end, layers in parts.items()
    ]
    order = list(KINDS)
    return tuple(sorted(found, key=lambda one: (one.step if one.kind in SLOW else one.since, order.index(one.kind))))


def _trouble(onset: Event, end: Event | None, layers: Sequence[int], names: Sequence[str], rows: int) -> Trouble:
    own = tuple(names[layer] for layer in layers)
    return Trouble(
        onset.kind,
        own,
        own[0] if own else onset.where,
        onset.since,
        onset.step,
        None if end is None else end.step,
        onset.value,
        onset.usual,
        onset.ratio,
        onset.seen,
        (rows if end is None else end.seen) - onset.seen,
    )


def losses_of(recording: Recording) -> tuple[float, float] | None:
    """The first loss, and the median of the last ten, nan if it was lost to NaN; None where no step has one."""
    loss = recording.metrics.get("loss", np.empty(0))
    known = loss[~np.isnan(loss)]
    if not len(known):
        return None
    # A step may have no loss, but one whose gradient is NaN, too, has lost it.
    is_lost = bool(np.isnan(loss[-1]) and (np.isnan(recording.norms[-1]) & ~recording.gaps[-1]).any())
    return float(known[0]), nan if is_lost else float(np.median(known[-BIN:]))


def _unchecked(recording: Recording) -> Iterator[Unchecked]:
    reasons = []
    if not np.isfinite(recording.metrics.get("loss", np.empty(0))).any():
        reasons.append(Unchecked(OF_THE_LOSS, NO_LOSS))
    if not any(f"{UPDATE_RATIO} {layer}" in recording.metrics for layer in recording.layers):
        reasons.append(Unchecked(("frozen",), NO_RATIOS))
    if len(recording.layers) == 1:
        reasons.append(Unchecked(("vanishing",), ONE_LAYER))
    yield from reasons
    told = {kind for reason in reasons for kind in reason.kinds}
    short = {kind: needed for kind, needed in NEEDED.items() if len(recording) < needed and kind not in told}
    if short:
        upto = "up to " if len(short) > 1 else ""
        yield Unchecked(tuple(short), f"too few steps; needed are {upto}{max(short.values())}")
