"""A segment as sound: cut out of the whole composed piece, played by FluidSynth at a fixed gain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clinic.runs import Run
from benchmarks.hearing.segments import Segment
from gradmidi.composition import compose
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.sine import REST_SAMPLES, TONE_SAMPLES, sine_blocks
from gradmidi.outputs.soundfont import find_soundfont, fluid_blocks
from gradmidi.outputs.tuning import choose_tuning
from gradmidi.quiz.clips import cut
from gradmidi.score import Score

SINE = "sine"  # the post's exact sine, besides the presets


class Pieces:
    """The whole pieces of runs, of which the last is kept."""

    def __init__(self, sound: str) -> None:
        self._sound = sound
        self._name = ""
        self._score: Score | None = None

    def of(self, run: Run) -> Score:
        """The piece of a run."""
        if self._score is None or self._name != run.name:
            self._name, self._score = run.name, compose(run.recording, sound=self._sound)
        return self._score


def sounding(segment: Segment, pieces: Pieces | None, soundfont: Path | None = None) -> NDArray[np.float64]:
    """The segment's sound, stereo (n, 2): of a piece, or else the exact sine."""
    if pieces is None:
        return _sine(segment)
    score = pieces.of(segment.run)
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
