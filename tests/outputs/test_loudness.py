"""Loudness against pyloudnorm on real renderings, and against the test tones of ITU-R BS.1770 and EBU Tech 3341."""

import numpy as np
import pyloudnorm
import pytest

from gradmidi.composition import compose
from gradmidi.outputs.loudness import LoudnessMeter
from gradmidi.outputs.soundfont import fluid_blocks
from gradmidi.outputs.soundfont_choice import OWN, PROJECT
from gradmidi.outputs.synth import synth_blocks

RATE = 44_100


def tone(dbfs, seconds, hertz=1000.0, channels=(1, 1)) -> np.ndarray:
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return (wave[:, np.newaxis] * channels).astype(np.float32)


def measured(sound, size=3000) -> LoudnessMeter:
    meter = LoudnessMeter()
    for first in range(0, len(sound), size):
        meter.feed(sound[first : first + size])
    return meter


def theirs(sound) -> float:
    return pyloudnorm.Meter(RATE).integrated_loudness(sound.astype(np.float64))


def test_a_full_sine_of_997_hz_in_one_channel_is_3_01_below_zero():
    """The standard's own example; pyloudnorm is 0.04 off here."""
    assert measured(tone(0, 5, 997, (1, 0))).integrated() == pytest.approx(-3.01, abs=0.005)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_signals_of_ebu_tech_3341(parts, expected):
    """Cases 1 to 5: the third has parts below the relative gate, the fourth below the absolute one as well."""
    sound = np.concatenate([tone(*part) for part in parts])
    assert measured(sound).integrated() == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("hertz", [30, 100, 500, 2000, 8000, 16000])
def test_the_weighting_of_tones_is_that_of_pyloudnorm(hertz):
    sound = tone(-20, 3, hertz)
    assert measured(sound).integrated() == pytest.approx(theirs(sound), abs=0.1)


def test_renderings_measure_as_with_pyloudnorm(healthy, sick, need_fluidsynth):
    for score in (compose(healthy), compose(sick, style="chord"), compose(healthy.rows(0, 50), style="drone")):
        for blocks in (fluid_blocks(score, PROJECT / OWN, lambda share: None, "12tet"), synth_blocks(score)):
            sound = np.concatenate(list(blocks))
            assert measured(sound).integrated() == pytest.approx(theirs(sound), abs=0.1)


def test_blocks_of_any_size_measure_alike():
    sound = np.random.default_rng(0).normal(0, 0.1, (100_000, 2)).astype(np.float32)
    whole = measured(sound, len(sound))
    for size in (7, 4410, 30_000):
        part = measured(sound, size)
        assert part.integrated() == pytest.approx(whole.integrated(), abs=1e-9)
        assert part.loudest() == pytest.approx(whole.loudest(), abs=1e-9)


def test_the_loudest_moment_is_that_of_400_ms():
    """A burst of 400 ms is heard whole, one of 200 ms has half the power in its block."""
    for seconds, below in ((0.4, 0.0), (0.2, 3.01)):
        sound = np.concatenate([tone(-60, 2), tone(-20, seconds), tone(-60, 2)])
        assert measured(sound).loudest() == pytest.approx(-20 - below, abs=0.1)


def test_silence_and_moments():
    assert LoudnessMeter().integrated() == LoudnessMeter().loudest() == -np.inf
    assert measured(np.zeros((RATE, 2), np.float32)).integrated() == -np.inf
    # 100 ms in a block of 400 ms: a quarter of the power.
    assert measured(tone(-20, 0.1)).integrated() == pytest.approx(-26.02, abs=0.2)
