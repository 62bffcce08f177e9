"""Two runs as one piece: A at the left and B at the right, or in turns, with the notes that each has alone."""

from __future__ import annotations

import wave

import numpy as np
import pytest

import gradmidi as gm
from gradmidi.errors import InputError
from gradmidi.outputs.midi_events import note_events
from gradmidi.recording import Recording
from gradmidi.score import Score

PLAIN = {"sound": "post", "scale": None, "mapping": "log"}


def run(seed: int, steps: int = 40, layers: int = 3, scale: float = 1.0) -> Recording:
    rng = np.random.default_rng(seed)
    norms = scale * np.exp(rng.normal(0, 0.8, (steps, layers)))
    return Recording.from_arrays(norms, [f"l{i}" for i in range(layers)], loss=np.linspace(2, 1, steps))


def pitches(score: Score, voice: str) -> list[float]:
    index = [each.name for each in score.voices].index(voice)
    return score.frequency[score.of_voice(index)].tolist()


def test_each_run_plays_the_notes_that_it_has_alone():
    a, b = run(1), run(2)
    score = gm.compare(a, b, **PLAIN).score
    for letter, recording in (("A", a), ("B", b)):
        alone = gm.compose(recording, **PLAIN)
        for layer in recording.layers:
            assert pitches(score, f"{letter} {layer}") == pitches(alone, layer)


def test_a_layer_of_a_is_followed_by_the_same_layer_of_b():
    score = gm.compare(run(1), run(2), unit=0.1).score
    first = np.flatnonzero(score.step == 0)
    assert [score.voices[i].name for i in score.layer[first]] == ["A l0", "B l0", "A l1", "B l1", "A l2", "B l2"]
    np.testing.assert_allclose(score.onset[first], np.arange(6) * 0.1)
    assert (score.length, score.onset[6]) == pytest.approx((40 * 0.8, 0.8))


@pytest.mark.parametrize("style", ["chord", "drone"])
def test_other_styles_play_both_together(style):
    score = gm.compare(run(1), run(2), style=style).score
    assert len(set(score.onset[score.step == 7].tolist())) == 1


def test_a_layer_has_one_instrument_on_two_channels():
    voices = gm.compare(run(1, layers=7), run(2, layers=7)).score.voices
    notes = [voice for voice in voices if not voice.percussion]
    assert len({voice.channel for voice in notes}) == len(notes) == 14
    assert 9 not in {voice.channel for voice in notes}
    assert [voice.program for voice in notes[0::2]] == [voice.program for voice in notes[1::2]]
    assert {voice.pan for voice in notes[0::2]} == {10} and {voice.pan for voice in notes[1::2]} == {118}


def test_more_layers_than_seven_play_in_the_same_groups():
    a, b = run(1, layers=20), run(2, layers=20)
    voices = [voice.name for voice in gm.compare(a, b).score.voices if not voice.percussion]
    assert len(voices) <= 14
    assert [name[2:] for name in voices[0::2]] == [name[2:] for name in voices[1::2]]
    own = gm.compare(a, b, groups={"low": ["l0", "l1"], "high": ["l1*"]}).score
    assert [voice.name for voice in own.voices][:4] == ["A low", "B low", "A high", "B high"]
    with pytest.raises(InputError, match="8 groups were given; there can be 1 to 7"):
        gm.compare(a, b, groups={f"g{i}": [f"l{i}"] for i in range(8)})


def samples_of(path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as wav:
        data = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2")
        return data.reshape(-1, 2) / 32768, wav.getframerate()


def test_a_is_heard_at_the_left_and_b_at_the_right(need_fluidsynth, pure_tone, tmp_path, pitch_of):
    """In the sound itself: the louder side of each slot, and the pitch on it."""
    a, b = run(1, steps=6), run(2, steps=6)
    score = gm.compare(a, b, unit=0.2, scale="chromatic").score
    score.render_wav(tmp_path / "ab.wav", pure_tone)
    samples, rate = samples_of(tmp_path / "ab.wav")
    for onset, layer, hertz in zip(score.onset, score.layer, score.frequency, strict=True):
        heard = samples[round((onset + 0.05) * rate) : round((onset + 0.18) * rate)]
        left, right = 10 * np.log10((heard**2).mean(axis=0))
        is_a = score.voices[layer].name.startswith("A")
        assert (left - right if is_a else right - left) > 12  # dB; 18 by the pans, less what reverberates
        assert 12 * abs(np.log2(pitch_of(heard[:, 0 if is_a else 1], rate) / hertz)) < 0.2  # semitones


def test_what_ends_in_one_run_lasts_in_the_other():
    """Both losses are stuck from the same step on; only that of A moves again."""
    stuck = np.full(800, 2.3)
    moves = np.concatenate([stuck[:400], np.linspace(2.3, 0.1, 400)])
    a, b = (Recording.from_arrays(run(1, steps=800).norms, loss=loss) for loss in (moves, stuck))
    score = gm.compare(a, b).score
    ended = score.marks.of("plateau-recovered")
    assert [text[:2] for text in ended.text] == ["A:"]
    held = score.step[score.of_voice([voice.name for voice in score.voices].index("state"))]
    assert held.max() == 799 > ended.step[0]


def test_what_follows_one_loss_or_the_unrest_is_left_out():
    for how in ("left-right", "alternating"):
        for sound in ("debug", "concert", "ambient", "percussive"):
            voices = {voice.name for voice in gm.compare(run(1), run(2), how=how, sound=sound).score.voices}
            assert not voices & {"loss", "unrest"}
            assert {"events", "state"} <= voices


def test_an_event_calls_its_layer_on_the_side_of_its_run():
    a, b = run(1, steps=60), run(2, steps=60)
    norms = b.norms.copy()
    norms[20, 1] = np.nan
    score = gm.compare(a, Recording(b.layers, b.steps, norms)).score
    struck = score.of_voice([voice.name for voice in score.voices].index("events"))
    assert score.step[struck[0]] == 20
    called = np.flatnonzero((score.step == 20) & score.pitched)[-1]
    assert score.voices[score.layer[called]].name == "B l1"


# --- what is missing, wrong or long ---


def test_where_one_run_has_no_step_only_the_other_is_heard():
    score = gm.compare(run(1, steps=10), run(2, steps=30)).score
    late = score.step >= 10
    assert {score.voices[i].name[0] for i in score.layer[late]} == {"B"}
    assert {score.voices[i].name[0] for i in score.layer[~late]} == {"A", "B"}


def test_events_of_both_are_marked_with_their_run():
    a, b = run(1, steps=60), run(2, steps=60)
    norms = b.norms.copy()
    norms[20, 1] = np.nan
    marks = gm.compare(a, Recording(b.layers, b.steps, norms, b.metrics)).score.marks.of("nan")
    assert [(mark.text, mark.step, mark.layer) for mark in marks] == [("B: NaN in l1 at step 20", 20, "B l1")]


@pytest.mark.parametrize("sound", ["debug", "post"])
def test_a_nan_between_the_compared_steps_is_heard(sound):
    """B has every tenth step, so that row 13 of A is left out; its NaN is heard in the slot of step 10 all the same."""
    a, b = run(1, steps=100), run(2, steps=100)[::10]
    norms = a.norms.copy()
    norms[13, 2] = np.nan
    score = gm.compare(Recording(a.layers, a.steps, norms), b, sound=sound).score
    mark = score.marks.of("nan")[0]
    assert (mark.step, mark.layer) == (13, "A l2")
    slot = score.onset[score.step == 10].min()
    struck = score.onset[score.drum == 38]
    assert slot <= struck[0] < slot + score.step_length


def test_a_duration_is_kept_and_both_have_the_same_bins():
    a, b = run(1, steps=2000), run(1, steps=2000)
    for how in ("left-right", "alternating"):
        score = gm.compare(a, b, how=how, duration=20.0).score
        assert 18 < score.length <= 20
    same = gm.compare(a, b, duration=20.0).score
    assert pitches(same, "A l1") == pitches(same, "B l1")
    with pytest.raises(InputError, match=r"one step of both lasts 1\.5 s"):
        gm.compare(a, b, how="alternating", duration=1.0)


# --- turns ---


def turns_of(score: Score) -> list[tuple[str, float, float]]:
    marks = score.marks.of("turn")
    ends = [*marks.time[1:], score.length]
    return [(text[0], start, end) for text, start, end in zip(marks.text, marks.time, ends, strict=True)]


def test_turns_play_the_same_steps_of_both_one_after_the_other():
    a, b = run(1, steps=50), run(2, steps=50)
    comparison = gm.compare(a, b, how="alternating", turn="20 steps", **PLAIN)
    score = comparison.score
    assert [letter for letter, *_ in turns_of(score)] == ["A", "B"] * 3
    assert score.marks.of("turn").text.tolist()[2] == "A: steps 20 to 39"
    for number, (letter, start, end) in enumerate(turns_of(score)):
        first = number // 2 * 20
        alone = gm.compose({"A": a, "B": b}[letter].rows(first, first + 20), **PLAIN)
        inside = score.pitched & (score.onset >= start) & (score.onset < end)
        assert score.frequency[inside].tolist() == alone.frequency.tolist()
        np.testing.assert_allclose(score.onset[inside], alone.onset + start + 0.5)


def test_one_knock_announces_a_and_two_announce_b():
    score = gm.compare(run(1, steps=50), run(2, steps=50), how="alternating", turn="20 steps").score
    knocking = [voice.name for voice in score.voices].index("turn")
    assert score.voices[knocking].percussion
    for letter, start, end in turns_of(score):
        notes = score.of_voice(knocking)
        knocks = notes[(score.onset[notes] >= start) & (score.onset[notes] < end)]
        assert len(knocks) == {"A": 1, "B": 2}[letter]
        assert score.onset[knocks[-1]] + score.duration[knocks[-1]] < start + 0.5


def test_a_run_that_has_ended_leaves_its_turns_out():
    score = gm.compare(run(1, steps=50), run(2, steps=15), how="alternating", turn="10 steps").score
    assert [letter for letter, *_ in turns_of(score)] == ["A", "B", "A", "B", "A", "A", "A"]


def test_a_turn_in_seconds():
    score = gm.compare(run(1), run(2), how="alternating", turn="2s").score  # a step lasts (3 + 2) × 50 ms
    assert [end - start for _, start, end in turns_of(score)][:4] == pytest.approx([2.5] * 4)


def test_a_drone_is_not_tied_across_turns():
    a = Recording.from_arrays(np.ones((40, 2)))
    score = gm.compare(a, a, how="alternating", turn="10 steps", style="drone").score
    for _, start, end in turns_of(score):
        inside = np.flatnonzero(score.pitched & (score.onset >= start) & (score.onset < end))
        assert not score.tied[inside[:2]].any() and score.tied[inside[2:]].all()
        assert (score.onset[inside] + score.duration[inside] <= end + 1e-9).all()


def test_what_lasts_in_one_run_sounds_in_its_turns_only():
    """In the MIDI messages themselves: B's held tone of NaN is silent while A plays."""
    a, b = run(1, steps=120), run(2, steps=120)
    norms = b.norms.copy()
    norms[30:] = np.nan
    score = gm.compare(a, Recording(b.layers, b.steps, norms), how="alternating", turn="20 steps").score
    state = [voice.name for voice in score.voices].index("state")
    sounding = None
    held = []
    for event in note_events(score, "12tet"):
        if event.voice == state:
            assert (sounding is None) == (event.message.type == "note_on")
            if sounding is not None:
                held.append((sounding, event.time))
            sounding = event.time if event.message.type == "note_on" else None
    assert sounding is None
    assert len(held) >= 4
    turns = turns_of(score)
    for begin, end in held:
        ((letter, _, last),) = [turn for turn in turns if turn[1] <= begin < turn[2]]
        assert letter == "B" and end <= last + 1e-9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how": "both"}, "there are left-right and alternating"),
        ({"turn": "soon", "how": "alternating"}, "'soon' is not the length of a turn"),
        ({"turn": 0.01, "how": "alternating"}, "too short: one step lasts 0.25 s"),
        ({"turn": "0 steps"}, "too short"),
        ({"turn": None}, "turn is None"),
        ({"dynamics": "loss-change"}, "follows one run's loss"),
        ({"max_voices": 0}, "0 voices are not possible"),
        ({"names": "ab"}, "must be two names"),
    ],
)
def test_options_that_cannot_be_used(options, message):
    with pytest.raises(InputError, match=message):
        gm.compare(run(1), run(2), **options)
