"""The limiter: true peaks found by another, finer oversampling; what needs no limiting is untouched to the last bit."""

import tracemalloc

import numpy as np
import pytest
from scipy.signal import resample_poly

from gradmidi.outputs.limiter import AHEAD, CELL, CHUNK, Limiter

RATE = 44_100
NOISE = np.random.default_rng(0)
TIME = np.arange(RATE) / RATE


def limited(sound, size=4410) -> tuple[np.ndarray, Limiter]:
    limiter = Limiter()
    parts = (sound[first : first + size] for first in range(0, len(sound), size))
    return np.concatenate(list(limiter.through(parts))), limiter


def true_peak(sound) -> float:
    return 20 * np.log10(np.abs(resample_poly(sound.astype(np.float64), 16, 1, axis=0)).max())


def stereo(wave) -> np.ndarray:
    return np.stack([wave, -0.7 * wave], axis=1).astype(np.float32)


LOUD = {
    "noise": NOISE.normal(0, 0.6, (RATE, 2)).astype(np.float32),
    "clicks": ((NOISE.random((RATE, 2)) < 0.001) * 4.0).astype(np.float32),
    "square": stereo(np.sign(np.sin(2 * np.pi * 1234 * TIME)) * 0.9),
    "a quarter of the rate": stereo(np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4)),
    "high": stereo(np.sin(2 * np.pi * 15003 * TIME)),
    "sudden": stereo((TIME > 0.5) * 5.0 * np.sin(2 * np.pi * 200 * TIME)),
    "at the end": stereo((TIME > 0.9999) * 3.0),
    "at the start": stereo((TIME < 0.0001) * 3.0),
}


@pytest.mark.parametrize("name", LOUD)
def test_no_true_peak_exceeds_the_ceiling(name):
    out, limiter = limited(LOUD[name])
    assert len(out) == RATE
    assert true_peak(LOUD[name]) > -1
    assert -2 < true_peak(out) <= -1.0
    assert limiter.most > 0
    assert 0 < limiter.seconds <= 1.03


def test_peaks_between_the_samples_are_found():
    """A quarter of the rate at 45 degrees: every sample is 3 dB below the peak."""
    sound = LOUD["a quarter of the rate"] * np.float32(0.95)
    assert np.abs(sound).max() < 10 ** (-3 / 20)
    out, limiter = limited(sound)
    assert limiter.most > 0.4
    assert true_peak(out) <= -1.0


def test_what_is_not_too_loud_is_the_same_to_the_last_bit_and_in_its_place():
    quiet = NOISE.normal(0, 0.1, (3 * CHUNK + 77, 2)).astype(np.float32)
    out, limiter = limited(quiet, 5000)
    assert np.array_equal(out, quiet)
    assert (limiter.seconds, limiter.most) == (0, 0)


def test_one_loud_moment_changes_only_what_is_near():
    sound = NOISE.normal(0, 0.1, (2 * RATE, 2)).astype(np.float32)
    sound[RATE] = 2.0
    out, limiter = limited(sound)
    changed = np.flatnonzero((out != sound).any(axis=1))
    assert changed[0] >= RATE - (AHEAD + 2) * CELL
    assert changed[-1] <= RATE + limiter.most / 60 * RATE + 3 * CELL, "it comes back by 60 dB per second"
    assert np.abs(out[RATE]).max() == pytest.approx(10 ** (-1.4 / 20), abs=0.02)


def test_both_channels_get_the_same_gain_which_never_jumps():
    sound = LOUD["sudden"]
    out, _ = limited(sound)
    heard = np.abs(sound).min(axis=1) > 0.01
    gain = out[heard] / sound[heard]
    assert gain[:, 0] == pytest.approx(gain[:, 1], rel=1e-5)
    _, steady = limited(stereo(np.full(RATE, 0.1)))
    loud = np.full((RATE, 2), 0.5, np.float32)
    loud[20_000] = 8.0
    loud_out, _ = limited(loud)
    moving = np.delete(loud_out[:, 0] / loud[:, 0], 20_000)
    assert np.abs(np.diff(20 * np.log10(moving))).max() < 0.3
    assert steady.most == 0


@pytest.mark.parametrize("size", [1, 31, 640, CHUNK, RATE])
def test_blocks_of_any_size_are_limited_alike(size):
    sound = LOUD["noise"][:9000] if size == 1 else LOUD["noise"]
    assert np.abs(limited(sound, size)[0] - limited(sound)[0]).max() < 1e-6


def test_nothing_is_nothing():
    assert len(np.concatenate(list(Limiter().through([])))) == 0
    assert len(limited(np.zeros((1, 2), np.float32))[0]) == 1


def test_memory_does_not_grow_with_the_length():
    def consumed(seconds):
        tracemalloc.start()
        for _ in Limiter().through(LOUD["noise"] for _ in range(seconds)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert consumed(12) < 1.3 * consumed(4)
