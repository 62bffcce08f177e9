"""The kit of gradmidi.sf2: strokes that are written out, and held tones that are loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cycles import Floats, heard_power_of

RATE = 12_000
TOP = 4_800  # Hz; no partial is higher
RISE, FALL = 0.003, 0.02  # s of each piece
DRIVE = 1.5  # into saturation, which makes a stroke louder without a higher peak
SEED = 13
HELD_NOISE = 4_000  # frames of noise that loop

Waves = Mapping[str, Sequence[float]]


def stroke(pieces: Sequence[Sequence[Any]], waves: Waves, drive: float = DRIVE) -> Floats:
    """The pieces of a stroke one upon another, with a peak of 1."""
    whole = np.zeros(round(max(start + length for start, length, *_ in pieces) * RATE))
    for start, length, *sound in pieces:
        piece = _piece(length, *sound, waves)
        at = round(start * RATE)
        whole[at : at + len(piece)] += piece[: len(whole) - at]
    driven = np.tanh(drive * whole / np.abs(whole).max())
    return driven / np.abs(driven).max()


def _piece(length: float, low: float, high: float, wave: str, level: float, tremolo: float, waves: Waves) -> Floats:
    time = np.arange(round(length * RATE)) / RATE
    if wave == "noise":
        sound = band_noise(len(time), low, high, RATE)
    else:
        # A glide is straight in pitch.
        hz = low * (high / low) ** (time / length)
        phase = 2 * np.pi * np.cumsum(hz) / RATE
        sound = np.zeros_like(time)
        for number, decibels in enumerate(waves[wave], 1):
            sound += 10 ** (decibels / 20) * np.where(number * hz < TOP, np.sin(number * phase + number**2), 0)
    if tremolo:
        sound *= 0.55 - 0.45 * np.cos(2 * np.pi * tremolo * time)
    sound *= np.minimum(time / RISE, 1) * np.minimum((length - time) / FALL, 1)
    return sound / np.sqrt(np.mean(sound**2)) * 10 ** (level / 20)


def band_noise(size: int, low: float, high: float, rate: int) -> Floats:
    """Noise between two frequencies, weaker by 3 dB per octave, that loops without a seam."""
    spectrum = np.fft.rfft(np.random.default_rng(SEED).random(size) - 0.5)
    hz = np.fft.rfftfreq(size, 1 / rate)
    spectrum *= np.where((hz >= low) & (hz <= high), np.sqrt(low / np.maximum(hz, low)), 0)
    noise = np.fft.irfft(spectrum, size)
    return noise / np.abs(noise).max()


def loudness(wave: Floats) -> float:
    """K-weighted mean square."""
    return heard_power_of(wave, RATE)
