"""How loud a rendering is: pyloudnorm hears healthy runs at −20 LUFS, whatever else happens; nothing exceeds −1 dB."""

from dataclasses import replace
from functools import partial

import numpy as np
import pyloudnorm
import pytest
import soundfile
from scipy.signal import resample_poly

from gradmidi.composition import compose
from gradmidi.composition.timing import Timing
from gradmidi.errors import InputError
from gradmidi.outputs import levels
from gradmidi.outputs.levels import reference_gain, write_levelled
from gradmidi.outputs.reference_phrase import VELOCITY, reference_phrase
from gradmidi.outputs.soundfont import OWN_ENGINE, fluid_blocks, render_wav
from gradmidi.outputs.soundfont_choice import OWN, PROJECT, find_soundfont
from gradmidi.outputs.synth import synth_blocks
from gradmidi.recording import Recording
from gradmidi.score import Marks, Score, Voice
from gradmidi.theory.pitch import hz_to_key

RATE = 44_100
FONTS = ("own", "gm")


def healthy_run(layers, steps=50) -> Recording:
    """Norms that move as those of the clinic's healthy runs do: a layer's tone changes every other step or so."""
    rng = np.random.default_rng(layers)
    usual = np.exp(rng.normal(0, 0.6, layers))
    return Recording.from_arrays(usual * np.exp(rng.normal(0, 0.6, (steps, layers))))


def soundfont(name):
    return PROJECT / OWN if name == "own" else find_soundfont("gm")


def heard(path) -> tuple[float, float]:
    """LUFS and dB of the true peak, by pyloudnorm and SciPy."""
    sound, rate = soundfile.read(path)
    peak = np.abs(resample_poly(sound, 8, 1, axis=0)).max()
    return pyloudnorm.Meter(rate).integrated_loudness(sound), 20 * np.log10(max(peak, 1e-9))


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("layers", [1, 4, 14])
@pytest.mark.parametrize("sound", ["debug", "post"])
def test_healthy_runs_are_20_lufs(layers, sound, font, tmp_path, need_fluidsynth):
    score = compose(healthy_run(layers), sound=sound, mapping="wide")
    render_wav(score, tmp_path / "g.wav", soundfont(font))
    loudness, peak = heard(tmp_path / "g.wav")
    assert loudness == pytest.approx(-20, abs=1)
    assert peak <= -1


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("layers", [4, 14])
def test_chords_are_20_lufs_within_what_tones_of_one_pitch_add_to_each_other(layers, font, tmp_path, need_fluidsynth):
    """Voices that meet on a pitch add or cancel, by a few dB in a moment and one or two in a piece."""
    render_wav(compose(healthy_run(layers), sound="post", style="chord"), tmp_path / "g.wav", soundfont(font))
    loudness, peak = heard(tmp_path / "g.wav")
    assert loudness == pytest.approx(-20, abs=2)
    assert peak <= -1


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("layers", [1, 4, 14])
def test_drones_that_change_every_other_step_are_20_lufs_within_2(layers, font, tmp_path, need_fluidsynth):
    """One that moves less is softer, as most instruments fade while they are held."""
    rng = np.random.default_rng(layers)
    norms = np.repeat(10 ** rng.uniform(-1, 1, (20, layers)), 2, axis=0)
    score = compose(Recording.from_arrays(norms), sound="post", mapping="wide", style="drone")
    render_wav(score, tmp_path / "g.wav", soundfont(font))
    loudness, peak = heard(tmp_path / "g.wav")
    assert loudness == pytest.approx(-20, abs=2)
    assert peak <= -1


def test_the_gain_does_not_depend_on_the_run(healthy, sick, tmp_path, need_fluidsynth):
    louder = Recording(healthy.layers, healthy.steps, healthy.norms * 1000, healthy.metrics, healthy.meta)
    gone = Recording(healthy.layers, healthy.steps, np.full_like(healthy.norms, np.nan), healthy.metrics)
    for style in ("sequence", "chord", "drone"):
        gains = {
            render_wav(compose(run, style=style), tmp_path / "g.wav", PROJECT / OWN).gain
            for run in (healthy, louder, sick, healthy.rows(0, 20))
        }
        assert len(gains) == 1, style
    sequence = [render_wav(compose(run), tmp_path / "g.wav", PROJECT / OWN).gain for run in (healthy, gone)]
    assert sequence[0] == pytest.approx(sequence[1], abs=0.5)


def test_our_own_tones_have_the_same_level(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fluidsynth", None)
    report = render_wav(compose(healthy_run(4)), tmp_path / "g.wav", PROJECT / OWN)
    assert report.engine == OWN_ENGINE
    assert report.notice
    loudness, peak = heard(tmp_path / "g.wav")
    assert loudness == pytest.approx(-20, abs=1)
    assert peak <= -1


def test_an_ambient_run_that_is_healthy_stays_soft(tmp_path, need_fluidsynth):
    """The phrase is played with the usual velocity, so that the preset's softer notes are softer."""
    render_wav(compose(healthy_run(4), sound="ambient"), tmp_path / "g.wav", PROJECT / OWN)
    assert heard(tmp_path / "g.wav")[0] < -32


def hand_made(loud=100, **changes) -> Score:
    count = 8
    columns = {
        "onset": np.arange(count) * 0.25,
        "duration": np.full(count, 0.25),
        "frequency": np.full(count, 440.0),
        "layer": np.zeros(count, dtype=np.int64),
        "velocity": np.full(count, loud),
        "step": np.arange(count),
        "tied": np.zeros(count, dtype=bool),
    }
    return Score(**columns | changes, voices=(Voice("a", 0, 12),), marks=Marks.none(), length=count * 0.25)


@pytest.mark.parametrize("loud", [20, 127])
def test_a_score_without_steps_has_20_lufs_as_a_whole(loud, tmp_path, need_fluidsynth):
    assert reference_phrase(hand_made()) is None
    render_wav(hand_made(loud), tmp_path / "g.wav", PROJECT / OWN)
    assert heard(tmp_path / "g.wav")[0] == pytest.approx(-20, abs=0.3)
    write_levelled(tmp_path / "own.wav", synth_blocks(hand_made(loud)), None, "own")
    assert heard(tmp_path / "own.wav")[0] == pytest.approx(-20, abs=0.3)


def test_silence_stays_silence(tmp_path, need_fluidsynth):
    nothing = Recording.from_arrays([[np.nan] * 3] * 40)
    gaps = Recording(nothing.layers, nothing.steps, nothing.norms, {}, {}, np.ones((40, 3), dtype=bool))
    for number, score in enumerate(
        (compose(gaps, sound="post"), replace(compose(gaps, sound="post"), step_length=0.0))
    ):
        report = render_wav(score, tmp_path / f"{number}.wav", PROJECT / OWN)
        assert np.isfinite(report.gain)
        assert not soundfile.read(tmp_path / f"{number}.wav")[0].any()


def test_the_phrase_is_the_scores_voices_in_its_time_and_register():
    score = compose(healthy_run(4), sound="debug", timing=Timing(0.04))
    phrase = reference_phrase(score)
    names = {phrase.voices[i].name for i in phrase.layer}
    assert names == set(healthy_run(4).layers)
    assert "loss" not in names
    assert phrase.voices == score.voices
    assert phrase.step_length == score.step_length == pytest.approx(6 * 0.04)
    assert phrase.length - phrase.step_length == pytest.approx(4, abs=phrase.step_length)
    keys = hz_to_key(phrase.frequency)
    assert 60 <= keys.min() <= keys.max() <= 84
    assert (phrase.velocity == VELOCITY).all()
    # Note for note where the score's own notes are.
    own = score.pitched & (score.layer < 4) & (score.onset < phrase.length - 0.01)
    assert phrase.onset == pytest.approx(score.onset[own])
    assert phrase.duration == pytest.approx(score.duration[own])


@pytest.mark.parametrize("style", ["sequence", "chord", "drone"])
@pytest.mark.parametrize("silent", [(0,), (3,), (1, 2, 3), (0, 1, 2)])
def test_layers_that_are_silent_throughout_are_heard_in_the_phrase(style, silent):
    run = healthy_run(4)
    norms = run.norms.copy()
    norms[:, list(silent)] = np.nan
    options = {"style": style, "sound": "post"}
    whole, part = (
        reference_phrase(compose(Recording(run.layers, run.steps, rows), **options)) for rows in (run.norms, norms)
    )
    assert np.array_equal(part.layer, whole.layer)
    assert part.onset == pytest.approx(whole.onset)
    assert part.duration == pytest.approx(whole.duration)


def test_what_is_far_too_loud_is_limited_and_said(tmp_path):
    burst = np.zeros((2 * RATE, 2), dtype=np.float32)
    burst[RATE : RATE + 2000] = np.sin(np.arange(2000) / 5)[:, np.newaxis]
    report = write_levelled(tmp_path / "g.wav", [burst], 6.0, "test")
    assert heard(tmp_path / "g.wav")[1] <= -1
    assert report.gain == 6.0
    assert 7 < report.reduction < 8
    assert report.limited == pytest.approx((2000 / RATE) + 0.13, abs=0.03)
    assert report.notice.startswith(
        f"the limiter lowered {report.limited:.1f} s of it, by up to {report.reduction:.1f}"
    )
    assert "\n" not in report.notice
    quiet = write_levelled(tmp_path / "g.wav", [burst * np.float32(0.5)], 6.0, "test")
    assert (quiet.notice, 0 < quiet.reduction < 3) == ("", True)


def test_only_the_phrase_is_measured_not_its_beginning_or_end():
    """An engine that is loud in the first step and after the last one does not change the gain."""
    score = compose(healthy_run(4))
    phrase = reference_phrase(score)
    first, end = round(phrase.step_length * RATE), round(phrase.length * RATE)
    sound = np.random.default_rng(0).normal(0, 0.01, (end + RATE, 2)).astype(np.float32)

    def play(sound, size, score):
        for at in range(0, len(sound), size):
            yield sound[at : at + size]

    expected = -20 - pyloudnorm.Meter(RATE).integrated_loudness(sound[first:end].astype(np.float64))
    loud = sound.copy()
    loud[: first - 1] *= 50
    loud[end + 1 :] *= 50
    for size in (1000, 70_000, len(sound)):
        assert reference_gain(score, partial(play, loud, size)) == pytest.approx(expected, abs=0.1)


def test_a_full_disk_while_the_whole_is_measured_is_an_input_error(tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(levels, "spooled", lambda path: Full())
    with pytest.raises(InputError, match="No space left on device; free some space"):
        write_levelled(tmp_path / "g.wav", synth_blocks(hand_made()), None, "own")
    assert not list(tmp_path.iterdir())


def test_memory_and_samples_of_a_long_piece(tmp_path, need_fluidsynth):
    """What is written is the engine's sound times the gain, sample for sample, where nothing is limited."""
    score = compose(healthy_run(4))
    report = render_wav(score, tmp_path / "g.wav", PROJECT / OWN)
    assert report.limited == 0
    sound = np.concatenate(list(fluid_blocks(score, PROJECT / OWN, lambda share: None, "12tet")))
    written, _ = soundfile.read(tmp_path / "g.wav")
    assert np.abs(written * 32768 / 32767 - sound * 10 ** (report.gain / 20)).max() < 2e-5
