"""From a norm to the sounding pitch: every rounding on the way is accounted for, cent by cent."""

import subprocess
from functools import partial

import mido
import numpy as np
import pytest
import soundfile

from gradmidi.composition import compose
from gradmidi.composition.mapping import Log
from gradmidi.composition.timing import Timing
from gradmidi.errors import MissingPartError
from gradmidi.outputs.midi_events import MidiStream, note_events
from gradmidi.outputs.tuning import to_keys
from gradmidi.recording import Recording
from gradmidi.theory.scale import Scale

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

SCALES = {
    "19-EDO": Scale.equal(19),
    "just": Scale.from_ratios([1, "9/8", "5/4", "4/3", "3/2", "5/3", "15/8"]),
    "Bohlen-Pierce": Scale.equal(13, period=3),
    "no scale": None,
}


PROGRAMS = {"12tet": 0, "bend": 0, "mts": 112}  # tuning program of the first layer's channel


def slow_run(scale):
    norms = np.geomspace(0.05, 60, 24).reshape(12, 2)
    return compose(Recording.from_arrays(norms), scale=scale, timing=Timing(0.4))


def sounding(path) -> list[float]:
    """Hz of every note of a .mid, worked out from its bytes: keys, bends of ±2 semitones, single-note tunings."""
    bends, tunings, heard = {}, {}, []
    for message in mido.MidiFile(path):
        if message.type == "pitchwheel":
            bends[message.channel] = message.pitch
        elif message.type == "sysex":
            assert message.data[:4] == (0x7F, 0x7F, 0x08, 0x02)
            program, count, *changes = message.data[4:]
            for i in range(0, 4 * count, 4):
                key, semitone, high, low = changes[i : i + 4]
                tunings[program - 112, key] = semitone + (high * 128 + low) / 16384
        elif message.type == "note_on":
            key = tunings.get((message.channel, message.note), message.note)
            key += 2 * bends.get(message.channel, 0) / 8192
            heard.append(440 * 2 ** ((key - 69) / 12))
    return heard


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize(("tuning", "bound"), [("bend", 0.0123), ("mts", 0.0031), ("12tet", 50.0)])
def test_each_cent_between_norm_and_byte_is_accounted_for(name, tuning, bound, tmp_path):
    """Bound: half a step, which is 200/8192 cents for a bend and 100/16384 for MTS."""
    scale, norm = SCALES[name], np.geomspace(0.05, 60, 24)
    score = slow_run(scale)
    report = score.save_midi(tmp_path / "g.mid", tuning=tuning)
    # 1. the mapping's own formula, 2. the scale's rounding, which is announced by choosing a scale,
    mapped = 261.6255653005986 * 2 ** np.log10(norm)
    assert np.allclose(1200 * np.log2(Log()(norm) / mapped), 0, atol=1e-9)
    quantised = mapped if scale is None else scale.quantize(mapped)
    assert np.allclose(1200 * np.log2(score.frequency / quantised), 0, atol=1e-9)
    # 3. the wire's rounding, which the report states.
    wire = 1200 * np.log2(np.array(sounding(tmp_path / "g.mid")) / score.frequency)
    assert np.abs(wire).max() == pytest.approx(report.largest_error, abs=1e-9)
    assert report.largest_error <= bound
    assert report.tuning == tuning


@pytest.mark.parametrize(
    ("scale", "tuning"),
    [("chromatic", "12tet"), ("D dorian", "12tet"), ("19edo", "bend"), ("A3 1/1 9/8 5/4", "bend"), (None, "bend")],
)
def test_auto_bends_only_what_lies_between_the_keys(healthy, scale, tuning, tmp_path):
    assert compose(healthy, scale=scale).save_midi(tmp_path / "g.mid").tuning == tuning
    bends = [m.pitch for m in mido.MidiFile(tmp_path / "g.mid") if m.type == "pitchwheel"]
    assert any(bends) == (tuning == "bend")


def test_another_reference_pitch_is_bent_not_rounded(healthy, tmp_path):
    score = compose(healthy, scale=Scale.named("chromatic", a4=432.0))
    assert score.save_midi(tmp_path / "g.mid").tuning == "bend"
    assert np.allclose(sounding(tmp_path / "g.mid"), score.frequency, rtol=1e-5)


def test_the_posts_own_frequencies_go_over_midi(healthy, tmp_path):
    compose(healthy, scale=None, mapping="post").save_midi(tmp_path / "g.mid", tuning="bend")
    cents = 1200 * np.log2(np.array(sounding(tmp_path / "g.mid")) / (200 + 100 * healthy.norms.ravel()))
    assert np.abs(cents).max() < 0.0123


def test_notes_beyond_the_keys_are_counted(tmp_path):
    score = compose(Recording.from_arrays([[1.0], [1.0]]), scale=None, mapping=lambda norms: 20_000 * norms)
    report = score.save_midi(tmp_path / "g.mid")
    assert report.out_of_range == 2
    # The highest key, G9, bent up by its two semitones is as far as MIDI goes.
    assert report.largest_error == pytest.approx(1200 * np.log2(20_000 / 12543.853951415975) - 200, abs=0.1)


@pytest.mark.parametrize("tuning", PROGRAMS)
def test_set_up_comes_before_the_first_note(tuning, tmp_path):
    slow_run(SCALES["19-EDO"]).save_midi(tmp_path / "g.mid", tuning=tuning)
    track = mido.MidiFile(tmp_path / "g.mid").tracks[1]
    controls = []
    for message in track:
        if message.type == "note_on":
            break
        if message.type == "control_change":
            controls.append((message.control, message.value))
    null = [(101, 127), (100, 127)]
    # Tuning bank 0, then the standard program 0 or, as keys of it are retuned, the first of our own.
    programs = {name: [(101, 0), (100, 4), (6, 0), (101, 0), (100, 3), (6, value)] for name, value in PROGRAMS.items()}
    expected = {
        "12tet": [*programs["12tet"], *null],
        "bend": [*programs["bend"], (101, 0), (100, 0), (6, 2), (38, 0), *null],
        "mts": [*programs["mts"], *null],
    }
    assert controls[2:] == expected[tuning]


def test_no_sounding_note_is_bent(healthy):
    sounding_on = {}
    for event in note_events(compose(healthy, scale="19edo", style="drone"), "bend"):
        message = event.message
        if message.type == "note_on":
            sounding_on[message.channel] = message.note
        elif message.type == "note_off":
            del sounding_on[message.channel]
        else:
            assert message.channel not in sounding_on
    assert not sounding_on


def test_a_drone_is_struck_again_only_when_its_tone_changes(sick):
    score = compose(sick, style="drone")
    struck = [event for event in note_events(score, "12tet") if event.message.type == "note_on"]
    assert len(struck) == (~score.tied).sum()
    one_by_one = MidiStream("12tet")
    from gradmidi.composition import Composer

    composer = Composer(sick.layers, sound="post", style="drone")
    events = [event for i in range(len(sick)) for event in one_by_one.events(composer.feed(sick.rows(i, i + 1)))]
    events += one_by_one.end()
    assert sorted(map(repr, events)) == sorted(map(repr, note_events(score, "12tet")))


@pytest.mark.parametrize("name", ["19-EDO", "just"])
@pytest.mark.parametrize("tuning", ["bend", "mts"])
def test_fluidsynth_sounds_the_scale(name, tuning, tmp_path, need_program, need_fluidsynth, pitch_of, pure_tone):
    """The .mid through the fluidsynth program with a pure tone, measured by FFT."""
    need_program("fluidsynth")
    score = slow_run(SCALES[name])
    score.save_midi(tmp_path / "g.mid", tuning=tuning)
    command = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-F", tmp_path / "g.wav", pure_tone, tmp_path / "g.mid"]
    subprocess.run(command, check=True, capture_output=True)
    samples, rate = soundfile.read(tmp_path / "g.wav")
    cents = []
    for onset, hertz in zip(score.onset, score.frequency, strict=True):
        part = samples[round((onset + 0.15) * rate) : round((onset + 0.4) * rate)].sum(axis=1)
        cents.append(1200 * np.log2(pitch_of(part, rate) / hertz))
    assert np.abs(cents).max() < 1.5
    # Had the tuning not been understood, the nearest keys would sound.
    assert np.abs(to_keys(score.frequency, "12tet").error).max() > 5


def missing(soundfont):
    raise MissingPartError("libfluidsynth is missing")


@pytest.mark.parametrize("tuning", ["auto", "12tet", "bend", "mts"])
@pytest.mark.parametrize("engine", ["FluidSynth", "own"])
def test_render_wav_sounds_like_the_mid_of_the_same_tuning(
    tuning, engine, tmp_path, need_fluidsynth, pitch_of, pure_tone, monkeypatch
):
    score = slow_run(Scale.equal(19))
    report = score.save_midi(tmp_path / "g.mid", tuning=tuning)
    if engine == "own":
        monkeypatch.setattr("gradmidi.outputs.soundfont.Fluid", missing)
    score.render_wav(tmp_path / "g.wav", soundfont=pure_tone, tuning=tuning)
    samples, rate = soundfile.read(tmp_path / "g.wav")
    wanted = sounding(tmp_path / "g.mid") if report.tuning != "12tet" or tuning == "12tet" else score.frequency
    for onset, hz in zip(score.onset[::5], wanted[::5], strict=True):
        note = samples[round((onset + 0.05) * rate) : round((onset + 0.35) * rate)].mean(axis=1)
        assert abs(1200 * np.log2(pitch_of(note, rate) / hz)) < 2


def test_the_file_in_memory_is_the_file_on_disk(sick, tmp_path):
    score = compose(sick, scale=Scale.equal(19))
    score.save_midi(tmp_path / "a.mid")
    score.to_mido().save(tmp_path / "b.mid")
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    pretty = score.to_pretty_midi()
    assert sum(len(instrument.notes) for instrument in pretty.instruments) == len(score)
    assert [one.is_drum for one in pretty.instruments].count(True) == 1
