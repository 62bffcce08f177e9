"""How loud it is: healthy, at alarms, dead, on a laptop, in the office preset; and how rough and sharp."""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyloudnorm
import soundfile
from numpy.typing import NDArray

from benchmarks.clinic.runs import load, load_truths, path_of
from benchmarks.hearing.rooms import heard_in
from gradmidi.composition import compose
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.sine import render_sine
from gradmidi.recording import Recording

Floats = NDArray[np.float64]
MOMENTARY, SHORT_TERM = 0.4, 3.0  # s, as in EBU R 128
BEFORE, AFTER = 60, 80  # steps around an onset
WARM_UP = 0.3  # share of the time before the fault that is not counted
# What sounds when each begins; seeds 2 and 3 begin in the middle.
KINDS = ("nan-input", "half-overflow", "lr-high", "no-zero-grad", "dying-relu", "detached-layer", "slow-divergence")
DEAD = ("dying-relu",)
ARCHS, SEEDS = ("post", "mlp"), (2, 3)


class Levels(NamedTuple):
    """LUFS of a piece: integrated before the fault, loudest moment after it, integrated at its end; peak in dB."""

    healthy: float
    alarm: float
    ill: float
    peak: float


def integrated(sound: Floats) -> float:
    """Gated loudness (ITU-R BS.1770-4) of stereo sound (n, 2), LUFS; −inf for silence."""
    with warnings.catch_warnings(action="ignore"):
        return float(pyloudnorm.Meter(RATE).integrated_loudness(sound))


def over_time(sound: Floats, seconds: float) -> Floats:
    """Loudness of each window of so many seconds, without a gate, LUFS; windows overlap by three quarters."""
    meter = pyloudnorm.Meter(RATE, block_size=seconds)
    with warnings.catch_warnings(action="ignore"):
        meter.integrated_loudness(sound)
    return np.asarray(meter.blockwise_loudness)


def rendered(recording: Recording, sound: str, **options: str) -> tuple[Floats, float]:
    """What a file of it holds, (n, 2) at 44.1 kHz, at the level at which it is written; and seconds per step."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.wav"
        if sound == "sine":
            step = render_sine(recording, path).seconds / len(recording)
        else:
            score = compose(recording, sound=sound, **options)
            step = score.step_length
            score.render_wav(path)
        samples, _ = soundfile.read(path, always_2d=True)
    return (samples if samples.shape[1] == 2 else np.repeat(samples, 2, axis=1)), step


def levels(options: argparse.Namespace) -> None:
    """Print the tables."""
    sounds = options.sounds.split(",")
    print("| sound | fault | healthy, LUFS | loudest moment | integrated after | after, on a laptop | peak, dB |")
    print("| --- | --- |" + " ---: |" * 5)
    for sound in sounds:
        found: dict[str, list[tuple[Levels, Levels]]] = {}
        for kind, recording, onset in _runs(options.data):
            audio, step = rendered(recording, sound)
            seconds = onset * step
            found.setdefault(kind, []).append((measured(audio, seconds), measured(heard_in("laptop", audio), seconds)))
        for kind, pairs in found.items():
            plain, small = (np.median([pair[i] for pair in pairs], axis=0) for i in (0, 1))
            steps = (plain[1] - plain[0], plain[2] - plain[0], small[2] - small[0])
            cells = " | ".join(f"{value:+.1f} LU" for value in steps)
            peak = max(pair[0].peak for pair in pairs)
            print(f"| {sound} | {kind} | {plain[0]:.1f} | {cells} | {peak:.1f} |", flush=True)
    print("\n| sound | dead drone: quietest 3 s, against healthy before it |\n| --- | ---: |")
    for sound in (one for one in sounds if one != "sine"):
        print(f"| {sound} | {drone(options.data, sound):+.1f} LU |", flush=True)


def measured(audio: Floats, onset: float) -> Levels:
    """Levels of a piece whose fault begins at ``onset`` s."""
    before, after = audio[round(WARM_UP * onset * RATE) : round(onset * RATE)], audio[round(onset * RATE) :]
    steady = after[len(after) // 3 : -round(0.1 * len(after))]
    peak = 20 * np.log10(np.abs(audio).max())
    return Levels(integrated(before), over_time(after, MOMENTARY).max(), integrated(steady), float(peak))


def drone(folder: Path, sound: str) -> float:
    """The quietest 3 s of drones whose layers have all died, against what is before."""
    found = []
    for _, recording, onset in _runs(folder, DEAD):
        audio, step = rendered(recording, sound, style="drone")
        at = round(onset * step * RATE)
        quietest = over_time(audio[at : -2 * RATE], SHORT_TERM).min()
        found.append(quietest - integrated(audio[round(WARM_UP * at) : at]))
    return float(min(found))


def _runs(folder: Path, kinds: tuple[str, ...] = KINDS) -> Iterator[tuple[str, Recording, int]]:
    truths = load_truths(folder)
    for kind in kinds:
        for name in (f"{arch}.{kind}.{seed}" for arch in ARCHS for seed in SEEDS):
            shown = truths[name].shown_at
            if shown is not None and shown >= BEFORE:
                run = load(path_of(folder, name))
                yield kind, run.rows(shown - BEFORE, shown + AFTER), BEFORE
