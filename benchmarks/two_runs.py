"""What docs/compare.md says of two runs: how often seeds part by chance, and in which slots both can be heard.

python -m benchmarks.two_runs FOLDER       # the runs of the clinic, see benchmarks.clinic; needs FluidSynth; 1 minute
"""

from __future__ import annotations

import sys
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gradmidi as gm
from benchmarks.clinic.runs import load
from gradmidi.comparison.comparison import Comparison
from gradmidi.recording import Recording
from gradmidi.score import Score

SEEDS = 5
FACTOR = 4.0  # by which a layer grows halfway, to be found
HEARD = (
    ("mlp.healthy.0", "mlp.healthy.1"),
    ("mlp.healthy.0", "mlp.slow-divergence.0"),
    ("transformer.healthy.0", "transformer.lr-high.0"),
    ("residual.healthy.0", "residual.lr-low.0"),
)
HEARD_STEPS = 120
SPEAKS = 0.004  # s that a listener leaves out at a note's beginning
HARMONICS = 6
ASIDE = 2**0.03  # ratio within which a harmonic's peak is looked for
SIZE = 32_768  # of the spectrum


def apart_by_chance(folder: Path) -> Iterator[tuple[str, int, int, int, list[str]]]:
    """Per net: layers and whole gradients apart in pairs of healthy seeds, layers compared, and delays of a factor."""
    nets = sorted({path.name.split(".")[0] for path in folder.glob("*.healthy.*.npz")})
    for net in nets:
        seeds = [load(folder / f"{net}.healthy.{seed}.npz") for seed in range(SEEDS)]
        pairs = list(combinations(seeds, 2))
        found = [gm.compare(a, b, unit="1ms").differences for a, b in pairs]
        layers = [layer for each in found for layer in each.layers]
        parted = sum(bool(layer.apart) for layer in layers)
        whole = sum(bool(each.whole.apart) for each in found)
        yield net, parted, len(layers), whole, [_delay(a, b) for a, b in pairs]


def _delay(a: Recording, b: Recording) -> str:
    """Steps from the change of b's first layer to where it is said that the runs part."""
    norms, middle = b.norms.copy(), len(b) // 2
    norms[middle:, 0] *= FACTOR
    changed = Recording(b.layers, b.steps, norms, b.metrics)
    stretches = gm.compare(a, changed, unit="1ms").differences.layers[0].apart
    later = [stretch.since - int(b.steps[middle]) for stretch in stretches if stretch.until is None]
    return str(later[-1]) if later else "–"


def heard(folder: Path) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Per pair and way of playing: the share of notes that are named, from both channels and from their sum."""
    for names in HEARD:
        a, b = (load(folder / f"{name}.npz")[:HEARD_STEPS] for name in names)
        comparison = gm.compare(a, b)
        for way, score in (("one after the other", comparison.score), ("together", _together(comparison))):
            yield " and ".join(names), way, _named(score)


def _together(comparison: Comparison) -> Score:
    """The same with both notes of a layer in both of its slots."""
    score = comparison.score
    unit = comparison.duet.step_seconds / (len(comparison.duet.grouping.groups) + 2)
    of_b = score.pitched & (score.layer % 2 == 1)
    onset = np.maximum(np.where(of_b, score.onset - unit, score.onset), 0.0)
    columns = {**score.columns(), "onset": onset, "duration": np.where(score.pitched, 2 * unit, score.duration)}
    order = np.argsort(onset, kind="stable")
    return replace(score, **{name: column[order] for name, column in columns.items()})


def _named(score: Score) -> dict[str, float]:
    samples, rate = _samples(score)
    notes = np.flatnonzero(score.pitched)
    tones = np.unique(score.frequency[notes])
    right: dict[str, list[bool]] = {"stereo": [], "mono": []}
    for note in notes:
        first, last = (score.onset[note] + SPEAKS) * rate, (score.onset[note] + score.duration[note]) * rate
        part = samples[round(first) : round(last)]
        for ears, signal in (("stereo", part[:, score.layer[note] % 2]), ("mono", part.mean(axis=1))):
            right[ears].append(_loudest(signal, rate, tones) == score.frequency[note])
    return {ears: float(np.mean(found)) for ears, found in right.items()}


def _samples(score: Score) -> tuple[NDArray[np.float64], int]:
    with tempfile.TemporaryDirectory() as folder:
        score.render_wav(Path(folder) / "ab.wav")
        with wave.open(f"{folder}/ab.wav") as wav:
            data = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2")
            return data.reshape(-1, 2) / 32_768, wav.getframerate()


def _loudest(signal: NDArray[np.float64], rate: int, tones: NDArray[np.float64]) -> float:
    """The tone with the largest sum of its harmonics' peaks."""
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal)), SIZE))

    def sum_of_peaks(tone: float) -> float:
        edges = [(tone * k / ASIDE * SIZE / rate, tone * k * ASIDE * SIZE / rate, k) for k in range(1, HARMONICS + 1)]
        return sum(float(spectrum[int(low) : int(high) + 2].max()) / k**0.5 for low, high, k in edges)

    return float(max(tones.tolist(), key=sum_of_peaks))


def main(folder: Path) -> None:
    """Print both tables."""
    print(f"pairs of {SEEDS} healthy seeds; found: the first layer, made {FACTOR:g} times as large halfway")
    print("net          layers apart   whole apart   found after steps")
    for net, parted, layers, whole, delays in apart_by_chance(folder):
        print(f"{net:12} {parted:5d} of {layers:3d}   {whole:4d} of 10     {' '.join(delays)}")
    print("\nshare of notes named                                                 stereo mono")
    for pair, way, shares in heard(folder):
        print(f"{pair:47} {way:20} {shares['stereo']:.3f}  {shares['mono']:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
