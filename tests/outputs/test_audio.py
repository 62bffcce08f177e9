"""Sound: pitches found by FFT are the pitches of the .mid; levels, lengths, formats and fallbacks."""

import wave
from functools import partial
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from gradmidi.composition import compose
from gradmidi.composition.timing import Timing
from gradmidi.errors import InputError
from gradmidi.outputs.audio_file import _write_soundfile, write_audio
from gradmidi.outputs.midi_events import note_events
from gradmidi.outputs.soundfont import OWN_ENGINE, TAIL, _played, render_wav
from gradmidi.outputs.soundfont_choice import PURE_TONE, find_soundfont
from gradmidi.outputs.synth import RELEASE, synth_blocks
from gradmidi.recording import Recording

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

RATE = 44100
PURE_TONE_FILE = Path(__file__).parents[2] / "soundfonts" / PURE_TONE


@pytest.fixture
def slow(healthy):
    """Notes of 0.4 s, long enough for an FFT to tell cents."""
    return compose(healthy.rows(0, 6), timing=Timing(0.4))


@pytest.fixture
def heard_cents(pitch_of):
    return lambda path, score: cents_heard(pitch_of, path, score)


def cents_heard(pitch_of, path, score) -> np.ndarray:
    """Cents between the strongest pitch of every note's time in the file and the note."""
    samples, rate = soundfile.read(path)
    assert rate == RATE
    assert samples.shape[1] == 2
    mono = samples.sum(axis=1)
    cents = []
    for onset, duration, hertz in zip(score.onset, score.duration, score.frequency, strict=True):
        # The last note's release is over by then and this one's attack.
        part = mono[round((onset + 0.15) * RATE) : round((onset + duration) * RATE)]
        cents.append(1200 * np.log2(pitch_of(part, RATE) / hertz))
    return np.array(cents)


def test_the_soundfont_wav_sounds_what_the_mid_names(slow, tmp_path, need_fluidsynth, heard_cents):
    slow.save_midi(tmp_path / "g.mid")
    notes = [m.note for m in mido.MidiFile(tmp_path / "g.mid") if m.type == "note_on"]
    assert np.allclose(slow.frequency, 440 * 2 ** ((np.array(notes) - 69) / 12))
    report = render_wav(slow, tmp_path / "g.wav", PURE_TONE_FILE)
    assert report.engine == f"FluidSynth with {PURE_TONE}"
    assert np.abs(heard_cents(tmp_path / "g.wav", slow)).max() < 1.5


@pytest.mark.parametrize("scale", ["19edo", "C 1/1 9/8 5/4 4/3 3/2 5/3 15/8"])
def test_microtones_reach_fluidsynth(healthy, scale, tmp_path, need_fluidsynth, heard_cents):
    score = compose(healthy.rows(0, 5), scale=scale, timing=Timing(0.4))
    render_wav(score, tmp_path / "g.wav", PURE_TONE_FILE)
    assert np.abs(heard_cents(tmp_path / "g.wav", score)).max() < 1.5


def test_our_own_synthesiser_is_exact(healthy, tmp_path, heard_cents):
    score = compose(healthy.rows(0, 6), scale=None, timing=Timing(0.4))
    write_audio(tmp_path / "g.wav", synth_blocks(score))
    samples, _ = soundfile.read(tmp_path / "g.wav")
    # Only the layer's own channel matters here; a note's partials lie above its fundamental and are weaker.
    assert len(samples) == round((score.length + RELEASE) * RATE)
    assert np.abs(heard_cents(tmp_path / "g.wav", score)).max() < 0.1


def test_level_and_length(slow, tmp_path, need_fluidsynth):
    report = render_wav(slow, tmp_path / "g.wav", PURE_TONE_FILE)
    with wave.open(str(tmp_path / "g.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 44100, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert 0 < np.abs(samples.astype(int)).max() < 10 ** (-1 / 20) * 32767
    assert len(samples) / 2 / RATE == pytest.approx(slow.length + TAIL, abs=1e-4)
    assert report.seconds == pytest.approx(slow.length + TAIL, abs=1e-4)
    assert not samples[-20:].any(), "the tail has faded out"


@pytest.mark.parametrize("ending", [".flac", ".ogg", ".mp3"])
def test_other_formats(slow, ending, tmp_path):
    seconds = write_audio(tmp_path / f"g{ending}", synth_blocks(slow))
    info = soundfile.info(tmp_path / f"g{ending}")
    assert info.samplerate == RATE
    assert info.duration == pytest.approx(seconds, abs=0.1)


def test_percussion_is_heard_and_silence_is_not_scaled(tmp_path):
    sick = Recording.from_arrays([[np.nan], [np.inf]])
    blocks = np.concatenate(list(synth_blocks(compose(sick))))
    assert np.abs(blocks[: round(0.05 * RATE)]).max() > 0.1
    write_audio(tmp_path / "silence.wav", [np.zeros((100, 2), dtype=np.float32)])
    assert not soundfile.read(tmp_path / "silence.wav")[0].any()


def test_windows_join_without_a_seam(healthy, monkeypatch):
    score = compose(healthy.rows(0, 20))
    whole = np.concatenate(list(synth_blocks(score)))
    monkeypatch.setattr("gradmidi.outputs.synth.WINDOW", 0.33)
    assert np.allclose(np.concatenate(list(synth_blocks(score))), whole, atol=1e-6)


def test_without_libfluidsynth_our_synthesiser_plays(slow, tmp_path, monkeypatch):
    """pyfluidsynth finds its library by the loader's search; where that finds nothing its import fails."""
    import sys

    monkeypatch.delitem(sys.modules, "fluidsynth", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    report = render_wav(slow, tmp_path / "g.wav", PURE_TONE_FILE)
    monkeypatch.delitem(sys.modules, "fluidsynth", raising=False)
    assert report.engine == OWN_ENGINE
    assert "libfluidsynth" in report.notice
    assert soundfile.info(tmp_path / "g.wav").frames > 0


def test_what_is_not_a_soundfont_is_refused(slow, tmp_path, monkeypatch, need_fluidsynth):
    (tmp_path / "x.sf2").write_text("no sound")
    with pytest.raises(InputError, match=r"x\.sf2 is not a SoundFont"):
        render_wav(slow, tmp_path / "g.wav", tmp_path / "x.sf2")
    with pytest.raises(InputError, match="there is no file"):
        find_soundfont(tmp_path / "none.sf2")
    (tmp_path / "cut.sf2").write_bytes(PURE_TONE_FILE.read_bytes()[:200])
    with pytest.raises(InputError, match=r"cut\.sf2 cannot be used: its part .* ends at byte"):
        render_wav(slow, tmp_path / "g.wav", tmp_path / "cut.sf2")
    with pytest.raises(InputError, match="not as"):
        render_wav(slow, tmp_path / "g.xyz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.sf2", "x.sf2"]


def test_progress_is_told(slow, tmp_path, need_fluidsynth):
    told = []
    render_wav(slow, tmp_path / "g.wav", PURE_TONE_FILE, progress=told.append)
    times = {*slow.onset.round(6), *(slow.onset + slow.duration).round(6)} - {0.0}
    assert told == pytest.approx([*(time / (slow.length + TAIL) for time in sorted(times)), 1.0], abs=1e-5)


def test_the_tail_fades_out_evenly_over_half_a_second():
    """Of a synthesizer that never falls silent the last second is heard: level, then down to nothing."""

    class Steady:
        closed = False

        def send(self, message):
            pass

        def samples(self, frames):
            return np.ones((frames, 2), dtype=np.float32)

        def close(self):
            self.closed = True

    score, synthesizer = compose(Recording.from_arrays([[1.0]])), Steady()
    blocks = _played(synthesizer, score, note_events(score, "12tet"), "12tet", lambda share: None)
    whole = np.concatenate(list(blocks))
    assert synthesizer.closed
    assert len(whole) == round((score.length + 1.5) * RATE)
    fade = np.arange(RATE // 2)[::-1] / (RATE // 2)
    assert whole[-RATE // 2 :] == pytest.approx(np.stack([fade, fade], axis=1), abs=1e-6)
    assert (whole[: -RATE // 2] == 1).all()


def test_the_noise_of_the_alarm_fills_its_level_evenly():
    """The first alarm of a piece, without its rise and fall: uniform between -1 and 1, and the same each time."""
    alarm = compose(Recording.from_arrays([[np.nan]]), timing=Timing(0.4))
    first, again = (np.concatenate(list(synth_blocks(alarm))).astype(np.float64) for _ in range(2))
    assert np.array_equal(first, again)
    part = np.hypot(*first[500:17_000].T) * np.exp(np.arange(500, 17_000) / RATE / 0.35)
    part /= (110 / 127) ** 2 * alarm.voices[1].volume / 127
    assert part.max() == pytest.approx(1, abs=0.01)
    assert part.mean() == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(part[:-1], part[1:])[0, 1] == pytest.approx(0, abs=0.05)
    assert first[500:17_000].mean() == pytest.approx(0, abs=0.02)


def test_samples_are_written_as_they_come_and_clipped_beyond_full_scale(tmp_path):
    """The level is set by gradmidi.outputs.levels; this writer only counts and rounds: 32,767 is full scale."""
    block = np.array([[0.5, 0], [-1.5, 0.25], [0.00002, 0]], dtype=np.float32)
    assert write_audio(tmp_path / "x.wav", [block[:1], block[1:], np.zeros((0, 2), np.float32)]) == 3 / RATE
    samples, rate = soundfile.read(tmp_path / "x.wav", dtype="int16")
    assert rate == RATE
    assert samples.tolist() == [[16384, 0], [-32767, 8192], [1, 0]]


def test_a_file_of_several_blocks_is_whole(tmp_path):
    ramp = np.linspace(-1, 1, 150_001, dtype=np.float32)
    sound = np.stack([ramp, -ramp], axis=1)
    write_audio(tmp_path / "x.wav", np.split(sound, [1, 70_000]))
    samples, _ = soundfile.read(tmp_path / "x.wav")
    assert np.abs(samples - sound).max() < 1e-4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_disk_that_is_full_for_libsndfile(slow):
    with Path("/dev/full").open("wb") as file, pytest.raises(OSError, match="libsndfile says"):
        _write_soundfile(file, "flac", synth_blocks(slow))
