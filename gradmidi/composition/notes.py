"""The columns of notes that a composer has made, and alarms that sound beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.events import PERCUSSION_KEYS
from gradmidi.composition.pitch_range import key_hz
from gradmidi.composition.styles import Placed

ALARM_VELOCITY = 110


class Hit(NamedTuple):
    """An alarm beside the notes: row, voice, kind and the step at which it occurred."""

    row: int
    voice: int
    kind: str
    step: int


class Notes(NamedTuple):
    """The columns of a score's notes, each (K,); see :class:`Score`."""

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    frequency: NDArray[np.float64]
    layer: NDArray[np.int64]
    velocity: NDArray[np.int64]
    step: NDArray[np.int64]
    tied: NDArray[np.bool_]

    def with_hits(self, hits: Sequence[Hit], placed: Placed) -> Notes:
        """The notes and, when the voice plays, the alarms beside them; the alarm's is the voice after all others."""
        if not hits:
            return self
        at = ([hit.row for hit in hits], [hit.voice for hit in hits])
        count, alarm = len(hits), placed.onset.shape[1]
        added = Notes(
            onset=placed.onset[at],
            duration=placed.duration[at],
            frequency=np.array([key_hz(PERCUSSION_KEYS[hit.kind]) for hit in hits]),
            layer=np.full(count, alarm),
            velocity=np.full(count, ALARM_VELOCITY),
            step=np.array([hit.step for hit in hits]),
            tied=np.zeros(count, dtype=bool),
        )
        columns = [np.concatenate(pair) for pair in zip(self, added, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        return Notes(*(column[order] for column in columns))
