"""The axis of pitch: logarithmic in Hz, with as many marks as can be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.layer_voices import KNOCK
from gradmidi.score import OWN_PROGRAM, Score
from gradmidi.theory.pitch import hz_to_key, key_to_hz, note_name

MARGIN = 1.12  # above the highest tone and below the lowest, as a ratio
BELOW = 2 ** (4 / 12)  # the lowest tone, as a ratio to the line of zeros
ZERO = "zero"
WITHOUT_NOTES = (220.0, 880.0)  # Hz
APART = 13.0  # points between two marks, at least
MOST_TONES = 60  # that are considered one by one
SPACINGS = (1, 2, 3, 4, 6, 12, 24, 36, 60, 120, 240, 600, 1200, 3600)  # semitones between marks that are no tones
HIGHEST_NAMED = 128  # key from which only Hz are shown
LIMITS = (1e-300, 1e300)  # Hz that matplotlib can draw


def limits(score: Score) -> tuple[float, float]:
    """Lowest and highest Hz of the axis; below all tones is a line for norms of exactly zero, if any are knocks."""
    knocks = knocking(score)
    sounding = score.frequency[score.pitched & ~knocks]
    low, high = (sounding.min(), sounding.max()) if len(sounding) else WITHOUT_NOTES
    if knocks.any():
        low /= BELOW
    return max(low / MARGIN, LIMITS[0]), min(high * MARGIN, LIMITS[1])


def knocking(score: Score) -> NDArray[np.bool_]:
    """(K,) True for the knocks of norms of exactly zero, whose pitch tells the layer and no norm."""
    return np.asarray(score.pitched & (score.program == KNOCK))


def of_norms(score: Score) -> Score:
    """The score without what is not the pitch of a norm: the pad of the loss, calls and the cadence."""
    kept = [index for index, voice in enumerate(score.voices) if voice.percussion or not voice.sustained]
    place = np.full(len(score.voices), -1)
    place[kept] = np.arange(len(kept))
    wanted = (place[score.layer] >= 0) & ((score.program == OWN_PROGRAM) | knocking(score) | ~score.pitched)
    columns = {name: column[wanted] for name, column in score.columns().items()}
    columns["layer"] = place[columns["layer"]]
    return replace(score, **columns, voices=tuple(score.voices[index] for index in kept))


def zero_line(low: float) -> float:
    """Hz at which knocks are drawn on an axis that begins at ``low``."""
    return low * MARGIN


def draw_pitch_axis(axes: Any, score: Score, labels: dict[float, str]) -> None:
    """Scale, and the marks of :func:`pitch_labels`."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axes.set_yscale("log", base=2)
    axes.set_ylim(*limits(score))
    axes.yaxis.set_major_locator(FixedLocator(list(labels)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FixedFormatter(list(labels.values())))
    axes.set_ylabel("pitch: note and Hz")
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)


def pitch_labels(score: Score, height: float) -> dict[float, str]:
    """Hz to mark and the labels there; ``height`` is that of the axis in points."""
    low, high = limits(score)
    knocks = knocking(score)
    marked = marks(score.frequency[score.pitched & ~knocks], low, high, height).tolist()
    if not knocks.any():
        return {hz: name_of(hz) for hz in marked}
    zero, nearest = zero_line(low), APART / height * np.log2(high / low)
    return {zero: ZERO, **{hz: name_of(hz) for hz in marked if np.log2(hz / zero) >= nearest}}


def marks(sounding: NDArray[np.float64], low: float, high: float, height: float) -> NDArray[np.float64]:
    """Hz to mark: of few tones those that sound most often, else every so many semitones."""
    tones, counts = np.unique(np.round(sounding, 6), return_counts=True)
    nearest = APART / height * np.log2(high / low)  # octaves
    if 0 < len(tones) <= MOST_TONES:
        return _that_fit(tones[np.argsort(-counts, kind="stable")], nearest)
    keys = hz_to_key(np.array([low, high]))
    for semitones in SPACINGS:
        if semitones / 12 >= nearest:
            break
    return key_to_hz(np.arange(np.ceil(keys[0] / semitones), np.floor(keys[1] / semitones) + 1) * semitones)


def name_of(hz: float) -> str:
    """A note and its Hz, or only the Hz where notes have no common names."""
    key = float(hz_to_key(hz))
    amount = f"{hz:,.0f}" if 20 <= hz < 1e6 else f"{hz:.3g}"
    return f"{note_name(key)}  {amount}" if -HIGHEST_NAMED < key < HIGHEST_NAMED else amount


def _that_fit(tones: NDArray[np.float64], nearest: float) -> NDArray[np.float64]:
    """Tones in order of importance, without those closer than ``nearest`` octaves to an earlier one."""
    chosen: list[float] = []
    for tone in tones.tolist():
        if all(abs(np.log2(tone / other)) >= nearest for other in chosen):
            chosen.append(tone)
    return np.array(sorted(chosen))
