"""A trial → a piece of music: the part of its run in which the fault begins, played as it sounds after all before."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradmidi.composition import compose
from gradmidi.errors import InputError
from gradmidi.quiz.bank import HEALTHY, Known, known_runs
from gradmidi.quiz.trials import Protocol, Trial
from gradmidi.score import Score

HISTORY = 50  # rows before a clip, so that the sound knows what is usual
LEAST_STEPS = 8  # in a clip


class Clip(NamedTuple):
    """What is heard in a trial.

    Attributes:
        score: the notes, from 0 s on.
        onset: s from the beginning to the step at which the fault begins; None in a healthy run.
    """

    score: Score
    onset: float | None


def make_clip(trial: Trial, sound: str) -> Clip:
    """Compose a trial's clip.

    The whole run is composed and the clip cut out of it, so that what lasts (a baseline, a held tone, a reminder) is
    as it would be for somebody who has listened from the beginning.

    Args:
        trial: the run, about how long the clip is (it has whole steps), and where in it the fault begins.
        sound: the name of a sound preset, or a file.

    Raises:
        InputError: an unknown sound.
    """
    whole = _composed(trial.run, sound)
    step = whole.length / len(trial.run.recording)
    steps = round(trial.seconds / step)
    before = round(steps * trial.begins)
    first = trial.run.onset - before
    score = cut(whole, first * step, (first + steps) * step)
    return Clip(score, None if trial.run.kind == HEALTHY else before * step)


def write_clip(clip: Clip, path: Path, soundfont: str | Path | None = None) -> None:
    """Write a clip as sound, or as a MIDI file where the path ends in ``.mid``.

    Raises:
        InputError: the SoundFont is not one, or the file cannot be written.
    """
    if path.suffix == ".mid":
        clip.score.save_midi(path)
    else:
        clip.score.render_wav(path, soundfont)


def check_seconds(seconds: float, protocol: Protocol, sound: str) -> None:
    """Refuse, before anything is heard, a length that some clip cannot have, or an unknown sound.

    Raises:
        InputError: the shortest and the longest are named.
    """
    shortest, longest = 0.0, np.inf
    for run in known_runs():
        rows = len(run.recording)
        step = _composed(run, sound).length / rows
        shortest = max(shortest, LEAST_STEPS * step)
        # One step less, as the clip and what is before the fault have whole steps.
        within = min((run.onset - HISTORY) / protocol.latest, (rows - run.onset) / (1 - protocol.earliest)) - 1
        longest = min(longest, np.floor(within * step))
    if not shortest <= seconds <= longest:
        lasts = f"a clip of the {protocol.name} protocol lasts {np.ceil(shortest):g} to {longest:g} s"
        raise InputError(f"--seconds {seconds:g} is not possible: {lasts}")


def cut(score: Score, start: float, stop: float) -> Score:
    """The notes and marks that begin from ``start`` s on and before ``stop`` s, timed from ``start``."""
    close = 1e-9  # a note on the border may have been rounded
    heard = (score.onset >= start - close) & (score.onset < stop - close)
    columns = {name: column[heard] for name, column in score.columns().items()}
    columns["onset"] = np.maximum(columns["onset"] - start, 0.0)
    columns["duration"] = np.minimum(columns["duration"], stop - start - columns["onset"])
    marks = score.marks[(score.marks.time >= start - close) & (score.marks.time < stop - close)]
    return replace(
        score, **columns, marks=replace(marks, time=np.maximum(marks.time - start, 0.0)), length=stop - start
    )


@lru_cache(maxsize=64)
def _composed(run: Known, sound: str) -> Score:
    return compose(run.recording, sound=sound)
