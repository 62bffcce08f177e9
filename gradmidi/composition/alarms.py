"""The alarms: a drum in place of every NaN and Inf, and for each one that a voice's note does not show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.passage import Passage
from gradmidi.composition.voices import ALARM_NAME, PERCUSSION_CHANNEL
from gradmidi.score import NOTHING, Notes, Voice
from gradmidi.theory.pitch import key_to_hz

# kind → key of the General MIDI drum map, and the test of a norm
DRUMS = {"nan": (38, np.isnan), "inf": (49, np.isinf)}  # acoustic snare, crash cymbal
ALARM_VELOCITY = 110


class Alarms:
    """A section of one voice; see :class:`gradmidi.composition.passage.Section`.

    Args:
        first: position of its voice among those of the piece.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self.voices = (Voice(ALARM_NAME, PERCUSSION_CHANNEL, percussion=True),)

    def feed(self, passage: Passage) -> Notes:
        """The drum notes of the next passage."""
        if not passage.events and not passage.alarm.any():
            return NOTHING
        row, slot, drum, step = np.concatenate([_in_place_of_notes(passage), _unheard(passage)]).T
        onset = passage.placed.onset[row, slot]
        order = np.argsort(onset, kind="stable")
        return Notes(
            onset=onset[order],
            duration=passage.placed.duration[row, slot][order],
            frequency=key_to_hz(drum[order]),
            layer=np.full(len(order), self._first),
            velocity=np.full(len(order), ALARM_VELOCITY),
            step=step[order],
            tied=np.zeros(len(order), dtype=bool),
            drum=drum[order],
        )


def _in_place_of_notes(passage: Passage) -> NDArray[np.int64]:
    """Row, slot, drum and step (K, 4) of the strokes where a voice's norm is NaN or Inf."""
    row, slot = np.nonzero(passage.alarm)
    norms = passage.norms[row, slot]
    drum = np.select([holds(norms) for _, holds in DRUMS.values()], [key for key, _ in DRUMS.values()])
    return np.stack([row, slot, drum, passage.recording.steps[row]], axis=1)


def _unheard(passage: Passage) -> NDArray[np.int64]:
    """The same for events that no note of their voice shows, as a bin's peak or another alarm sounds instead."""
    found: dict[tuple[int, int, int], int] = {}
    for event in passage.events:
        slot = passage.grouping.voice_of(event.layer) if event.kind in DRUMS else None
        if slot is not None:
            drum, holds = DRUMS[event.kind]
            if not holds(passage.norms[event.row, slot]):
                found.setdefault((event.row, slot, drum), event.step)
    return np.array([(*place, step) for place, step in found.items()], dtype=np.int64).reshape(-1, 4)
