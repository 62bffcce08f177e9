"""What the composers of two runs are fed: a column per run and voice, and what went wrong in either."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.grouping import Grouping
from gradmidi.composition.passage import nonfinite
from gradmidi.composition.timelapse import bin_edges, time_lapse
from gradmidi.composition.two_runs.pairing import Pair, Side
from gradmidi.events import ONGOING, Event, find_events
from gradmidi.recording import Recording

LETTERS: tuple[str, str] = ("A", "B")


class Material(NamedTuple):
    """Rows of V voices per run, and what is wrong in them.

    Attributes:
        rows: (N, 2 V) norms: each voice of A is followed by the same voice of B. Metrics: ``loss A`` and ``loss B``.
        events: what begins or ends; ``row`` is among these rows, layers are these columns.
        alarms: NaN and Inf, as :func:`gradmidi.composition.passage.nonfinite`.
    """

    rows: Recording
    events: list[Event]
    alarms: NDArray[np.int64]

    def of_run(self, number: int) -> Material:
        """One run only, in its own V columns."""
        rows = self.rows
        names = tuple(name.partition(" ")[2] for name in rows.layers[number::2])
        own = Recording(names, rows.steps, rows.norms[:, number::2], {}, {}, rows.gaps[:, number::2])
        events = [_alone(event) for event in self.events if event.text.startswith(f"{LETTERS[number]}: ")]
        alarms = self.alarms[self.alarms[:, 1] % 2 == number]
        return Material(own, events, alarms // [1, 2, 1, 1])

    def lapsed(self, bins: int) -> Material:
        """The same in at most ``bins`` rows; see :func:`gradmidi.composition.timelapse.time_lapse`."""
        starts = bin_edges(len(self.rows), bins)[:-1]
        events = [event._replace(row=int(np.searchsorted(starts, event.row, "right")) - 1) for event in self.events]
        alarms = self.alarms.copy()
        alarms[:, 0] = np.searchsorted(starts, alarms[:, 0], "right") - 1
        return Material(time_lapse(self.rows, bins).recording, events, _first_of_each(alarms))


def material(pair: Pair, grouping: Grouping) -> Material:
    """The rows of a pair, its layers joined in voices, and what went wrong in all rows of the runs."""
    names = voice_names(grouping)
    size = (len(pair.steps), 2 * len(names))
    norms, gaps = np.empty(size), np.empty(size, dtype=bool)
    for number, side in enumerate(pair.sides):
        norms[:, number::2], gaps[:, number::2] = grouping.join(side.recording)
    both = tuple(f"{letter} {name}" for name in names for letter in LETTERS)
    losses = {
        f"loss {letter}": side.recording.metrics["loss"]
        for letter, side in zip(LETTERS, pair.sides, strict=True)
        if "loss" in side.recording.metrics
    }
    events = [event for number, side in enumerate(pair.sides) for event in _events(side, number, pair, grouping)]
    alarms = [_alarms(side, number, pair, grouping) for number, side in enumerate(pair.sides)]
    rows = Recording(both, pair.steps, norms, losses, {}, gaps)
    return Material(rows, sorted(events, key=lambda event: event.row), _first_of_each(np.concatenate(alarms)))


def voice_names(grouping: Grouping) -> tuple[str, ...]:
    """The voices' names, each of them once."""
    counts = Counter(grouping.names)
    return tuple(f"{name} ({i})" if counts[name] > 1 else name for i, name in enumerate(grouping.names, 1))


def _columns(side: Side, number: int, pair: Pair, grouping: Grouping) -> list[int]:
    """For each layer of the run its column among both runs' voices, or −1."""
    voices = [
        grouping.voice_of(pair.layers.index(layer)) if layer in pair.layers else None for layer in side.run.layers
    ]
    return [-1 if voice is None else 2 * voice + number for voice in voices]


def _events(side: Side, number: int, pair: Pair, grouping: Grouping) -> list[Event]:
    """The onsets and recoveries of a run, which say whose they are; one in no voice concerns the run as a whole."""
    columns = _columns(side, number, pair, grouping)
    found = []
    for event in find_events(side.run):
        if event.phase == ONGOING:
            continue
        heard = tuple(dict.fromkeys(columns[layer] for layer in event.layers if columns[layer] >= 0))
        found.append(
            event._replace(
                row=int(side.slots[event.row]),
                layer=heard[0] if heard else None,
                layers=heard,
                text=f"{LETTERS[number]}: {event.text}",
                where=f"{LETTERS[number]} {event.where}",
                since=2 * event.since + number,  # by which an end finds its onset, and must not find the other run's
            )
        )
    return found


def _alone(event: Event) -> Event:
    """An event of one run in the columns of that run."""
    layer = None if event.layer is None else event.layer // 2
    return event._replace(layer=layer, layers=tuple(column // 2 for column in event.layers))


def _alarms(side: Side, number: int, pair: Pair, grouping: Grouping) -> NDArray[np.int64]:
    found = nonfinite(side.run)
    found[:, 0] = side.slots[found[:, 0]]
    found[:, 1] = np.array(_columns(side, number, pair, grouping))[found[:, 1]]
    return found[found[:, 1] >= 0]


def _first_of_each(alarms: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first of each kind in each row and column, in order of row."""
    _, first = np.unique(alarms[:, :3], axis=0, return_index=True)
    return np.asarray(alarms[np.sort(first)][np.argsort(alarms[np.sort(first), 0], kind="stable")])
