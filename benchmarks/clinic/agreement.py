"""Whether our rules find the same a row at a time, in blocks of any size and over the whole array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zlib import crc32

import numpy as np

from benchmarks.clinic.runs import Run
from gradmidi.events import Event, Watch, find_events
from gradmidi.recording import Recording

LARGEST = 200  # rows of a random block


def in_blocks(recording: Recording, sizes: Iterable[int]) -> list[Event]:
    """The events of a recording that comes in blocks of these sizes; ``row`` is the recording's."""
    watch, events, first = Watch(recording.layers), [], 0
    for size in sizes:
        events += [event._replace(row=first + event.row) for event in watch.find(recording.rows(first, first + size))]
        first += size
    assert first == len(recording)
    return events + watch.finish()


def random_sizes(total: int, seed: int) -> Iterator[int]:
    """Sizes of blocks, small ones more often, that are ``total`` together."""
    draw = np.random.default_rng(seed)
    while total:
        size = min(total, int(LARGEST ** draw.random()))
        yield size
        total -= size


def differences(run: Run) -> list[str]:
    """In which ways of reading a run other events are found than over the whole array, to the last digit."""
    recording = run.recording
    whole = list(map(repr, find_events(recording)))  # repr, as NaN differs from itself
    ways = {
        "a row at a time": [1] * len(recording),
        "in random blocks": list(random_sizes(len(recording), crc32(run.name.encode()))),
    }
    return [
        f"{run.name}: other events {way}"
        for way, sizes in ways.items()
        if list(map(repr, in_blocks(recording, sizes))) != whole
    ]


def agreement(runs: Iterable[Run]) -> tuple[int, int, list[str]]:
    """How many runs and events were compared, and the differences."""
    count, events, different = 0, 0, []
    for run in runs:
        count, events = count + 1, events + len(find_events(run.recording))
        different += differences(run)
    return count, events, different
