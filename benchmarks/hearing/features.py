"""What the listener has: features of audio; and, for the ceiling, of the true norms and losses."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gradmidi.outputs.audio_file import RATE
from gradmidi.recording import Recording

Floats = NDArray[np.float64]
WINDOW, HOP = 2048, 441  # samples: 46 and 10 ms
BANDS, LOWEST, HIGHEST = 48, 60.0, 10_000.0  # mel bands, Hz
GROUPS = 8  # of bands, for what changes and where it comes from
RATES = (0.2, 0.6, 1.5, 3.0, 6.0, 12.0, 25.0)  # Hz, limits of modulation
SHARES = (10, 50, 90)


@cache
def mel_bands() -> Floats:
    """Triangles (BANDS, bins)."""
    mel = np.linspace(*(2595 * np.log10(1 + hz / 700) for hz in (LOWEST, HIGHEST)), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)
    up = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(np.minimum(up, down), 0)


def powers(mono: Floats) -> Floats:
    """Power in each band and frame, (frames, BANDS)."""
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::HOP]
    return np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2 @ mel_bands().T


def of_sound(sound: Floats) -> Floats:
    """Features (F,) of stereo sound (n, 2)."""
    left, right = powers(sound[:, 0]), powers(sound[:, 1])
    level = 10 * np.log10(left + right + 1e-7)
    change = np.diff(level, axis=0)
    grouped = level.reshape(len(level), GROUPS, -1).mean(axis=2)
    spectrum = np.abs(np.fft.rfft(grouped - grouped.mean(axis=0), axis=0)) / len(grouped)
    hertz = np.fft.rfftfreq(len(grouped), HOP / RATE)
    modulation = [spectrum[(hertz >= low) & (hertz < high)].sum(axis=0) for low, high in pairwise(RATES)]
    sides = [10 * np.log10(one.reshape(len(one), GROUPS, -1).sum(axis=(0, 2)) + 1e-7) for one in (left, right)]
    # The halves of the segment, as what begins within it is louder or different afterwards.
    halves = level[len(level) // 2 :].mean(axis=0) - level[: len(level) // 2].mean(axis=0)
    return np.concatenate(
        [level.mean(axis=0), level.std(axis=0), change.std(axis=0), *np.percentile(level, SHARES, axis=0), *modulation,
         sides[0] - sides[1], halves]
    )  # fmt: skip


def of_numbers(rows: Recording, before: Recording) -> Floats:
    """Features of the norms and losses that a segment's sound is made of, and of what came before them."""
    norms, past = _logs(rows.norms), _logs(before.norms)
    loss, past_loss = (_logs(one.metrics["loss"][:, np.newaxis]) for one in (rows, before))
    change, past_change = np.abs(np.diff(norms, axis=0)), np.abs(np.diff(past[-200:], axis=0))
    usual, usual_loss = np.median(past, axis=0), np.median(past_loss[:20])
    layers = np.stack(
        [norms.mean(axis=0), norms.std(axis=0), change.mean(axis=0), np.median(norms, axis=0) - usual,
         norms.max(axis=0) - usual, norms.min(axis=0) - usual, change.mean(axis=0) - past_change.mean(axis=0),
         (rows.norms == 0).mean(axis=0), np.isnan(rows.norms).mean(axis=0), np.isinf(rows.norms).mean(axis=0)]
    )  # fmt: skip
    slope = np.polyfit(np.arange(len(loss)), loss[:, 0], 1)[0]
    return np.concatenate(
        [layers.min(axis=1), np.median(layers, axis=1), layers.max(axis=1),
         [loss.mean(), loss.std(), slope, loss.mean() - usual_loss, np.abs(np.diff(loss[:, 0])).mean()]]
    )  # fmt: skip


def _logs(values: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.clip(np.nan_to_num(np.log10(values), nan=30, posinf=30, neginf=-30), -30, 30)
