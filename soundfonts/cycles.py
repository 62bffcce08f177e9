"""Loops of a few periods, and how loud they are by ear: what the voices and tones of gradmidi.sf2 are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEFORE, AFTER = 8, 8  # frames around a loop that interpolation reads
SHORTEST_LOOP = 64  # frames
SILENT = -45  # dB, below which a partial is left out
THIN_BELOW = 250  # Hz, below which partials get weaker by 6 dB per octave: small speakers do not play them
PEAK_AT = 0.002  # s, where the highest crest of a loop is, so that low notes speak at once

# ITU-R BS.1770: a shelf and a high-pass, as two biquads at 48 kHz (b, a).
K_WEIGHTING = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)


def levels(
    partials: Sequence[float], slope: float | None, formants: Sequence[Sequence[float]], hz: float, top: float
) -> Floats:
    """Amplitudes of the multiples 1, 2, 3 … of ``hz`` that are below ``top`` Hz."""
    count = max(int(top // hz), 1)
    numbers = np.arange(1, count + 1)
    decibels = np.full(count, -200.0)
    known = min(count, len(partials))
    decibels[:known] = partials[:known]
    if slope is not None:
        decibels[known:] = partials[-1] + slope * np.log2(numbers[known:] / len(partials))
    for centre, width, gain in formants:
        decibels += gain * np.exp(-((np.log2(numbers * hz / centre) / width) ** 2))
    decibels += 20 * np.log10(np.minimum(numbers * hz / THIN_BELOW, 1))
    amplitudes = 10 ** (decibels / 20)
    return np.where(amplitudes > amplitudes.max() * 10 ** (SILENT / 20), amplitudes, 0)


def cycle(amplitudes: Floats, hz: float, rate: int) -> tuple[Floats, tuple[int, int]]:
    """A loop that is exact: frames, and the range that repeats; ``rate`` / ``hz`` has to have a small denominator."""
    periods, frames = 1, rate / hz
    while abs(frames * periods - round(frames * periods)) > 1e-6 or frames * periods < SHORTEST_LOOP:
        periods += 1
    size = round(frames * periods)
    numbers = np.arange(1, len(amplitudes) + 1)
    # Schroeder's phases keep the crest low, so that a note can be loud without a high peak.
    phases = np.pi * numbers * (numbers - 1) / max(np.count_nonzero(amplitudes), 1)
    angle = 2 * np.pi * periods * np.outer(np.arange(size) / size, numbers)
    wave = np.cos(angle + phases) @ amplitudes
    wave = np.roll(wave, min(round(PEAK_AT * rate), size // 4) - int(np.abs(wave).argmax()))
    around = np.concatenate([wave[-BEFORE:], wave, wave[:AFTER]])
    return around, (BEFORE, BEFORE + size)


def heard_power(amplitudes: Floats, hz: float) -> float:
    """K-weighted mean square of a sum of harmonics of ``hz``."""
    return float((amplitudes**2 * k_weight(hz * np.arange(1, len(amplitudes) + 1))).sum() / 2)


def heard_power_of(wave: Floats, rate: int) -> float:
    """K-weighted mean square of a wave."""
    spectrum = np.abs(np.fft.rfft(wave)) ** 2
    return float(2 * (spectrum * k_weight(np.fft.rfftfreq(len(wave), 1 / rate))).sum() / len(wave) ** 2)


def k_weight(hz: Floats) -> Floats:
    """Power by which the ear's weighting multiplies a frequency."""
    turn = np.exp(-2j * np.pi * np.minimum(hz, 23_000) / 48_000)
    gain = np.ones_like(turn)
    for over, under in K_WEIGHTING:
        gain *= np.polyval(over[::-1], turn) / np.polyval(under[::-1], turn)
    return np.asarray(np.abs(gain) ** 2)
