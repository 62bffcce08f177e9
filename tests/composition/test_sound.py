"""What sounds besides the layers: earcons, held tones, knocks, the loss pad, pulses, cadences; presets as data."""

from __future__ import annotations

import numpy as np
import pytest

from gradmidi import InputError, Recording, Scale, compose
from gradmidi.composition import Composer
from gradmidi.composition.earcons import Earcon, earcons
from gradmidi.composition.sound import SOUNDS, choose_sound
from gradmidi.composition.volatility import PULSES
from gradmidi.events import KINDS, find_events
from gradmidi.outputs.midi_events import note_events
from gradmidi.score import Score

RNG = np.random.default_rng(7)
STEPS = 600
COLUMNS = ("onset", "duration", "frequency", "layer", "velocity", "step", "tied", "drum", "program")


def healthy(steps: int = STEPS, layers: int = 4) -> np.ndarray:
    return np.exp(RNG.normal(0, 0.3, (steps, layers)))


def recorded(norms: np.ndarray, loss: np.ndarray | None = None, **meta: str) -> Recording:
    layers = tuple(f"fc{i}" for i in range(norms.shape[1]))
    metrics = {} if loss is None else {"loss": loss}
    return Recording(layers, np.arange(len(norms)), norms, metrics, meta, np.zeros(norms.shape, dtype=bool))


def of_voice(score: Score, name: str) -> np.ndarray:
    return score.of_voice([voice.name for voice in score.voices].index(name))


def struck_keys(score: Score) -> list[tuple[float, int]]:
    """(time, key) of every stroke on channel 10, as MIDI has it."""
    return [
        (event.time, event.message.note)
        for event in note_events(score, "12tet")
        if event.message.type == "note_on" and event.message.channel == 9
    ]


def failing(fault: float, steps: int = STEPS) -> Recording:
    """Healthy for 100 steps, then one layer shows ``fault`` for 300, then healthy again."""
    norms = healthy(steps)
    norms[100:400, 1] = fault
    return recorded(norms, np.linspace(2, 1, steps))


def test_a_lasting_fault_is_said_at_once_then_every_ten_seconds_then_that_it_is_over() -> None:
    rec = failing(np.nan)
    score = compose(rec)
    onset, recovery = (event.step for event in find_events(rec) if event.kind == "nan" and event.phase != "ongoing")
    step = score.step_length
    times = [time for time, key in struck_keys(score) if key == earcons()["nan"].onset]
    assert times[0] == pytest.approx(onset * step)
    assert np.diff(times) == pytest.approx(10, abs=step)
    assert len(times) == 1 + int((recovery - onset) * step // 10)
    assert [time for time, key in struck_keys(score) if key == 81] == pytest.approx([recovery * step])


def test_in_between_a_quiet_tone_is_held_as_one_note() -> None:
    rec = failing(np.nan)
    score = compose(rec)
    onset, recovery = (event.step for event in find_events(rec) if event.kind == "nan" and event.phase != "ongoing")
    key = earcons()["nan"].hold
    played = [e for e in note_events(score, "12tet") if e.message.channel == 9 and e.message.note == key]
    assert [e.message.type for e in played] == ["note_on", "note_off"]
    assert [e.time for e in played] == pytest.approx([onset * score.step_length, recovery * score.step_length])
    assert played[0].message.velocity < 64


def test_the_layer_that_fails_is_called_by_its_own_voice_in_the_rest() -> None:
    score = compose(failing(np.nan))
    rests = np.round(score.onset / score.step_length % 1 * 6, 6)  # four notes and two units of rest
    called = np.isin(rests, [4.0, 5.0]) & score.pitched & (score.layer < 4)
    assert set(score.layer[called].tolist()) == {1}


def test_every_kind_that_can_begin_has_a_sound_of_its_own() -> None:
    table = earcons()
    sick = [name for name, kind in KINDS.items() if kind.sick]
    assert set(table) == set(sick)
    keys = [key for one in table.values() for key in one if key >= 0]
    assert len(keys) == len(set(keys)) and all(35 <= key <= 81 for key in keys), "General MIDI's percussion"
    assert all((one == Earcon(one.onset)) == (KINDS[name].momentary or name == "zero") for name, one in table.items())


def test_zero_has_an_instrument_of_its_own_at_the_layers_own_pitch() -> None:
    norms = healthy(60)
    norms[20:30, 2] = 0
    score = compose(recorded(norms))
    zeros = np.flatnonzero(score.program == 115)
    assert score.step[zeros].tolist() == list(range(20, 30)) and set(score.layer[zeros].tolist()) == {2}
    pitch = set(score.frequency[zeros].tolist())
    assert len(pitch) == 1 and 293 < pitch.pop() < 495
    programs = [e.message.program for e in note_events(score, "12tet") if e.message.type == "program_change"]
    assert programs == [115, score.voices[2].program]


def test_each_layers_knock_has_another_pitch() -> None:
    score = compose(recorded(np.zeros((3, 14))))
    knocks = score.frequency[score.program == 115][:14]
    assert (np.diff(knocks) > 0).all()
    assert (knocks[0], knocks[-1]) == pytest.approx((293.66, 493.88), abs=0.01)


def test_a_net_times_1e_4_is_not_taken_for_zeros() -> None:
    small = compose(recorded(healthy() * 1e-4))
    assert not (small.program == 115).any()
    assert small.frequency[small.pitched].min() > 130.8, "C3, the limit"
    assert len(set(small.frequency[small.layer < 4].tolist())) > 1


def test_a_dead_drone_is_struck_again_every_two_seconds() -> None:
    norms = np.vstack([healthy(10), np.zeros((90, 4))])
    score = compose(recorded(norms), style="drone")
    struck = (score.program == 115) & score.struck & (score.layer == 0)
    assert np.diff(score.onset[struck])[1:] == pytest.approx(2, abs=score.step_length)


def test_a_converged_run_neither_sinks_to_the_lowest_tone_nor_leaps() -> None:
    rng = np.random.default_rng(3)
    norms = 10 ** rng.uniform(-5, -4, (1, 4)) * np.exp(rng.normal(0, 1.3, (3000, 4)))
    score = compose(recorded(norms))
    keys = 69 + 12 * np.log2(score.frequency[score.layer < 4].reshape(-1, 4) / 440)
    lowest = Scale.parse("A minor pentatonic").frequencies(130, 2100)[0]
    assert (score.frequency[score.layer < 4] < lowest * 1.001).mean() < 1e-3
    assert np.abs(np.diff(keys, axis=0)).mean() <= 3
    assert np.abs(np.diff(keys.ravel())).mean() <= 3


def test_the_loss_is_a_slow_pad_that_sinks_with_it() -> None:
    loss = np.geomspace(10, 0.001, STEPS)
    score = compose(recorded(healthy(), loss))
    pad = of_voice(score, "loss")
    assert len(pad) == STEPS and score.struck[pad].sum() < 25
    assert (np.diff(score.frequency[pad]) <= 0).all()
    assert 55 <= score.frequency[pad].min() < 80 < 400 < score.frequency[pad].max() <= 880
    assert score.onset[pad] + score.duration[pad] == pytest.approx(np.r_[score.onset[pad][1:], score.length])


def test_no_loss_is_no_pad_and_a_loss_that_is_no_number_is_silence() -> None:
    assert not len(of_voice(compose(recorded(healthy(50))), "loss"))
    loss = np.ones(50)
    loss[20:30] = np.nan
    loss[30:32] = -1
    pad = of_voice(compose(recorded(healthy(50), loss)), "loss")
    assert len(pad) == 38


def test_pulses_count_how_much_more_strongly_norms_change_than_they_used_to() -> None:
    for level, times in enumerate([1.5, *(1.2 * limit for limit in PULSES)]):
        change = 0.3 * np.where(np.arange(400) < 200, 1, times)
        norms = np.exp(np.cumsum(np.where(np.arange(400) % 2, 1, -1) * change))[:, np.newaxis] * np.ones(3)
        score = compose(recorded(norms))
        pulses = of_voice(score, "unrest")
        steps = score.step[pulses]
        assert not (steps < 200).any()
        assert (steps > 240).sum() / 159 == pytest.approx(level, abs=0.3)
        assert set(score.drum[pulses].tolist()) <= {64}


def test_nothing_pulses_where_nothing_is_a_number() -> None:
    norms = np.exp(RNG.normal(0, np.where(np.arange(100) < 60, 0.1, 3)[:, np.newaxis], (100, 3)))
    norms[80:] = np.nan
    score = compose(recorded(norms))
    assert score.step[of_voice(score, "unrest")].max() == 79


def test_ambient_is_soft_until_something_is_wrong() -> None:
    score = compose(failing(np.nan), sound="ambient")
    layers = score.layer < 4
    assert (
        score.velocity[layers & (score.step < 100)].max() < 40 < 80 < score.velocity[layers & (score.step == 150)].min()
    )


def test_the_mode_of_a_concert_gets_brighter_as_the_loss_falls() -> None:
    steps = 900
    loss = np.repeat([4.0, 0.5, 0.05], steps // 3)
    score = compose(recorded(10 ** RNG.uniform(-2, 2, (steps, 4)), loss), sound="concert")
    classes = [
        {round(12 * np.log2(hz / 440)) % 12 for hz in score.frequency[(score.layer < 4) & at].tolist()}
        for at in (score.step < 250, (score.step > 400) & (score.step < 550), score.step > 750)
    ]
    minor, middle, lydian = classes
    assert minor <= {0, 2, 3, 5, 7, 8, 10} and lydian <= {0, 2, 4, 6, 7, 9, 11} and middle not in (minor, lydian)
    asked = compose(recorded(healthy(50), loss[:50]), sound="concert", scale="D dorian")
    assert {round(12 * np.log2(hz / 440)) % 12 for hz in asked.frequency[asked.layer < 4].tolist()} <= {
        5, 7, 8, 10, 0, 2, 3,
    }  # fmt: skip


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("block", [1, 7, 100])
def test_blocks_of_any_size_sound_alike(sound: str, block: int) -> None:
    norms = healthy(300)
    norms[40:80, 0], norms[100:200, 1], norms[150, 2], norms[250:, 3] = 0, np.nan, np.inf, 1e7
    rec = recorded(norms, np.geomspace(3, 0.1, 300))
    composer = Composer(rec.layers, sound=sound)
    parts = [composer.feed(rec.rows(i, i + block)) for i in range(0, 300, block)]
    whole = compose(rec, sound=sound)
    rows = [sorted(zip(*(getattr(one, name).tolist() for name in COLUMNS), strict=True)) for one in (*parts, whole)]
    assert sorted(row for part in rows[:-1] for row in part) == rows[-1]


def test_the_pad_takes_a_channel_of_the_fifteen() -> None:
    for sound, layers, most in (("debug", 14, 14), ("post", 15, 15), ("percussive", 15, 15)):
        score = compose(recorded(healthy(20, layers)), sound=sound)
        melodic = [voice for voice in score.voices if not voice.percussion and not voice.sustained]
        channels = [voice.channel for voice in score.voices if not voice.percussion]
        assert len(melodic) == most and len(set(channels)) == len(channels) and 9 not in channels


@pytest.mark.parametrize(("how", "last"), [("well", {0, 4, 7}), ("stopped", {7, 11, 2}), ("failed", {6, 9, 0})])
def test_how_a_run_ended_is_a_cadence(how: str, last: set[int]) -> None:
    rec = recorded(healthy(20), ended=how)
    plain, score = compose(recorded(healthy(20))), compose(rec)
    assert score.length > plain.length + 1
    chord = score.frequency[score.onset == score.onset.max()]
    assert {round(12 * np.log2(hz / 440)) % 12 for hz in chord.tolist()} == last
    assert compose(rec, sound="post").length == plain.length


def test_a_mapping_or_scale_that_is_asked_for_is_exact() -> None:
    norms = healthy(100)
    score = compose(recorded(norms), mapping="log", scale=None)
    heard = score.frequency[score.layer < 4].reshape(-1, 4)
    assert heard == pytest.approx(261.6255653 * norms ** np.log10(2))
    wide = compose(recorded(norms), scale=None, hysteresis=0).frequency[:4]
    assert wide == pytest.approx(130.8127827 * 2 ** ((np.log10(norms[0]) + 7) / 3))


def test_a_sound_of_ones_own(tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('about = "mine"\nzero = "knock"\nstyle = "chord"\n[[voice]]\ninstrument = "Flute"\n')
    score = compose(recorded(healthy(5)), sound=file)
    assert score.voices[0].program == 73 and len(set(score.onset.tolist())) == 5
    assert choose_sound(str(file)).events == "drums"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("louder = 1", "'louder' is not a key of a sound; there are about, mapping"),
        ('mapping = "lgo"', "mapping is 'lgo'; it must be one of log, post"),
        ("healthy = 2", "healthy is 2; it must be a number from 0 to 1"),
        ("loss = 1", "loss is 1; it must be true or false"),
        ("hysteresis = 1", "hysteresis is 1; it must be"),
        ('modes = "A minor"', "modes is 'A minor'; it must be a list of scales"),
        ("about = 3", "about is 3; it must be text"),
        ("voice = 3", "'voice' is 3; write a table"),
        ("loss = maybe", "mine.toml"),
    ],
)
def test_what_is_wrong_with_a_sound_is_one_clear_line(text: str, said: str, tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"mine\.toml") as error:
        choose_sound(file)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["loud", 3, None, "no-such.toml"])
def test_a_sound_that_does_not_exist(name: object) -> None:
    with pytest.raises(InputError, match=r"debug|no-such\.toml"):
        compose(recorded(healthy(3)), sound=name)


def test_the_explained_preset_explains_every_key() -> None:
    from dataclasses import fields
    from importlib import resources

    from gradmidi.composition.sound import Sound

    text = (resources.files("gradmidi.composition") / "sounds" / "post.toml").read_text(encoding="utf-8")
    for field in fields(Sound):
        assert field.name == "parts" or f"\n{field.name} = " in f"\n{text}", field.name
    assert all(choose_sound(name).about for name in SOUNDS)


def test_a_piece_of_a_given_length_has_its_cadence_within_it() -> None:
    for seconds, has_cadence in ((60.0, True), (10.0, False)):
        score = compose(recorded(healthy(1000), ended="well"), duration=seconds)
        assert seconds - 2.5 < score.length <= seconds
        assert (len(np.unique(score.step[score.onset > score.length - 2])) == 1) == has_cadence
