"""The events' own sounds: for what begins and ends, with a quiet tone and a sparse reminder while it lasts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.passage import Passage
from gradmidi.composition.situation import ENDS, NOTHING_WRONG, STARTS, Stroke
from gradmidi.composition.voices import PERCUSSION_CHANNEL
from gradmidi.events import KINDS
from gradmidi.score import NOTHING, Notes, Voice, merged
from gradmidi.theory.pitch import key_to_hz

EVENTS_NAME, STATE_NAME = "events", "state"
LASTS = 0.4  # s that an earcon is given
APART = 0.3  # s between earcons of one moment
LOUD, REMINDING, ENDING, HELD = 110, 84, 92, 58  # velocities
CALL = 116  # velocity with which the layer concerned is called
MOST_CALLED = 3  # layers


class Earcon(NamedTuple):
    """Keys of channel 10; ``hold`` is −1 where nothing is held."""

    onset: int
    hold: int = -1


@cache
def _table() -> dict[str, object]:
    text = resources.files("gradmidi.composition").joinpath("earcons.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def earcons() -> dict[str, Earcon]:
    """The earcon of each kind of event that has one."""
    rows: list[dict[str, int | str]] = _table()["earcon"]  # type: ignore[assignment]
    return {str(row["kind"]): Earcon(int(row["onset"]), int(row.get("hold", -1))) for row in rows}


def key_of(name: str) -> int:
    """The key of ``"recovered"`` or ``"pulse"``."""
    return int(_table()[name])  # type: ignore[call-overload, no-any-return]


class Earcons:
    """A section of two voices; see :class:`gradmidi.composition.passage.Section`. It also calls the layers concerned.

    Args:
        first: position of its first voice among those of the piece.
        calls: (V,) Hz at which each layer's voice is called; none are called without it.
        programs: (V,) of the layers' voices. A call has it, although it is the voice's own, as its pitch is no norm.
    """

    def __init__(self, first: int, calls: NDArray[np.float64] | None, programs: Sequence[int]) -> None:
        self._first, self._calls, self._programs = first, calls, np.array(programs)
        self.voices = (
            Voice(EVENTS_NAME, PERCUSSION_CHANNEL, percussion=True),
            Voice(STATE_NAME, PERCUSSION_CHANNEL, percussion=True, sustained=True),
        )
        self._keys = np.array([earcons()[kind].hold if kind in earcons() else -1 for kind in KINDS])
        self._holding = -1

    def feed(self, passage: Passage) -> Notes:
        """The earcons, held tones and calls of the next passage."""
        strokes = passage.situation.strokes
        parts = [self._strokes(passage, strokes), self._held(passage)]
        if self._calls is not None and strokes:
            parts.append(self._called(passage, strokes, self._calls))
        return merged(parts)

    def _strokes(self, passage: Passage, strokes: list[Stroke]) -> Notes:
        places: dict[tuple[int, int], Stroke] = {}
        for stroke in strokes:
            key = key_of("recovered") if stroke.what == ENDS else earcons()[stroke.kind].onset
            places.setdefault((stroke.row, key), stroke)
        if not places:
            return NOTHING
        order = sorted(places, key=lambda place: place[0])
        rows = np.array([row for row, _ in order])
        before = np.arange(len(rows)) - np.searchsorted(rows, rows)  # how many were struck in the same row before
        onset = passage.placed.onset[rows, 0] + APART * before
        velocity = {STARTS: LOUD, ENDS: ENDING}
        by_onset = np.argsort(onset, kind="stable")
        hard = np.array([velocity.get(places[place].what, REMINDING) for place in order])
        keys = np.array([key for _, key in order])
        return _drums(onset, LASTS, keys, hard, passage.recording.steps[rows], self._first, by_onset)

    def _held(self, passage: Passage) -> Notes:
        """The tone of the gravest thing that lasts, from step to step."""
        gravest = passage.situation.gravest
        keys = np.where(gravest == NOTHING_WRONG, -1, self._keys[gravest])
        rows = np.flatnonzero(keys >= 0)
        before = np.concatenate([[self._holding], keys[:-1]]) if len(keys) else keys
        if len(keys):
            self._holding = int(keys[-1])
        if not len(rows):
            return NOTHING
        hard = np.full(len(rows), HELD)
        starts, ends = passage.step_times
        notes = _drums(
            starts[rows], (ends - starts)[rows], keys[rows], hard, passage.recording.steps[rows], self._first + 1
        )
        return Notes(**{**notes.columns(), "tied": (keys == before)[rows]})

    def _called(self, passage: Passage, strokes: list[Stroke], calls: NDArray[np.float64]) -> Notes:
        """The layers' voices in the rest of the step, so that they can be told by their own sound and place."""
        notes: list[tuple[float, float, int, int]] = []
        _, ends = passage.step_times
        for row, whose in {stroke.row: stroke for stroke in reversed(strokes) if stroke.what != ENDS}.items():
            found = {passage.grouping.voice_of(layer) for layer in whose.layers}
            voices = sorted(voice for voice in found if voice is not None)
            last = (passage.placed.onset[row] + passage.placed.duration[row]).max()
            room = (ends[row] - last) / max(len(voices), 1)
            if 0 < len(voices) <= MOST_CALLED and room > 0.01:
                notes += [(last + i * room, room, voice, row) for i, voice in enumerate(voices)]
        if not notes:
            return NOTHING
        notes.sort()
        onset, duration = np.array([note[:2] for note in notes]).T
        called, rows = np.array([note[2:] for note in notes]).T
        hard, steps = np.full(len(notes), CALL), passage.recording.steps[rows]
        untied, programs = np.zeros(len(notes), dtype=bool), self._programs[called]
        return Notes(onset, duration, calls[called], called, hard, steps, untied, program=programs)


def _drums(
    onset: NDArray[np.float64],
    duration: float | NDArray[np.float64],
    keys: NDArray[np.int64],
    velocity: NDArray[np.int64],
    steps: NDArray[np.int64],
    voice: int,
    order: NDArray[np.int64] | slice = slice(None),
) -> Notes:
    count = len(onset)
    return Notes(
        onset=onset[order],
        duration=np.broadcast_to(duration, count)[order],
        frequency=np.asarray(key_to_hz(keys[order])),
        layer=np.full(count, voice),
        velocity=velocity[order],
        step=steps[order],
        tied=np.zeros(count, dtype=bool),
        drum=keys[order],
    )
