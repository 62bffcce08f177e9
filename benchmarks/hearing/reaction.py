"""How soon a fault is heard, and how often it is said: seconds to the first audible change, strokes a minute."""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.clinic.runs import Run, load_runs
from benchmarks.hearing.features import powers
from benchmarks.hearing.sounding import SINE, played
from gradmidi.composition import compose
from gradmidi.composition.voices import PERCUSSION_CHANNEL
from gradmidi.composition.volatility import NAME as PULSES_NAME
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.sine import sine_blocks
from gradmidi.quiz.clips import cut
from gradmidi.score import Score, Voice

Floats = NDArray[np.float64]
BEFORE, AFTER = 100, 60  # steps around the moment at which the fault shows
WINDOW = 1.0  # s that the listener averages over
HOP = 0.1  # s
FRAME = 0.01  # s, of features.powers
AUDIBLE = 30.0  # dB below the strongest band, what is softer is masked
BANDS = 2  # mel bands that have to be beyond the range of the run's own past
FALSE = 0.1  # share of healthy stretches that may seem changed; sets how far beyond, for each sound
HEALTHY, EVERY = "*.healthy*.[13]", 3  # each third of the healthy runs of these seeds
LASTING = ("nan-input", "half-overflow", "dying-relu", "frozen-layer", "detached-layer")
PER_KIND = 2
LATEST = 30.0  # s; what is not heard by then counts as not heard


def excess(sound: Floats, onset: float) -> tuple[Floats, Floats]:
    """How far the windows that end after ``onset`` s leave the range of all before it: seconds from there, and dB."""
    level = _windows(sound)
    ends = np.arange(len(level)) * HOP + WINDOW
    level = np.maximum(level, level[ends <= onset].max() - AUDIBLE)
    past, now = level[ends <= onset], level[ends > onset]
    beyond = np.maximum(now - past.max(axis=0), past.min(axis=0) - now)
    return ends[ends > onset] - onset, np.sort(beyond, axis=1)[:, -BANDS]


def first_beyond(changes: tuple[Floats, Floats], least: float) -> float | None:
    """Seconds to the first change by more than ``least`` dB, None if there is none within LATEST."""
    seconds, decibels = changes
    heard = seconds[(decibels > least) & (seconds <= LATEST)]
    return float(heard[0]) if len(heard) else None


def _windows(sound: Floats) -> Floats:
    """Mean level of each mel band in dB in windows of WINDOW s, each HOP s."""
    power = powers(sound.mean(axis=1))
    sums = np.vstack([np.zeros(power.shape[1]), np.cumsum(power, axis=0)])
    size, hop = round(WINDOW / FRAME), round(HOP / FRAME)
    return np.asarray(10 * np.log10((sums[size:] - sums[:-size])[::hop] / size + 1e-7))


def strokes_per_minute(score: Score, since: float) -> float:
    """Strokes of events and alarms on the percussion channel from ``since`` s on, without what is held, per minute."""
    voices = [i for i, voice in enumerate(score.voices) if voice.channel == PERCUSSION_CHANNEL and _struck(voice)]
    count = (np.isin(score.layer, voices) & (score.onset >= since)).sum()
    return float(count / (score.length - since) * 60)


def _struck(voice: Voice) -> bool:
    return not voice.sustained and voice.name != PULSES_NAME


def reaction(options: argparse.Namespace) -> None:
    """Print the tables."""
    chosen = _chosen(options)
    healthy = [run for run in load_runs(options.data, HEALTHY) if run.truth.held_out == options.held_out][::EVERY]
    print(f"| sound | beyond, dB | heard within {LATEST:.0f} s | median, s | 90 %, s |")
    print("| --- |" + " ---: |" * 4)
    for sound in options.sounds.split(","):
        usual = [_changes(run, sound, BEFORE + AFTER)[1].max() for run in healthy]
        least = float(np.quantile(usual, 1 - FALSE))
        took = [first_beyond(_changes(run, sound, shown), least) for run, shown in chosen]
        heard = [one for one in took if one is not None]
        late = " | ".join(f"{value:.1f}" for value in np.percentile(heard, [50, 90]))
        print(f"| {sound} | {least:.1f} | {len(heard)} of {len(took)} | {late} |", flush=True)
    print("\n| sound | strokes a minute of a fault that lasts: median | most |\n| --- | ---: | ---: |")
    for sound in (one for one in options.sounds.split(",") if one != SINE):
        rates = []
        for run, shown in chosen:
            if run.truth.fault in LASTING:
                score = compose(run.recording, sound=sound)
                rates.append(strokes_per_minute(score, shown * score.step_length))
        print(f"| {sound} | {np.median(rates):.0f} | {max(rates):.0f} |")


def _chosen(options: argparse.Namespace) -> list[tuple[Run, int]]:
    """A few runs of each kind whose fault shows after enough of the past, of the half that is asked for."""
    found: dict[str, list[tuple[Run, int]]] = {}
    for run in load_runs(options.data, options.only):
        shown = run.truth.shown_at
        if shown is not None and shown >= BEFORE and run.truth.held_out == options.held_out:
            found.setdefault(run.truth.fault, []).append((run, shown))
    return [one for runs in found.values() for one in runs[:: max(1, len(runs) // PER_KIND)][:PER_KIND]]


def _changes(run: Run, sound: str, shown: int) -> tuple[Floats, Floats]:
    """See :func:`excess`: what is heard from the moment on at which the fault can be seen."""
    rows = run.recording.rows(0, shown + AFTER)
    if sound == SINE:
        mono = np.concatenate(list(sine_blocks(rows.rows(shown - BEFORE, len(rows)), alarm=True))).astype(np.float64)
        audio = np.repeat(mono[:, np.newaxis], 2, axis=1)
    else:
        score = compose(rows, sound=sound)
        step = score.step_length
        audio = played(cut(score, (shown - BEFORE) * step, len(rows) * step))
    return excess(audio, BEFORE * len(audio) / RATE / (len(rows) - shown + BEFORE))
