"""How pleasant it is, by models of the ear: loudness (Zwicker), roughness (Daniel and Weber), sharpness (DIN 45692)."""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from mosqito.sq_metrics import loudness_zwtv, roughness_dw, sharpness_din_from_loudness
from numpy.typing import NDArray
from scipy.signal import resample_poly

from benchmarks.clinic.runs import load, path_of
from benchmarks.hearing.levels import rendered
from gradmidi.outputs.audio_file import RATE

Floats = NDArray[np.float64]
MODEL_RATE = 48_000
PASCAL_AT_FULL_SCALE = 2.0  # so that −20 LUFS are about 77 dB, as from loudspeakers at a desk
BEGIN, SECONDS = 8.0, 3.0  # the part of a piece that is judged
STEPS = 60  # before and after
RUNS = {"healthy": ("post.healthy.0", 200), "NaN": ("post.nan-input.2", None), "dead": ("post.dying-relu.2", None)}


def judged(sound: Floats) -> tuple[float, float, float]:
    """Loudness exceeded for 5 % of the time in sone, mean roughness in asper, mean sharpness in acum."""
    mono = resample_poly(sound.mean(axis=1), MODEL_RATE // 300, RATE // 300) * PASCAL_AT_FULL_SCALE
    with warnings.catch_warnings(action="ignore"):
        loudness, specific, _, _ = loudness_zwtv(mono, MODEL_RATE)
        roughness = roughness_dw(mono, MODEL_RATE, overlap=0.5)[0]
        loud = loudness > 0.1
        sharpness = sharpness_din_from_loudness(loudness[loud], specific[:, loud])
    return float(np.percentile(loudness, 95)), float(np.mean(roughness)), float(np.mean(sharpness))


def timbre(options: argparse.Namespace) -> None:
    """Print the table."""
    from benchmarks.clinic.runs import load_truths

    truths = load_truths(options.data)
    print("| sound | run | loudness, sone | roughness, asper | sharpness, acum |\n| --- | --- | ---: | ---: | ---: |")
    for sound in options.sounds.split(","):
        for name, (run, first) in RUNS.items():
            at = first if first is not None else truths[run].onset
            assert at is not None
            rows = load(path_of(options.data, run)).rows(at - STEPS // 6, at + STEPS)
            audio, _ = rendered(rows, sound)
            begin = BEGIN if len(audio) > (BEGIN + SECONDS) * RATE else 0.0
            part = audio[round(begin * RATE) : round((begin + SECONDS) * RATE)]
            print(f"| {sound} | {name} | " + " | ".join(f"{value:.2f}" for value in judged(part)) + " |", flush=True)
