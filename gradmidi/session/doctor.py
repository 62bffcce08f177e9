"""Doctor: the sink that finds events in the rows of a session, some rows at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf

from gradmidi.events import Event, Watch
from gradmidi.recording.gathering import MOST, Gathering
from gradmidi.recording.row import Row

LOOK_EVERY = 2.0  # s, unless a norm gives reason to look at once
EARLY = 20  # rows, each of which is looked at, as nothing is known yet that could give reason to look
NOT_FINITE, HIGH = frozenset({"nan", "inf"}), frozenset({"spike", "explosion"})  # kinds that such a norm shows
NAME = "finding events"  # in a warning

Tell = Callable[[Sequence[Event]], object]


class Doctor:
    """Gathers rows and has a :class:`gradmidi.events.Watch` look at them.

    It looks at once where a norm is NaN or infinite, or far above what is usual, unless that has begun and is not over;
    otherwise every two seconds, or every 256 rows where they come faster.

    Args:
        layers: names of the L layers.
        tell: called with what is found at a look, in the training's thread.
        act: called after a look in the middle of the training, with the same; it may raise KeyboardInterrupt.
        now: a clock, s.

    Attributes:
        every: s between looks; by default two.
    """

    def __init__(
        self, layers: Sequence[str], tell: Tell, act: Tell, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._layers = tuple(layers)
        self._watch = Watch(layers)
        self._tell, self._act, self._now = tell, act, now
        self.every: float | None = None
        self._gathered = self._begin_gathering()
        self._ended_at = self._rows = 0
        self._lost = False  # an interrupted or failed look leaves a watch that knows only half of it: it is not used

    def append(self, row: Row, /) -> None:
        """See :class:`gradmidi.recording.row.RowSink`."""
        if not self._lost and self._gathered.append(row) and (found := self.look()):
            self._act(found)

    def look(self) -> list[Event]:
        """Look at the rows that came since the last look; tells and returns what is found."""
        if self._lost or not len(self._gathered):
            return []
        at_once = len(self._gathered) < MOST and self._now() < self._gathered.look_at
        self._lost = True
        rows = self._gathered.take()
        found = self._watch.find(rows)
        self._lost = False
        self._rows += len(rows)
        going = {event.kind for event in self._watch.ongoing}
        limit = inf if at_once or going & HIGH else self._watch.limit
        self._gathered.limits = None if going & NOT_FINITE else [limit] * len(self._layers)
        if self._rows >= EARLY:
            self._gathered.look_at = self._now() + (LOOK_EVERY if self.every is None else self.every)
        if found:
            self._tell(found)
        return found

    def add_layers(self, names: Sequence[str]) -> None:
        """Watch further layers from the next row on."""
        self.look()
        self._layers = (*self._layers, *names)
        self._watch.add_layers(names)
        self._gathered = self._begin_gathering()

    def finish(self, how: str) -> None:
        """Tell what has not ended, and how the run did; nothing if no row has come since the last time."""
        self.look()
        if not self._lost and self._rows > self._ended_at:
            self._ended_at = self._rows
            self._tell(self._watch.finish(how))

    def retire(self) -> None:
        """Look no more."""
        self._lost = True

    def _begin_gathering(self) -> Gathering:
        return Gathering(self._layers, self._now)
