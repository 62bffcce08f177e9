"""Our own synthesiser: how a note begins, falls and ends, what a layer sounds like, and where it stands."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradmidi.composition.earcons import earcons, key_of
from gradmidi.outputs.synth import synth_blocks
from gradmidi.score import Marks, Score, Voice

RATE = 44_100
HELD = 2.0  # s


# Strengths of the partials, layer by layer: what a layer has sounded like since the first release.
HEARD = [
    [1, 0.25, 0.06],
    [1, 0, 0.33, 0, 0.2],
    [1, 0.5, 0.33, 0.25, 0.2, 0.17],
    [1, 0.1, 0, 0.35],
    [1, 0.6, 0.1],
    [0.7, 0, 0.5, 0, 0.5, 0, 0.3],
    [1, 0.3, 0.3, 0.05, 0.2],
]


def sound(hz: float = 441.0, velocity: int = 127, held: float = HELD, layer: int = 0, **voice: int) -> np.ndarray:
    """One note, in stereo."""
    one = np.ones(1, dtype=np.int64)
    voices = tuple(Voice(str(i), i, **{"volume": 127, "pan": 0} | voice) for i in range(layer + 1))
    times = np.zeros(1), np.full(1, held), np.full(1, hz)
    score = Score(*times, layer * one, velocity * one, one, one == 0, voices, Marks.none(), held)
    return np.concatenate(list(synth_blocks(score))).astype(np.float64)


def level(samples: np.ndarray, at: float) -> float:
    """Root mean square of the left side over the ten periods of 441 Hz around a time in s."""
    first = round(at * RATE) - 500
    return float(np.sqrt(np.mean(samples[first : first + 1000, 0] ** 2)))


@pytest.mark.parametrize("at", [0.1, 0.5, 1.0, 1.5])
def test_a_held_note_falls_to_one_e_th_in_035_s(at):
    note = sound()
    assert level(note, at + 0.35) / level(note, at) == pytest.approx(1 / math.e, rel=1e-3)


def test_a_note_rises_evenly_in_4_ms():
    """A hundred samples are one period of 441 Hz: five periods later the same tone is at its full level."""
    left = sound()[:, 0] * np.exp(np.arange(round((HELD + 0.12) * RATE)) / RATE / 0.35)  # as if it did not fall
    rise = np.minimum(np.arange(300) / RATE / 0.004, 1)
    assert left[:300] == pytest.approx(left[500:800] * rise, abs=1e-6)


def test_a_note_is_gone_012_s_after_its_end():
    short, long = sound(held=0.2), sound()
    assert len(short) == round(0.32 * RATE)
    after = np.arange(round(0.12 * RATE)) / RATE
    end = round(0.2 * RATE)
    assert short[end:, 0] == pytest.approx(long[end : len(short), 0] * (1 - after / 0.12) ** 2, abs=1e-6)


@pytest.mark.parametrize("layer", range(8))
def test_the_timbre_is_that_of_the_layer(layer):
    """The partials of 44 whole periods, as if the note did not fall; the eighth layer sounds like the first."""
    time = np.arange(4400, 8800) / RATE
    strengths = np.abs(np.fft.rfft(sound(held=0.3, layer=layer)[4400:8800, 0] * np.exp(time / 0.35))) / 2200
    expected = np.zeros(10)
    expected[: len(HEARD[layer % 7])] = HEARD[layer % 7]
    assert strengths[44:441:44] == pytest.approx(expected / expected.sum(), abs=1e-4)
    assert strengths[[22, 66, 110]].max() < 1e-4


def test_partials_above_half_the_rate_are_left_out():
    """The second partial of 15 kHz would alias to 14.1 kHz."""
    strengths = np.abs(np.fft.rfft(sound(hz=15_000.0)[4410:48510, 0]))
    assert strengths[14_100] < 1e-3 * strengths[15_000]


def test_level_follows_velocity_and_volume():
    loudest = level(sound(), 0.1)
    assert level(sound(velocity=64), 0.1) / loudest == pytest.approx((64 / 127) ** 2)
    assert level(sound(volume=50), 0.1) / loudest == pytest.approx(50 / 127)


@pytest.mark.parametrize(("pan", "left", "right"), [(0, 1, 0), (127, 0, 1), (63.5, math.sqrt(0.5), math.sqrt(0.5))])
def test_a_voice_stands_where_its_pan_says(pan, left, right):
    there, at_left = sound(pan=pan), sound()[:, 0]
    assert there[:, 0] == pytest.approx(left * at_left, abs=1e-6)
    assert there[:, 1] == pytest.approx(right * at_left, abs=1e-6)


def drum(key: int, held: float = 0.4, count: int = 1) -> np.ndarray:
    """Strokes of a key one after another, the second and later ones tied, as mono."""
    numbers = np.arange(count)
    ones = np.ones(count, dtype=np.int64)
    voices = (Voice("kit", 9, volume=127, pan=0, percussion=True),)
    columns = numbers * held, np.full(count, held), np.full(count, 100.0), 0 * ones, 127 * ones, ones, numbers > 0
    score = Score(*columns, voices, Marks.none(), count * held, drum=key * ones)
    return np.concatenate(list(synth_blocks(score)))[:, 0].astype(np.float64)


def fingerprint(samples: np.ndarray) -> np.ndarray:
    """Spectra below 2 kHz of a stroke's quarters, of unit length."""
    spectra = [np.abs(np.fft.rfft(part, 4096))[:186] for part in np.split(samples[: 4 * (len(samples) // 4)], 4)]
    return np.concatenate(spectra) / np.linalg.norm(spectra)


def test_the_sounds_of_events_are_told_apart():
    keys = [earcon.onset for earcon in earcons().values()] + [key_of("recovered"), key_of("pulse")]
    prints = [fingerprint(drum(key)[: round(0.4 * RATE)]) for key in keys]
    alike = {(a, b): float(prints[i] @ prints[j]) for i, a in enumerate(keys) for j, b in enumerate(keys[:i])}
    # What neither a tone nor a glide plays is noise: NaN, and the event that is called noise.
    assert max(value for pair, value in alike.items() if set(pair) != {38, 58}) < 0.9


@pytest.mark.parametrize("key", [earcon.hold for earcon in earcons().values() if earcon.hold >= 0])
def test_a_held_tone_is_even_and_joins_from_step_to_step(key):
    """Eight tied notes of 0.25 s sound like one of 2 s."""
    once, joined = drum(key, held=2.0), drum(key, held=0.25, count=8)
    part = slice(round(0.1 * RATE), round(1.9 * RATE))
    assert joined[part] == pytest.approx(once[part], abs=1e-6)


def test_a_knock_is_hollow_and_short():
    one = np.ones(1, dtype=np.int64)
    voices = (Voice("conv1", 0, volume=127, pan=0),)
    columns = np.zeros(1), np.full(1, 0.3), np.full(1, 400.0), 0 * one, 127 * one, one, one == 0
    score = Score(*columns, voices, Marks.none(), 0.3, program=115 * one)
    samples = np.concatenate(list(synth_blocks(score)))[:, 0].astype(np.float64)
    assert np.abs(samples[round(0.2 * RATE) :]).max() < 0.01 * np.abs(samples).max()
    strengths = np.abs(np.fft.rfft(samples[: RATE // 4] * np.hanning(RATE // 4)))
    assert strengths[160] > 5 * strengths[200], "640 Hz is there, and the octave is not"
    assert strengths[100] > 5 * strengths[200]
