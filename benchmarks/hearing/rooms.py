"""Where the sound is heard: next to the loudspeakers, from a laptop, through a wall, in a noisy room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from gradmidi.outputs.audio_file import RATE

Floats = NDArray[np.float64]
ROOMS = ("clean", "laptop", "next room", "noisy room")
LAPTOP_HZ, WALL_HZ = 200.0, 500.0


def heard_in(room: str, sound: Floats, seed: int = 0) -> Floats:
    """Stereo sound (n, 2) as it arrives in a room; noise is pink, as strong as the sound that arrives."""
    if room == "clean":
        return sound
    if room == "laptop":
        return np.asarray(sosfilt(butter(4, LAPTOP_HZ, "highpass", fs=RATE, output="sos"), sound, axis=0))
    mono = np.repeat(sound.mean(axis=1, keepdims=True), 2, axis=1)
    if room == "next room":
        mono = np.asarray(sosfilt(butter(4, WALL_HZ, "lowpass", fs=RATE, output="sos"), mono, axis=0))
    noise = pink(len(sound), seed)
    if room == "next room":
        noise = np.asarray(sosfilt(butter(4, WALL_HZ, "lowpass", fs=RATE, output="sos"), noise))
    strength = np.sqrt((mono**2).mean() / max((noise**2).mean(), 1e-20))
    return mono + strength * noise[:, np.newaxis]


def pink(samples: int, seed: int) -> Floats:
    """Noise whose power falls by 3 dB per octave, from 20 Hz on."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=samples))
    hertz = np.fft.rfftfreq(samples, 1 / RATE)
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 20)), samples)
