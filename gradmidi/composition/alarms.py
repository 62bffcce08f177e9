"""The alarms: a drum in place of every NaN and Inf, and for each one that a voice's note does not show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.passage import Passage
from gradmidi.composition.voices import ALARM_NAME, PERCUSSION_CHANNEL
from gradmidi.score import NOTHING, Notes, Voice
from gradmidi.theory.pitch import key_to_hz

# Key of the General MIDI drum map by kind, in the order of passage.nonfinite: acoustic snare, crash cymbal.
DRUMS = {"nan": 38, "inf": 49}
KEYS = np.array(list(DRUMS.values()))
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
        if not len(passage.nonfinite) and not passage.alarm.any():
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
    drum = KEYS[np.isinf(passage.norms[row, slot]).astype(np.int64)]
    return np.stack([row, slot, drum, passage.recording.steps[row]], axis=1)


def _unheard(passage: Passage) -> NDArray[np.int64]:
    """The same for each NaN and Inf that its voice does not show, as a peak or the other kind sounds instead."""
    row, layer, kind, step = passage.nonfinite.T
    voices = [passage.grouping.voice_of(i) for i in range(len(passage.recording.layers))]
    slot = np.array([-1 if voice is None else voice for voice in voices], dtype=np.int64)[layer]
    shown = passage.norms[row, slot]
    missing = (slot >= 0) & ~np.where(kind == 1, np.isinf(shown), np.isnan(shown))
    strokes = np.stack([row, slot, KEYS[kind], step], axis=1)[missing]
    _, first = np.unique(strokes[:, :3], axis=0, return_index=True)  # one for all layers of a voice
    return np.asarray(strokes[np.sort(first)])
