"""gradmidi.sf2 is what its table makes, two readers load it, and its voices and kit sound as composing relies on."""

from __future__ import annotations

import logging
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import pytest

from benchmarks.hearing import kit
from benchmarks.hearing.voices import (
    Instruments,
    cents_off,
    loudness,
    pitch_listener,
    power,
    ring,
    speak_time,
    timbre_distances,
)
from gradmidi.composition import voices
from gradmidi.composition.voices import Part, load_parts
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.fluid import Fluid
from gradmidi.outputs.soundfont_check import check_soundfont
from gradmidi.outputs.soundfont_choice import find_soundfont
from gradmidi.theory.pitch import key_to_hz

FOLDER = Path(__file__).parents[2] / "soundfonts"
FONT = FOLDER / "gradmidi.sf2"
LARGEST = 300_000  # bytes
PAD, KNOCK = 89, 115
ONSETS = (38, 49, 57, 52, 74, 55, 79, 77, 75, 58, 39, 67, 81, 64)
HOLDS = (59, 51, 53, 46, 73, 78, 76, 70, 68)
C1_TO_C7 = range(24, 97, 12)
C3_TO_C7 = range(48, 97, 6)


@pytest.fixture(scope="module")
def instruments():
    made = Instruments(FONT, load_parts())
    yield made
    made.close()


@pytest.fixture
def fluid():
    made = Fluid(FONT)
    yield made
    made.close()


def strike(
    fluid: Fluid, key: int, held: float, after: float = 0.0, channel: int = 9, velocity: int = 100
) -> np.ndarray:
    """The sound of a key that is held for a time, and of some time afterwards, as mono."""
    fluid.send(mido.Message("note_on", channel=channel, note=key, velocity=velocity))
    parts = [fluid.samples(round(held * RATE))]
    fluid.send(mido.Message("note_off", channel=channel, note=key))
    return np.concatenate([*parts, fluid.samples(round(after * RATE))]).sum(axis=1).astype(np.float64)


def band(sound: np.ndarray, low: float, high: float) -> float:
    """dB of what a sound has between two frequencies."""
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    return float(10 * np.log10(spectrum[(hz >= low) & (hz < high)].sum() + 1e-20))


@pytest.mark.parametrize("name", ["gradmidi", "pure_tone"])
def test_its_script_builds_the_same_bytes(name, tmp_path):
    subprocess.run([sys.executable, FOLDER / f"build_{name}.py", tmp_path / "x.sf2"], check=True)
    assert (tmp_path / "x.sf2").read_bytes() == (FOLDER / f"{name.replace('_', '-')}.sf2").read_bytes()


def test_it_is_small_and_passes_our_own_check():
    assert FONT.stat().st_size < LARGEST
    check_soundfont(FONT)


def test_a_second_reader_finds_every_program_and_loops_in_tune(caplog):
    """By the fields that sf2utils reads: each loop of a voice is whole periods of its root key's pitch."""
    from sf2utils.sf2parse import Sf2File

    with FONT.open("rb") as file, caplog.at_level(logging.WARNING):
        font = Sf2File(file)
        presets = [preset for preset in font.presets if preset.name != "EOP"]
        assert {(preset.bank, preset.preset) for preset in presets} == {(0, p) for p in range(128)} | {(128, 0)}
        programs = {*(part.program for part in load_parts()), PAD, KNOCK}
        instruments = {preset.preset: preset.bags[0].instrument for preset in presets if preset.bank == 0}
        assert len({instruments[program].name for program in programs}) == 17
        for program in programs - {KNOCK}:
            for bag in instruments[program].bags:
                if bag.sample_loop:
                    sample = bag.sample
                    periods = (
                        sample.loop_duration * key_to_hz(np.array(float(sample.original_pitch))) / sample.sample_rate
                    )
                    assert 1200 * np.log2(periods / round(float(periods))) == pytest.approx(0, abs=0.1)
                    assert sample.pitch_correction == 0
    assert not caplog.records, "it has nothing to complain about"


def test_the_voices_of_each_sound_are_instruments_of_their_own():
    """Programs that the font's table does not name share the sound of a neighbour."""
    own = {row["program"] for row in tomllib.loads((FOLDER / "gradmidi.toml").read_text(encoding="utf-8"))["voice"]}
    sounds = sorted((Path(voices.__file__).parent / "sounds").glob("*.toml"))
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sounds]
    wanted = {voices.program_of(row["instrument"]) for table in tables for row in table.get("voice", ())}
    assert wanted
    assert wanted | {part.program for part in load_parts()} <= own


@pytest.mark.usefixtures("need_fluidsynth")
class TestVoices:
    def test_they_speak_within_10_ms(self, instruments):
        late = {
            (voice, key): ms
            for voice in range(15)
            for key in C1_TO_C7
            if (ms := speak_time(instruments, voice, key)) > 10
        }
        assert not late

    def test_they_are_in_tune_to_a_tenth_of_a_cent(self, instruments):
        for voice in range(15):
            for key in (24, 38, 45, 56, 60, 69, 83, 96):
                assert abs(cents_off(instruments, voice, key)) < 0.1, (voice, key)

    def test_they_are_equally_loud_from_c3_to_c7(self, instruments):
        heard = [loudness(instruments.note(voice, key)) for voice in range(15) for key in C3_TO_C7]
        assert max(heard) - min(heard) < 2, "within 1 dB of the middle"

    def test_a_note_does_not_ring_into_the_next_slot(self, instruments):
        rings = [ring(instruments.note(voice, key)) for voice in range(15) for key in C3_TO_C7]
        assert max(rings) < -10

    def test_timbres_are_apart(self, instruments):
        for key, least, least_of_neighbours in ((48, 6, 8), (60, 6, 8), (72, 6, 8), (84, 4.5, 8), (96, 2.5, 5)):
            distances = timbre_distances(instruments, 15, key)
            assert min(distances[i, j] for i in range(15) for j in range(i)) > least, key
            assert min(distances[i, j] for i, j in pairwise(range(15))) > least_of_neighbours, key

    def test_the_pitch_of_each_slot_is_heard(self, instruments):
        share, per_voice = pitch_listener(instruments, 15, rows=100)
        assert share > 0.97
        assert per_voice.min() > 0.9

    def test_a_tied_note_does_not_fade_into_silence(self, instruments):
        for voice in range(15):
            note = instruments.note(voice, 60, held=6.0)
            assert power(note.held[-RATE:]) > power(note.held[: RATE // 20]) - 30


@pytest.mark.usefixtures("need_fluidsynth")
def test_the_default_voices_speak_in_their_slot_on_a_general_midi_font(monkeypatch):
    """On the one that comes with pretty_midi, from C3 on; below, strings are slow."""
    monkeypatch.setattr("gradmidi.outputs.soundfont_choice.SYSTEM_FOLDERS", ())
    made = Instruments(find_soundfont("gm"), load_parts())
    late = [(v, key) for v in range(15) for key in (48, 60, 72, 84, 96) if speak_time(made, v, key) > 50]
    made.close()
    assert not late


def test_neighbours_are_on_different_sides():
    pans = [part.pan for part in load_parts()]
    assert all((left - 64) * (right - 64) < 0 for left, right in pairwise(pans))
    assert len({part.program for part in load_parts()}) == len(pans) == 15


@pytest.mark.usefixtures("need_fluidsynth")
def test_the_pad_is_sustained_dark_and_audible_on_small_speakers(fluid):
    fluid.send(mido.Message("program_change", channel=0, program=PAD))
    for key in (33, 45, 57, 69):
        sound = strike(fluid, key, 4.0, 1.0, channel=0)[: 4 * RATE]
        assert band(sound, 100, 600 if key < 69 else 900) > band(sound, 900, 20_000) + 10
        assert band(sound, 200, 20_000) > band(sound, 0, 20_000) - 10, "behind a high-pass of 200 Hz"
        assert band(sound[-RATE:], 0, 20_000) > band(sound[RATE : 2 * RATE], 0, 20_000) - 3
    loud = power(Instruments(FONT, [Part(0, 64, 100, 88, 0)]).note(0, 57, held=1.0).held[:2205])
    soft = power(Instruments(FONT, [Part(PAD, 64, 100, 88, 0)]).note(0, 57, held=1.0).held[-22050:])
    assert -18 < soft - loud < -6


@pytest.mark.usefixtures("need_fluidsynth")
def test_the_knock_is_hollow_and_short(fluid):
    fluid.send(mido.Message("program_change", channel=0, program=KNOCK))
    for key in range(62, 72):  # D4 to B4
        sound = strike(fluid, key, 0.05, 0.5, channel=0)
        assert band(sound, 280, 820) > band(sound, 0, 20_000) - 1
        assert band(sound[: RATE // 20], 0, 20_000) - band(sound[RATE // 4 : RATE * 3 // 10], 0, 20_000) > 40
        hz = key_to_hz(np.array(float(key)))
        assert band(sound, 1.9 * hz, 2.1 * hz) < band(sound, 1.5 * hz, 1.7 * hz) - 15, "its partials are not harmonic"


@pytest.mark.usefixtures("need_fluidsynth")
@pytest.mark.parametrize("key", ONSETS)
def test_onsets_sound_to_their_end_on_any_speaker(fluid, key):
    """Whole however soon the key is released; above 200 Hz and below 500 Hz alike."""
    sound = strike(fluid, key, 0.02, 0.98)
    assert not np.any(np.abs(sound[round(0.52 * RATE) :]) > 1e-4)
    held = strike(fluid, key, 1.0)
    assert band(sound, 0, 20_000) == pytest.approx(band(held, 0, 20_000), abs=0.5)
    assert band(sound, 200, 500) > band(sound, 0, 20_000) - 12
    assert band(sound, 200, 20_000) > band(sound, 0, 20_000) - 1.5


@pytest.mark.usefixtures("need_fluidsynth")
@pytest.mark.parametrize("key", HOLDS)
def test_held_keys_sound_as_long_as_they_are_held(fluid, key):
    sound = strike(fluid, key, 12.0, 2.0)
    early, late = sound[RATE : 3 * RATE], sound[10 * RATE : 12 * RATE]
    assert band(late, 0, 20_000) == pytest.approx(band(early, 0, 20_000), abs=1)
    assert band(late, 200, 800) > band(late, 0, 20_000) - 6
    assert np.abs(sound[13 * RATE :]).max() < 1e-4
    assert band(late, 0, 20_000) > 20


@pytest.mark.usefixtures("need_fluidsynth")
def test_every_key_of_a_general_midi_kit_sounds(fluid):
    silent = [key for key in range(35, 82) if np.abs(strike(fluid, key, 0.3, 1.0)).max() < 1e-3]
    assert not silent


@pytest.mark.slow
@pytest.mark.usefixtures("need_fluidsynth")
@pytest.mark.parametrize("where", kit.WHERES)
def test_strokes_are_told_apart_among_notes(where):
    """By templates alone, also where a wall or a small speaker leaves half of the spectrum; and they stand out."""
    confusion, out = kit.listen(where, trials=3)
    assert np.trace(confusion) / len(confusion) > 0.97
    assert out.min() > 10


@pytest.mark.usefixtures("need_fluidsynth")
def test_strokes_do_not_clip_where_notes_are_at_minus_20_lufs(instruments, fluid):
    """Four voices and two rests per step: −20 LUFS is 1.76 dB below the notes, and BS.1770 takes 0.691 off."""
    notes = np.mean([loudness(instruments.note(voice, 72)) for voice in range(4)])
    gain = -20 - (notes - 1.76 - 0.691)
    for key in ONSETS:
        fluid.send(mido.Message("note_on", channel=9, note=key, velocity=115))
        peak = 20 * np.log10(np.abs(fluid.samples(RATE)).max())
        assert peak + gain < -1, key
