"""Cadence: how a run ended, as two chords of the layers' voices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gradmidi.score import Marks, Notes, Score, merged
from gradmidi.theory.pitch import key_to_hz
from gradmidi.theory.scale import Scale

# Semitones above the tonic. Well: dominant and tonic, an authentic cadence; stopped: the half cadence, which leaves it
# open; failed: the minor tonic and the diminished chord a tritone below.
CHORDS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "well": ((-5, -1, 2), (0, 4, 7)),
    "stopped": ((0, 4, 7), (-5, -1, 2)),
    "failed": ((0, 3, 7), (-6, -3, 0)),
}
SAID: Mapping[str, str] = {
    "well": "the run ended well",
    "stopped": "the run was stopped",
    "failed": "the run failed, or something was wrong to its end",
}
LOWEST = float(key_to_hz(60))  # the tonic is brought into the octave above middle C
PAUSE, FIRST, SECOND, AFTER = 0.3, 0.4, 1.2, 0.3  # s
CADENCE = PAUSE + FIRST + SECOND + AFTER
VELOCITY = 88
SHORTEST_PIECE = 20.0  # s; a time-lapse of less has no room for it


def with_cadence(score: Score, how: str, scale: Scale | None, voices: int) -> Score:
    """``score`` with the cadence of how the run ended after its last rest.

    Args:
        score: the run's.
        how: ``"well"``, ``"stopped"`` or ``"failed"``; anything else adds nothing.
        scale: its tonic is that of the chords; C without a scale.
        voices: how many layer voices there are; each plays one tone of each chord.
    """
    if how not in CHORDS or not len(score) or not voices:
        return score
    tonic = LOWEST if scale is None else LOWEST * 2 ** (np.log2(scale.tonic / LOWEST) % 1)
    starts = (score.length + PAUSE, score.length + PAUSE + FIRST)
    order = np.arange(voices)
    hertz = [
        tonic * 2.0 ** ((np.array(chord)[order % len(chord)] + 12 * (order // len(chord) % 2)) / 12)
        for chord in CHORDS[how]
    ]
    count = 2 * voices
    chords = Notes(
        onset=np.repeat(starts, voices),
        duration=np.repeat((FIRST, SECOND), voices),
        frequency=np.concatenate(hertz),
        layer=np.tile(order, 2),
        velocity=np.full(count, VELOCITY),
        step=np.full(count, score.step.max()),
        tied=np.zeros(count, dtype=bool),
        program=np.array([score.voices[voice].program for voice in (*order, *order)]),  # its pitch is no norm
    )
    columns = merged([score, chords]).columns()
    said = Marks(np.array(starts[:1]), np.array(["ended"]), np.array([SAID[how]]), score.step.max(keepdims=True))
    marks = Marks.merged([score.marks, said])
    return replace(score, **columns, marks=marks, length=score.length + CADENCE)
