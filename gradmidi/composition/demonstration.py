"""A scale as a short piece: once up and once down, so that it can be heard."""

from __future__ import annotations

import numpy as np

from gradmidi.composition.voices import load_parts, voices_for
from gradmidi.score import Marks, Score
from gradmidi.theory.scale import Scale

NOTE_SECONDS = 0.4
VELOCITY = 90


def scale_score(scale: Scale) -> Score:
    """One period of ``scale`` upwards from its tonic to the next, and back; without a period, all its tones."""
    top = [scale.period] if scale.period is not None else []
    up = scale.tonic * np.array([*scale.ratios, *top])
    hertz = np.concatenate([up, up[-2::-1]])
    count = len(hertz)
    return Score(
        onset=np.arange(count, dtype=np.float64) * NOTE_SECONDS,
        duration=np.full(count, NOTE_SECONDS),
        frequency=hertz,
        layer=np.zeros(count, dtype=np.int64),
        velocity=np.full(count, VELOCITY),
        step=np.arange(count),
        tied=np.zeros(count, dtype=bool),
        voices=voices_for([scale.name], load_parts()[:1]),
        marks=Marks.none(),
        length=count * NOTE_SECONDS,
        title=scale.name,
    )
