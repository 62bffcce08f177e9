"""A segment as sound: cut out of the whole composed piece, played by FluidSynth at a fixed gain."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clinic.runs import load, path_of
from benchmarks.hearing.segments import Segment
from gradmidi.composition import compose
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.sine import REST_SAMPLES, TONE_SAMPLES, sine_blocks
from gradmidi.outputs.soundfont import find_soundfont, fluid_blocks
from gradmidi.outputs.tuning import choose_tuning
from gradmidi.quiz.clips import cut
from gradmidi.score import Score

SINE = "sine"  # the post's exact sine, besides the presets


@lru_cache(maxsize=2)
def composed(folder: Path, name: str, sound: str) -> Score:
    """The whole piece of a run."""
    return compose(load(path_of(folder, name)), sound=sound)


def sounding(segment: Segment, folder: Path, sound: str, soundfont: Path | None = None) -> NDArray[np.float64]:
    """The segment's sound, stereo (n, 2)."""
    if sound == SINE:
        return _sine(segment)
    score = composed(folder, segment.run.name, sound)
    step = score.step_length
    clip = cut(score, segment.first * step, segment.last * step)
    return played(clip, soundfont)


def played(score: Score, soundfont: Path | None = None) -> NDArray[np.float64]:
    """A score's sound without its tail, stereo (n, 2)."""
    font = find_soundfont(soundfont)
    assert font is not None
    tuning = choose_tuning("auto", score.frequency[score.pitched])
    whole = np.concatenate(list(fluid_blocks(score, font, lambda share: None, tuning)))
    return whole[: round(score.length * RATE)].astype(np.float64)


def _sine(segment: Segment) -> NDArray[np.float64]:
    """Five seconds of it hold more steps than those of the notes; they begin at the same one."""
    layers = len(segment.run.recording.layers)
    rows = round((segment.last - segment.first) * (layers + 2) * 0.05 * RATE / (layers * TONE_SAMPLES + REST_SAMPLES))
    steps = segment.run.recording.rows(segment.first, segment.first + rows)
    mono = np.concatenate(list(sine_blocks(steps, alarm=True))).astype(np.float64)
    wanted = round((segment.last - segment.first) * (layers + 2) * 0.05 * RATE)
    mono = np.resize(mono, wanted) if len(mono) < wanted else mono[:wanted]
    return np.repeat(mono[:, np.newaxis], 2, axis=1)
