"""The loss, from five seconds of sound: R² of its logarithm, each kind of run left out in turn."""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from benchmarks.clinic.healthy import NUDGED
from benchmarks.hearing.features import of_sound
from benchmarks.hearing.rooms import heard_in
from benchmarks.hearing.segments import Segment, segments
from benchmarks.hearing.sounding import SINE, Pieces, sounding
from gradmidi.outputs.audio_file import RATE

Floats = NDArray[np.float64]
PER_OCTAVE, LOWEST_HZ, OCTAVES = 24, 55.0, 5  # A1 to A6
WINDOW, HOP = 16384, 2205
QUIETEST = 15  # percentile over time, in which short notes are not heard but what is held
HARMONICS = (1, 2, 3)


def held(sound: Floats) -> Floats:
    """Power in dB of what sounds all the time, per quarter tone, (F,), and the pitch that it makes, in octaves."""
    frames = np.lib.stride_tricks.sliding_window_view(sound.mean(axis=1), WINDOW)[::HOP]
    power = np.percentile(np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2, QUIETEST, axis=0)
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)
    tones = LOWEST_HZ * 2 ** (np.arange(PER_OCTAVE * OCTAVES) / PER_OCTAVE)
    level = 10 * np.log10(np.interp(tones, hertz, power) + 1e-9)
    sums = sum(10 * np.log10(np.interp(tones * times, hertz, power) + 1e-9) / times for times in HARMONICS)
    return np.concatenate([level, [np.argmax(sums) / PER_OCTAVE, np.argmax(level) / PER_OCTAVE]])


def losses(options: argparse.Namespace) -> None:
    """Print the table."""
    halves = (False, True) if options.held_out else (False,)
    found = (one for half in halves for one in segments(options.data, half, runs=options.runs) if _own(one))
    part = [one for one in found if np.isfinite(log_loss(one))]
    true = np.array([log_loss(one) for one in part])
    print(f"{len(part)} segments, log10 of the loss {true.min():.1f} to {true.max():.1f}, deviation {true.std():.2f}\n")
    print("| sound | room | R², new kinds | R², new nets | median error, decades |")
    print("| --- | --- | ---: | ---: | ---: |")
    for sound in options.sounds.split(","):
        for room in options.rooms.split(","):
            pieces = None if sound == SINE else Pieces(sound)
            arriving = (heard_in(room, sounding(one, pieces), seed=one.first) for one in part)
            heard = np.array([np.concatenate([of_sound(one), held(one)]) for one in arriving])
            said = [told(heard, true, np.array([pick(one) for one in part])) for pick in (_kind, _arch)]
            error = np.median(np.abs(said[0] - true))
            cells = " | ".join(f"{r_squared(true, one):.2f}" for one in said)
            print(f"| {sound} | {room} | {cells} | {error:.2f} |", flush=True)


def log_loss(one: Segment) -> float:
    """log10 of the segment's typical loss; nan where it is not finite."""
    loss = one.rows.metrics["loss"]
    return float(np.median(np.log10(loss))) if (np.isfinite(loss) & (loss > 0)).all() else float("nan")


def told(heard: Floats, true: Floats, groups: NDArray[np.str_]) -> Floats:
    """What a listener says about each group after having learnt from all others."""
    said = np.empty_like(true)
    for group in np.unique(groups):
        ask = groups == group
        model = RandomForestRegressor(100, max_features=0.3, min_samples_leaf=2, random_state=0, n_jobs=2)
        said[ask] = model.fit(heard[~ask], true[~ask]).predict(heard[ask])
    return said


def r_squared(true: Floats, said: Floats) -> float:
    """1 for a perfect answer, 0 for always saying the mean, below 0 for worse."""
    return float(1 - ((true - said) ** 2).sum() / ((true - true.mean()) ** 2).sum())


def _own(one: Segment) -> bool:
    """Whether the run has this stretch to itself: before its onset it is, bit for bit, its twin."""
    truth = one.run.truth
    return truth.fault != NUDGED and (truth.onset is None or one.first >= truth.onset)


def _kind(one: Segment) -> str:
    return one.run.truth.fault


def _arch(one: Segment) -> str:
    return one.run.truth.arch
