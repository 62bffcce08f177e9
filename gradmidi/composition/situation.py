"""Situation: what is wrong at each step, and when it has to be said: at its onset, now and then, and at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.events import KINDS, ONSET, RECOVERED, Event

REMIND_EVERY = 10.0  # s
MOMENT = 3.0  # s for which something that is over at once counts as wrong
NOTHING_WRONG = -1
STARTS, REMINDS, ENDS = "starts", "reminds", "ends"
GRAVITY = {kind: position for position, kind in enumerate(KINDS)}
ROUNDING = 1e-9  # s


class Stroke(NamedTuple):
    """Something that is said at a row: what begins, lasts or ends, and in which layers (columns)."""

    row: int
    kind: str
    what: str
    layers: tuple[int, ...]


class Situation(NamedTuple):
    """What is wrong in N rows.

    Attributes:
        gravest: (N,) the gravest kind that lasts, as a position in :data:`gradmidi.events.KINDS`; −1 if none does.
        wrong: (N,) True where anything is wrong, or was a moment ago.
        strokes: what is said, in order of row.
    """

    gravest: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    strokes: list[Stroke]


@dataclass
class _Lasting:
    layers: set[int]
    said: float  # s, when it was said last


@dataclass
class Ward:
    """Follows events from one passage to the next."""

    _lasting: dict[tuple[str, int], _Lasting] = field(default_factory=dict)
    _momentary_until: float = -1.0

    @property
    def has_wrong(self) -> bool:
        """Whether anything lasts."""
        return bool(self._lasting)

    def follow(self, events: Sequence[Event], starts: NDArray[np.float64]) -> Situation:
        """The situation in rows that begin at ``starts`` (N,) s.

        Args:
            events: what begins or ends in them, in order of row.
            starts: s from the start of the piece.
        """
        count = len(starts)
        gravest = np.full(count, NOTHING_WRONG)
        wrong = np.zeros(count, dtype=bool)
        strokes: list[Stroke] = []
        edges = sorted({0, count, *(event.row for event in events)})
        for first, last in pairwise(edges):
            begun = float(starts[first])
            strokes += [stroke for event in events if event.row == first for stroke in self._take(event, begun)]
            strokes += self._reminders(starts[first:last], first)
            lasting = [GRAVITY[kind] for kind, _ in self._lasting]
            gravest[first:last] = min(lasting, default=NOTHING_WRONG)
            wrong[first:last] = bool(lasting) | (starts[first:last] < self._momentary_until)
        strokes.sort(key=lambda stroke: stroke.row)
        return Situation(gravest, wrong, strokes)

    def _take(self, event: Event, now: float) -> list[Stroke]:
        place = (event.kind, event.since)
        if event.phase == ONSET and KINDS[event.kind].sick:
            if KINDS[event.kind].momentary:
                self._momentary_until = now + MOMENT
            else:
                lasting = self._lasting.setdefault(place, _Lasting(set(), now))
                lasting.layers |= set(event.layers)
                lasting.said = now
            return [Stroke(event.row, event.kind, STARTS, event.layers)]
        if event.phase == RECOVERED and place in self._lasting:
            self._lasting[place].layers -= set(event.layers)
            if not self._lasting[place].layers or not event.layers:
                del self._lasting[place]
                return [Stroke(event.row, event.kind, ENDS, event.layers)]
        return []

    def _reminders(self, starts: NDArray[np.float64], first: int) -> list[Stroke]:
        strokes = []
        for (kind, _), lasting in self._lasting.items():
            while (at := int(np.searchsorted(starts, lasting.said + REMIND_EVERY - ROUNDING))) < len(starts):
                lasting.said = float(starts[at])
                strokes.append(Stroke(first + at, kind, REMINDS, tuple(sorted(lasting.layers))))
        return strokes
