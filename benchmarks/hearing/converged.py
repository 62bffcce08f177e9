"""Does a converged run sound sick? Notes on the lowest tone, and leaps, where norms are small but lively."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from benchmarks.clinic.runs import load_runs
from gradmidi.composition import compose
from gradmidi.recording import Recording
from gradmidi.score import Score

STEPS = 2000  # the last of a long run
LIVELY = 1.0  # deviation of the made run's ln(norm)
MADE_AT = (1e-4, 3e-5, 1e-5)  # norms about which it wanders


def converged(options: argparse.Namespace) -> None:
    """Print the table."""
    print("| run | sound | on the lowest tone | leap in a layer, semitones | between successive notes |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name, recording in _runs(options):
        for sound in (one for one in options.sounds.split(",") if one != "sine"):
            print(f"| {name} | {sound} | " + " | ".join(f"{value:.2f}" for value in measured(recording, sound)) + " |")


def measured(recording: Recording, sound: str) -> tuple[float, float, float]:
    """Share of notes on the lowest tone there is, mean leap within a voice, and between successive notes of layers."""
    score = compose(recording, sound=sound)
    keys = _layer_keys(score, len(recording.layers))
    lowest = 12 * np.log2(compose(_zeros(recording), sound="post").frequency[0] / 440)
    pitch = np.concatenate([one[1] for one in keys])
    order = np.argsort(np.concatenate([one[0] for one in keys]), kind="stable")
    within = np.concatenate([np.abs(np.diff(one[1])) for one in keys])
    return float(np.mean(pitch < lowest + 0.5)), float(within.mean()), float(np.abs(np.diff(pitch[order])).mean())


def _layer_keys(score: Score, layers: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Onset and pitch in semitones of each layer's notes."""
    voices = [i for i, voice in enumerate(score.voices) if not voice.percussion and voice.name != "loss"][:layers]
    places = [score.of_voice(i) for i in voices]
    return [(score.onset[at], 12 * np.log2(score.frequency[at] / 440)) for at in places if len(at)]


def _zeros(recording: Recording) -> Recording:
    return Recording(recording.layers, np.arange(1), np.zeros((1, len(recording.layers))), {}, {})


def _runs(options: argparse.Namespace) -> Iterator[tuple[str, Recording]]:
    for run in load_runs(options.data, "*.healthy-long.*"):
        yield run.name, run.recording.rows(len(run.recording) - STEPS, len(run.recording))
    draw = np.random.default_rng(0)
    for level in MADE_AT:
        norms = level * np.exp(LIVELY * draw.standard_normal((STEPS, 4)))
        loss = np.full(STEPS, 1e-4)
        yield f"made, {level:g}", Recording(("a", "b", "c", "d"), np.arange(STEPS), norms, {"loss": loss}, {})
