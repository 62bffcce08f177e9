"""Norms read back from the post's exact sine, by a listener that knows the formula but not the norms."""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.clinic.runs import load_runs
from gradmidi.outputs.sine import AMPLITUDE, BASE_HZ, HZ_PER_NORM, RATE, TONE_SAMPLES, tones

Floats = NDArray[np.float64]
PADDED = 8192  # samples of the first, coarse spectrum
REFINED = 6  # steps of Gauss and Newton
HIGHEST_HZ = RATE / 2
AT_ONCE = 2000  # tones
PERCENTILES = (50, 90, 99)
PER_RUN = 200  # tones of a run
TIME = np.arange(TONE_SAMPLES) / RATE


def heard_norms(sound: Floats) -> Floats:
    """The norm behind each tone, (K,) from (K, 441) samples: the sine of known phase and strength that fits best."""
    hz = np.concatenate([_hertz(sound[i : i + AT_ONCE]) for i in range(0, len(sound), AT_ONCE)])
    return np.asarray((hz - BASE_HZ) / HZ_PER_NORM)


def _hertz(sound: Floats) -> Floats:
    grid = np.fft.rfftfreq(PADDED, 1 / RATE)
    sines = np.sin(2 * np.pi * grid[:, np.newaxis] * TIME)
    energy = (sines**2).sum(axis=1)
    # ‖x − A sin‖² without what does not depend on the frequency.
    cost = AMPLITUDE * energy + 2 * np.fft.rfft(sound, PADDED, axis=1).imag
    cost[:, grid < BASE_HZ - RATE / PADDED] = np.inf
    hz = grid[np.argmin(cost, axis=1)]
    for _ in range(REFINED):
        phase = 2 * np.pi * hz[:, np.newaxis] * TIME
        slope = AMPLITUDE * 2 * np.pi * TIME * np.cos(phase)
        hz = hz + ((sound - AMPLITUDE * np.sin(phase)) * slope).sum(axis=1) / (slope**2).sum(axis=1)
    return np.asarray(hz)


def sine_norms(options: argparse.Namespace) -> None:
    """Print how far the norms that are heard are from the true ones."""
    draw = np.random.default_rng(0)
    norms = []
    for run in load_runs(options.data, options.only):
        found = run.recording.norms[np.isfinite(run.recording.norms) & ~run.recording.gaps]
        norms.append(draw.choice(found, min(PER_RUN, len(found)), replace=False))
    true = np.concatenate(norms)
    heard = heard_norms(tones(true).astype(np.float64))
    inside = BASE_HZ + HZ_PER_NORM * true < HIGHEST_HZ
    print(f"{len(true)} finite norms of {len(norms)} runs, {(~inside).mean():.1%} of them alias above 22,050 Hz\n")
    print("| norms | share | error at 50 % | 90 % | 99 % | relative error at 50 % | 90 % | 99 % |")
    print("| --- |" + " ---: |" * 7)
    for name, low, high in (("all that do not alias", -1.0, np.inf), ("1e-3 and above", 1e-3, np.inf)):
        chosen = inside & (true >= low) & (true < high)
        error = np.abs(heard - true)[chosen]
        relative = error[true[chosen] > 0] / true[chosen][true[chosen] > 0]
        cells = [f"{value:.1e}" for values in (error, relative) for value in np.percentile(values, PERCENTILES)]
        print(f"| {name} | {chosen.mean():.3f} | " + " | ".join(cells) + " |")
