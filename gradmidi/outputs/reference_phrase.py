"""What a score's voices would play in a healthy run: a phrase whose loudness sets the level of all that they play.

It depends on the voices and on where in a step they play, not on what happens in the run, so that a quiet run is
quieter than a loud one, an alarm stands out, and two runs can be compared by ear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.score import Marks, Score, Voice
from gradmidi.theory.pitch import key_to_hz

SECONDS = 4.0  # at least one step
# Notes are struck as voices are by default; a piece that strikes them more softly is meant to be softer.
VELOCITY = 88
LOWEST_KEY, KEYS = 60, 25  # C4 to C6
STRIDE = (9, 16)  # keys from a voice's tone to its next, and from voice to voice; none returns before all were there
HELD_STEPS = 2  # for which a drone keeps a tone
# Voices that tell of something else than a layer; see gradmidi.composition.
BESIDE_THE_LAYERS = ("loss", "events", "state")
ROUNDING = 1e-6  # of a step


class Places(NamedTuple):
    """Where in a step the notes of V voices begin and how long they last, in s, both (V,)."""

    offset: NDArray[np.float64]
    duration: NDArray[np.float64]


def reference_phrase(score: Score) -> Score | None:
    """The layers' voices of ``score`` in its time and style, playing healthy notes between C4 and C6.

    Returns:
        About 4 s of notes, after one step more to begin with; None if there are no steps or no voice with a pitch.
    """
    players = [i for i, voice in enumerate(score.voices) if _is_a_layers(voice) and not voice.percussion]
    if not score.step_length or not players:
        return None
    rows = 1 + max(1, round(SECONDS / score.step_length))
    row, place = np.repeat(np.arange(rows), len(players)), np.tile(np.arange(len(players)), rows)
    where = _places(score, players)
    change = row // HELD_STEPS if score.held else row
    keys = LOWEST_KEY + (change * STRIDE[0] + place * STRIDE[1]) % KEYS
    onset = row * score.step_length + where.offset[place]
    order = np.argsort(onset, kind="stable")
    return Score(
        onset=onset[order],
        duration=where.duration[place][order],
        frequency=key_to_hz(keys)[order],
        layer=np.array(players)[place][order],
        velocity=np.full(len(row), VELOCITY),
        step=row[order],
        tied=((row % HELD_STEPS > 0) & score.held)[order],
        voices=score.voices,
        marks=Marks.none(),
        length=rows * score.step_length,
        held=score.held,
        step_length=score.step_length,
    )


def _is_a_layers(voice: Voice) -> bool:
    return voice.name not in BESIDE_THE_LAYERS


def _places(score: Score, players: list[int]) -> Places:
    """The usual place of each player's notes; of one that is silent throughout, that which the others leave to it."""
    step, number = score.step_length, np.arange(len(players))
    into = score.onset - np.floor(score.onset / step + ROUNDING) * step
    offset, duration = np.full(len(players), np.nan), np.full(len(players), step / (len(players) + 2))
    notes = [np.flatnonzero((score.layer == voice) & score.pitched) for voice in players]
    heard = np.array([len(own) > 0 for own in notes])
    if heard.any():
        offset[heard] = [np.median(into[own]) for own in notes if len(own)]
        duration[heard] = [np.median(score.duration[own]) for own in notes if len(own)]
        duration[~heard] = np.median(duration[heard])
    offset[~heard] = number[~heard] * _apart(number[heard], offset[heard], duration, step)
    return Places(np.clip(offset, 0, step), duration)


def _apart(number: NDArray[np.int64], offset: NDArray[np.float64], duration: NDArray[np.float64], step: float) -> float:
    """Seconds from one voice's note to the next voice's: one note, or nothing where they play together."""
    if number.any():
        return float((offset * number).sum() / (number**2).sum())
    return float(duration[0]) if duration.sum() <= step else 0.0
