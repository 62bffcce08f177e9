"""Watch: rows of norms in, events out; a step at a time or a whole run at once, with the same result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from gradmidi.events.bins import BIN, Bins, Rows
from gradmidi.events.event import ONGOING, ONSET, RUN, Event
from gradmidi.events.kinds import KINDS
from gradmidi.events.layers import Layers
from gradmidi.events.loss import Loss
from gradmidi.events.network import Network
from gradmidi.events.rules import DEFAULTS, Found, Parameters
from gradmidi.events.telling import told, where_of
from gradmidi.recording import Recording

ORDER = {kind: position for position, kind in enumerate(KINDS)}
LOOK_BACK = 128  # rows whose steps are remembered, as evidence may be older than the bin in which it decides


class Watch:
    """Finds events block by block, and remembers what is usual and what has not ended yet.

    Args:
        layers: names of the L layers.
        parameters: the figures of the rules.
    """

    def __init__(self, layers: Sequence[str], parameters: Parameters = DEFAULTS) -> None:
        self._names = tuple(layers)
        self._quiet = parameters.quiet
        self._loss = Loss(parameters)
        self._network = Network(len(self._names), self._loss, parameters)
        self._layers = Layers(len(self._names), self._loss, parameters)
        self._groups = (self._loss, self._layers, self._network)
        self._rows = 0
        self._begun: Rows | None = None  # the rows of the bin that is not complete
        self._steps = np.empty(0, dtype=np.int64)  # of the newest rows, from number _steps_from on
        self._steps_from = 0
        self._first_step = 0
        self._since: dict[tuple[str, int], int] = {}  # optimizer step of the rows at which something began
        self._onsets: dict[Found, Event] = {}

    @property
    def limit(self) -> float:
        """A norm of the whole gradient from which a step is a spike; inf while nothing is usual yet."""
        with np.errstate(over="ignore"):
            return float(np.exp(self._network.limit))

    @property
    def usual(self) -> NDArray[np.float64]:
        """What is usual for each layer: (L,) natural logarithms of norms, nan where nothing is known yet."""
        return self._network.usual

    @property
    def is_alarmed(self) -> bool:
        """Whether something is wrong now."""
        return any(group.lasting for group in self._groups)

    @property
    def ongoing(self) -> list[Event]:
        """The onsets of what has begun and not ended, in order, with the layers that have not recovered."""
        lasting = [one for group in self._groups for one in group.lasting]
        lasting.sort(key=lambda one: _by_row(one[0]))
        return [self._with(self._onsets[found], layers) for found, layers in lasting]

    def find(self, rows: Recording) -> list[Event]:
        """What begins or ends in the next rows, in order of row; of one row, the gravest first."""
        if not len(rows):
            return []
        first = self._rows
        if not first:
            self._first_step = int(rows.steps[0])
        kept = self._steps[-LOOK_BACK:]
        self._steps, self._steps_from = np.concatenate([kept, rows.steps]), first - len(kept)
        new = Rows.of(rows)
        found = sorted(self._found(new if self._begun is None else new.after(self._begun), first), key=_by_row)
        self._rows += len(rows)
        return [self._event(one)._replace(row=one.row - first) for one in found]

    def finish(self, how: str = "well") -> list[Event]:
        """The last events of a run: one of phase ``"ongoing"`` for each thing that has not ended, then ``finished``.

        Args:
            how: ``"well"``, ``"stopped"`` (by a person) or ``"failed"`` (an exception).
        """
        if not self._rows:
            return []
        last, row = int(self._steps[-1]), self._rows - 1
        going = [event._replace(row=row, step=last, phase=ONGOING, seen=self._rows) for event in self.ongoing]
        end = Event(row, None, "finished", "", last, ONSET, RUN, last, seen=self._rows)
        return [*going, end._replace(text=told(end, how=how))]

    def add_layers(self, names: Sequence[str]) -> None:
        """Watch further layers from the next row on."""
        self._names = (*self._names, *names)
        self._layers.widen(len(names))
        self._network.widen(len(names))
        if self._begun is not None:
            self._begun = self._begun.widened(len(names))

    def _found(self, rows: Rows, next_row: int) -> Iterator[Found]:
        """What is found in whole bins and in one that is begun; the rows before ``next_row`` have been looked at."""
        origin = next_row - (0 if self._begun is None else len(self._begun.steps))
        count = len(rows.steps) // BIN
        for group in self._groups:
            group.begin(rows)
        if count:
            bins = Bins.of(rows.part(0, count * BIN))
            self._layers.compare(bins)
        for i in range(count + 1):
            begin = max(i * BIN, next_row - origin)
            here = rows.part(begin, (i + 1) * BIN)
            for group in self._groups:
                if len(here.steps):
                    yield from group.look(here, origin + begin)
                if i < count:
                    yield from group.close(bins, i, origin + (i + 1) * BIN - 1)
        self._begun = rows.part(count * BIN, len(rows.steps))

    def _step_of(self, row: int) -> int:
        """The optimizer step of a row: one of the newest, or the first of the run."""
        return self._first_step if row == 0 else int(self._steps[row - self._steps_from])

    def _with(self, event: Event, layers: tuple[int, ...]) -> Event:
        """An event of some of its layers."""
        if layers == event.layers:
            return event
        some = event._replace(layer=layers[0], layers=layers, where=where_of(layers, self._names, event.kind))
        return some._replace(text=told(some, self._quiet))

    def _event(self, found: Found) -> Event:
        if found.phase == ONSET:
            self._since[found.kind, found.since] = self._step_of(found.since)
        since = self._since[found.kind, found.since]
        layer = found.layers[0] if found.layers else None
        where = where_of(found.layers, self._names, found.kind)
        step = self._step_of(found.row)
        event = Event(
            found.row,
            layer,
            found.kind,
            "",
            step,
            found.phase,
            where,
            since,
            _known(found.value),
            _known(found.usual),
            found.row + 1,
            found.layers,
        )
        event = event._replace(text=told(event, self._quiet))
        if found.phase == ONSET:
            self._onsets[found] = event
        return event


def _known(figure: float) -> float:
    return nan if isnan(figure) else figure  # the one nan, so that equal events compare as equal


def _by_row(found: Found) -> tuple[int, int]:
    return found.row, ORDER[found.kind]


def find_events(recording: Recording) -> list[Event]:
    """All events of a recorded run, in order, with what is ongoing at its end; ``row`` is the recording's row."""
    watch = Watch(recording.layers)
    return watch.find(recording) + watch.finish()
