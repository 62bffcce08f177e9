"""The parts of the ear-proof on sounds and norms whose answer is known."""

import numpy as np
import pytest

from benchmarks.clinic.sample import SAMPLE_FOLDER
from benchmarks.hearing import converged, levels, losses, reaction, zeros
from benchmarks.hearing.listener import leave_one_out
from benchmarks.hearing.rooms import heard_in
from benchmarks.hearing.segments import segments
from benchmarks.hearing.sine_norms import heard_norms
from gradmidi.composition import compose
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.sine import tones
from gradmidi.recording import Recording

SECONDS = 6


def tone(hertz, seconds=SECONDS, strength=0.5):
    mono = strength * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(mono[:, np.newaxis], 2, axis=1)


def hiss(seconds=SECONDS, strength=0.01):
    return strength * np.random.default_rng(0).normal(size=(round(seconds * RATE), 2))


def recording(norms, loss=None):
    norms = np.asarray(norms, dtype=float)
    layers = tuple("abcdefgh"[: norms.shape[1]])
    return Recording(layers, np.arange(len(norms)), norms, {} if loss is None else {"loss": loss}, {})


def test_norms_are_read_back_from_the_exact_sine():
    norms = np.array([0.0, 1e-3, 0.5, 1.0, 7.25, 40.0, 213.0])
    assert heard_norms(tones(norms).astype(float)) == pytest.approx(norms, abs=1e-6)


def test_loudness_is_that_of_the_standard():
    # ITU-R BS.1770: 997 Hz at full scale in one channel is -3.01 LUFS, in both 0; every 6.02 dB below are 6.02 LU.
    assert levels.integrated(tone(997, strength=1.0)) == pytest.approx(0.0, abs=0.1)
    assert levels.integrated(tone(997, strength=0.1)) == pytest.approx(-20.0, abs=0.1)
    assert levels.integrated(np.zeros((RATE * 2, 2))) == -np.inf


def test_loudness_over_time_finds_the_quiet_part():
    sound = np.concatenate([tone(997, 4), tone(997, 4, 0.005), tone(997, 4)])
    windows = levels.over_time(sound, levels.SHORT_TERM)
    assert windows.max() - windows.min() == pytest.approx(40, abs=0.5)


def test_levels_before_and_after_an_onset():
    piece = np.concatenate([tone(997, 10, 0.1), tone(997, 0.5, 0.4), tone(997, 11.5, 0.05)])
    found = levels.measured(piece, 10.0)
    assert found.healthy == pytest.approx(-20, abs=0.2)
    assert found.alarm - found.healthy == pytest.approx(12.04, abs=0.3)
    assert found.ill - found.healthy == pytest.approx(-6.02, abs=0.3)
    assert found.peak == pytest.approx(20 * np.log10(0.4), abs=0.05)


@pytest.mark.parametrize(("room", "hertz", "passes"), [("laptop", 80, False), ("laptop", 1000, True)])
def test_a_laptop_has_no_bass(room, hertz, passes):
    sound = tone(hertz)
    lost = 10 * np.log10((sound**2).mean() / (heard_in(room, sound)[RATE:] ** 2).mean())
    assert lost < 0.1 if passes else lost > 20


def test_next_door_high_tones_are_gone_and_the_noise_is_as_strong_as_the_sound():
    sound = tone(300)
    arrived = heard_in("next room", sound)
    assert np.array_equal(arrived[:, 0], arrived[:, 1])
    noise = arrived[RATE:, 0] - heard_in("next room", sound, seed=1)[RATE:, 0]  # two different noises, without the tone
    assert 10 * np.log10((noise**2).mean() / 2 / (sound[:, 0] ** 2).mean()) == pytest.approx(0, abs=1)
    spectrum = np.abs(np.fft.rfft(arrived[:, 0])) ** 2
    hertz = np.fft.rfftfreq(len(arrived), 1 / RATE)
    assert spectrum[hertz > 1500].sum() < 1e-3 * spectrum.sum()


def test_a_listener_behind_a_laptop_behind_a_wall_hears_which_tone_it_is():
    low, high = (zeros.narrow(zeros.arrived(tone(hertz, 5, 0.05), "laptop+next room", 0)) for hertz in (294, 440))
    assert np.argmax(low) * zeros.BIN_HZ / 4 + zeros.LOW_HZ == pytest.approx(294, abs=4)
    assert np.argmax(high) * zeros.BIN_HZ / 4 + zeros.LOW_HZ == pytest.approx(440, abs=4)


def test_a_held_tone_is_heard_below_short_notes():
    notes = tone(660, 5) * (np.arange(5 * RATE) % RATE < 0.4 * RATE)[:, np.newaxis]
    octaves = losses.held(tone(220, 5, 0.02) + notes)[-2]
    assert 55 * 2**octaves == pytest.approx(220, rel=0.02)


def test_r_squared_of_perfect_of_mean_and_of_opposite_answers():
    true = np.array([1.0, 2.0, 3.0])
    assert [losses.r_squared(true, said) for said in (true, np.full(3, 2.0), true[::-1])] == [1, 0, -3]


def test_a_new_tone_is_heard_within_a_second_and_nothing_is_no_change():
    sound = hiss(12)
    same = reaction.excess(sound, 8.0)
    sound[10 * RATE :] += tone(1000, 2, 0.05)
    assert reaction.first_beyond(same, 6.0) is None
    assert reaction.first_beyond(reaction.excess(sound, 8.0), 6.0) == pytest.approx(2.1, abs=0.25)


def test_a_lasting_fault_is_said_at_every_note_by_the_post_and_seldom_by_default():
    norms = np.ones((200, 4))
    norms[100:, 2] = np.nan
    run = recording(norms)
    post, debug = (compose(run, sound=sound) for sound in ("post", "debug"))
    assert reaction.strokes_per_minute(post, 30.0) == pytest.approx(200)  # one in each step of 0.3 s
    assert 2 <= reaction.strokes_per_minute(debug, 30.0) <= 14


def test_leaps_of_a_run_that_alternates_and_of_one_that_rests():
    alternating = np.where(np.arange(100) % 2, 1.0, 100.0)[:, np.newaxis]
    lowest, within, between = converged.measured(recording(alternating), "post")  # an octave per decade
    assert (lowest, within, between) == pytest.approx((0, 24, 24), abs=0.1)
    assert converged.measured(recording(np.full((50, 1), 1e-5)), "post") == pytest.approx((1, 0, 0))


def test_a_listener_never_learns_from_the_group_that_it_is_asked_about():
    features, groups = np.repeat(np.eye(3), 4, axis=0), ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    regime = ["healthy"] * 4 + ["nan"] * 4 + ["healthy"] * 4
    told = leave_one_out(features, regime, groups, features, regime, groups)
    assert told.recall("nan") == 0  # which only the group itself could have taught


def test_segments_of_the_sample_have_the_regime_that_is_known():
    found = {}
    for one in segments(SAMPLE_FOLDER, held_out=False, only="mlp.*.0"):
        found.setdefault(one.run.name, set()).add(one.regime)
        size = (one.last - one.first) * (len(one.run.recording.layers) + 2) * 0.05
        assert size == pytest.approx(5, abs=0.2)
        norms = one.rows.norms
        if one.regime == "nan":
            assert (~np.isfinite(norms)).any(axis=1).mean() >= 0.5 or not np.isfinite(one.rows.metrics["loss"]).all()
        if one.regime == "dead":
            assert (norms == 0).any(axis=1).mean() >= 0.5
    assert found["mlp.healthy.0"] == {"healthy"}
    assert "dead" in found["mlp.bad-init.0"]
    assert "nan" in found["mlp.lr-high.0"]
