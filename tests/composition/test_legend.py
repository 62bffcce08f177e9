"""The legend of a sound: what its captions say is what is heard, in the notes and in the rendered sound."""

from __future__ import annotations

import re
import wave
from itertools import pairwise

import numpy as np
import pytest

import gradmidi as gm
from gradmidi.composition.earcons import earcons, key_of
from gradmidi.composition.sound import SOUNDS
from gradmidi.events import KINDS
from gradmidi.outputs.captions import captions_of
from gradmidi.theory.pitch import hz_to_key, parse_pitch

RATE = 44_100
LASTS = 3.0  # s of an event, until it has recovered


@pytest.fixture(scope="module")
def score():
    return gm.legend()


def scenes(score):
    """Of each scene: text, start and end in s, and which notes are its own."""
    times = [*score.marks.time.tolist(), score.length]
    for mark, (start, end) in zip(score.marks, pairwise(times), strict=True):
        yield mark.text, start, end, (score.onset >= start - 1e-9) & (score.onset < end - 1e-9)


def scene(score, words):
    (found,) = [one for one in scenes(score) if one[0].lower().startswith(words.lower())]
    return found


def names_of(score, notes):
    return {score.voices[voice].name for voice in score.layer[notes].tolist()}


def claimed(text):
    """Norm and note of each that a voice's text names."""
    return [
        (float(norm), note.replace(" sharp ", "#")) for norm, note in re.findall(r"([0-9.]+) is ([A-G sharp]+\d)", text)
    ]


def sound_of(score, path, soundfont=None):
    score.render_wav(path, soundfont)
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE and file.getnchannels() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return samples.reshape(-1, 2).mean(axis=1) / 32768


def level(sound, start, end):
    """RMS in dB."""
    part = sound[int(RATE * start) : int(RATE * end)]
    return 10 * np.log10(np.mean(part**2) + 1e-12)


def test_each_layer_is_heard_alone_and_named_with_its_pitches(score):
    for number, layer in enumerate(["conv1", "conv2", "fc1", "fc2"]):
        text, start, _, notes = list(scenes(score))[number]
        assert text.startswith(f"{layer}: ")
        assert names_of(score, notes) == {layer}
        assert score.onset[notes][0] == pytest.approx(start + 0.05 * number)  # in its slot
        heard = score.frequency[notes]
        tones = [float(parse_pitch(note)) for _, note in claimed(text)]
        assert [norm for norm, _ in claimed(text)] == [0.01, 1, 100]
        assert tones[0] < tones[1] < tones[2]
        assert heard[[0, len(heard) // 2, -1]] == pytest.approx([tones[0], tones[2], tones[0]], rel=1e-3)
        run = gm.compose(gm.Recording.from_arrays([[np.nan] * number + [1.0] + [np.nan] * (3 - number)]))
        assert tones[1] == pytest.approx(run.frequency[run.pitched & (run.layer == number)][0], rel=1e-3)


def test_zero_is_each_layers_own_knock(score):
    _, _, _, notes = scene(score, "A norm of exactly zero")
    assert set(score.program[notes].tolist()) == {115}
    assert np.all(np.diff(score.frequency[notes][:4]) > 0)


def test_the_loss_falls_and_rises_alone(score):
    _, _, _, notes = scene(score, "The loss")
    assert names_of(score, notes) == {"loss"}
    tones = score.frequency[notes]
    lowest = int(tones.argmin())
    assert np.all(np.diff(tones[: lowest + 1]) <= 0) and np.all(np.diff(tones[lowest:]) >= 0)
    assert 1.5 < np.log2(tones.max() / tones.min()) < 4


@pytest.mark.parametrize("kind", list(earcons()))
def test_each_event_has_its_onset_its_held_tone_and_its_recovery(score, kind):
    text, start, _, notes = scene(score, f"{KINDS[kind].title}: its onset")
    struck, held = score.drum[notes], earcons()[kind].hold
    over = [] if KINDS[kind].momentary else [key_of("recovered")]
    assert [key for key in struck.tolist() if key != held] == [earcons()[kind].onset, *over]
    assert (held in struck.tolist()) == (held >= 0)
    assert names_of(score, notes) <= {"events", "state"}
    if over:
        assert score.onset[notes][struck == over[0]] == pytest.approx([start + LASTS], abs=0.15)
    assert KINDS[kind].meaning in text


def test_a_layer_is_called_and_unrest_has_up_to_three_pulses_in_a_step(score):
    _, _, _, notes = scene(score, "With an event")
    assert "events" in names_of(score, notes) and (score.program[notes] == score.voices[0].program).any()
    _, _, _, notes = scene(score, "Unrest")
    pulses = notes & (score.drum == key_of("pulse"))
    per_step = np.unique(score.step[pulses], return_counts=True)[1]
    assert set(per_step.tolist()) == {1, 2, 3}


def test_each_ending_is_heard(score):
    for how in ("The run ended well", "The run was stopped", "The run failed"):
        _, _, _, notes = scene(score, how)
        assert (score.program[notes] >= 0).sum() == 8  # two chords of four layers


@pytest.mark.parametrize("sound", SOUNDS)
def test_every_sound_has_a_legend_whose_captions_can_be_read(sound):
    score = gm.legend(sound=sound)
    said = captions_of(score)
    assert [caption.lines for caption in said] == [(mark.text,) for mark in score.marks]
    assert all(len(one.text) <= 17.01 * (one.end - one.start) / 1000 for one in said)
    assert all(notes.any() for *_, notes in scenes(score))
    assert any(text.startswith("The loss") for text, *_ in scenes(score)) == (sound not in ("post", "percussive"))


@pytest.mark.parametrize("options", [{"style": "drone"}, {"style": "chord"}, {"invert": True}, {"mapping": "rank"}])
def test_with_other_options(options):
    score = gm.legend(["a"], **options)
    assert score.marks[0].text.startswith("a: Acoustic Grand Piano, left. Norm 0.01 is ")


def test_of_a_recordings_layers_grouped_as_in_its_music():
    rows = gm.Recording.from_arrays(np.ones((3, 30)), [f"block{i // 2}.conv{i % 2}" for i in range(30)])
    score = gm.legend(rows)
    assert [voice.name for voice in score.voices] == [voice.name for voice in gm.compose(rows).voices]
    _, _, _, notes = next(scenes(score))
    assert names_of(score, notes) == {score.voices[0].name}
    joined = gm.legend(["a", "b"], groups={"both": ["a", "b"]}, scale=None).frequency[0]
    assert joined == pytest.approx(gm.legend(["a"], scale=None).frequency[0]), "the norm of the two together"


def test_no_layers_are_refused():
    with pytest.raises(gm.InputError, match="at least one layer"):
        gm.legend([])


def test_the_sound_has_each_pitch_that_is_claimed(score, tmp_path, need_fluidsynth, pure_tone, pitch_of):
    sound = sound_of(score, tmp_path / "legend.wav", pure_tone)
    checked = 0
    for text, _, _, notes in scenes(score):
        for i, (_, note) in enumerate(claimed(text)):
            onset = float(score.onset[notes][score.step[notes] == 2 * i][0])
            heard = pitch_of(sound[int(RATE * (onset + 0.002)) : int(RATE * (onset + 0.048))], RATE)
            assert abs(hz_to_key(heard) - hz_to_key(parse_pitch(note))) < 0.4, (text, note, heard)
            checked += 1
    assert checked == 12


def test_the_sound_has_each_earcon_and_what_is_held(score, tmp_path, need_fluidsynth):
    sound = sound_of(score, tmp_path / "legend.wav")
    for kind, earcon in earcons().items():
        _, start, end, _ = scene(score, f"{KINDS[kind].title}: its onset")
        assert level(sound, start, start + 0.3) > -50, kind
        if earcon.hold >= 0:
            assert level(sound, start + 1.5, start + 2.8) > -60, kind
        if not KINDS[kind].momentary:
            assert level(sound, start + 3.0, start + 3.4) > -50, kind
        assert level(sound, end - 0.4, end - 0.02) < -60, f"{kind} does not end"
