"""What compose takes: everything that the command line takes, and one clear line for what it does not."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError
from functools import partial
from inspect import signature

import numpy as np
import pytest

import gradmidi
from gradmidi import InputError, Recording, Scale, compose, composition
from gradmidi.composition import Composer
from gradmidi.composition.grouping import group_layers
from gradmidi.composition.options import COMPOSE_DEFAULTS
from gradmidi.composition.pitch_range import PitchRange
from gradmidi.composition.timing import POST_UNIT, Timing, parse_duration, parse_unit
from gradmidi.composition.voices import Part
from gradmidi.outputs.sine import RATE, TONE_SAMPLES

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")
compose = partial(compose, sound="post")

REC = Recording.from_arrays(np.geomspace(0.01, 100, 40).reshape(20, 2))


def test_unit_and_tempo_as_on_the_command_line() -> None:
    assert compose(REC, unit="1/8", tempo=120).onset[1] == 0.25  # an eighth at 120 BPM
    assert compose(REC, unit="20ms").onset[1] == 0.02
    assert compose(REC, unit=0.02).onset[1] == 0.02
    assert compose(REC, tempo=90).tempo == 90
    np.testing.assert_array_equal(compose(REC, unit=0.02).onset, compose(REC, timing=Timing(0.02)).onset)


def test_duration_as_text() -> None:
    long = Recording.from_arrays(np.ones((4000, 2)))
    assert compose(long, duration="0.5m").length <= 30
    np.testing.assert_array_equal(compose(long, duration="0.5m").onset, compose(long, duration=30).onset)


def test_voices_from_a_file(tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[voice]]\ninstrument = "Flute"\n')
    assert {voice.program for voice in compose(REC, voices=file).voices[:-1]} == {73}
    assert {voice.program for voice in compose(REC, voices=str(file)).voices[:-1]} == {73}


def test_choices_may_come_from_anywhere() -> None:
    """Names as a program reads them: equal to ours, and not the same objects."""
    run = Recording.from_arrays(np.geomspace(1e-5, 1e6, 40).reshape(20, 2), loss=np.geomspace(1, 9, 20))
    for options in (
        {"style": "sequence", "dynamics": "voice", "beyond": "clamp", "mapping": "post"},
        {"style": "chord", "dynamics": "loss-change", "beyond": "fold", "mapping": "log"},
        {"style": "drone", "mapping": "adaptive", "scale": "none"},
    ):
        read = compose(run, **{name: "".join(list(choice)) for name, choice in options.items()})
        ours = compose(run, **options)
        for name, column in ours.columns().items():
            np.testing.assert_array_equal(read.columns()[name], column)
        assert read.held == ours.held


def test_options_are_given_by_name() -> None:
    np.testing.assert_array_equal(compose(recording=REC, duration=1).onset, compose(REC, duration=1.0).onset)
    with pytest.raises(TypeError):
        compose(REC, 1)  # type: ignore[misc]


def test_an_editor_sees_every_option_and_what_it_is_by_default() -> None:
    for function in (gradmidi.compose, composition.Composer):
        shown = {name: one.default for name, one in signature(function).parameters.items()}
        assert COMPOSE_DEFAULTS.items() <= shown.items()
        assert "options" not in shown


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        (Part(0, 64, 100, 88, 0), "pan"),
        (Timing(), "unit"),
        (PitchRange(), "lowest"),
        (group_layers(["a"]), "groups"),
        (group_layers(["a"]).groups[0], "name"),
    ],
)
def test_what_is_shared_cannot_be_changed(value: object, attribute: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, attribute, 1)
    assert {value: 1}[copy.deepcopy(value)] == 1


def test_a_scale_is_the_one_that_its_text_names() -> None:
    for text in ("chromatic", "phrygian", "19edo"):
        assert Composer(["a"], scale=text).scale == Scale.parse(text)
    for text in ("none", " None ", "NONE"):
        assert Composer(["a"], scale=text).scale is None


def test_no_scale_as_text() -> None:
    np.testing.assert_array_equal(compose(REC, scale="none").frequency, compose(REC, scale=None).frequency)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2m", 120), ("1.5min", 90), ("1h", 3600), ("60s", 60), ("60", 60), ("500ms", 0.5), ("1e2s", 100), ("2 M", 120)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds == parse_duration(seconds)
    assert parse_unit(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "-1s", "0", "nan", "inf", "1e999", "2x", "1:30", "1/16", "..s", None, True, -1, -0.5, 0.0]
)
def test_what_is_not_a_duration(text: object) -> None:
    with pytest.raises(InputError, match="is not a duration"):
        parse_duration(text)  # type: ignore[arg-type]


def test_the_limits_themselves_can_be_used() -> None:
    assert Timing(unit=0.001, rest=0, tempo=10).end(3, 2) == pytest.approx(0.006)
    assert Timing(unit=60, tempo=1000).end(1, 1) == 180
    assert Timing().end(1, 1) == pytest.approx(0.15), "50 ms a note, two of rest"
    assert Timing().tempo == 125
    assert parse_unit("1/4") == pytest.approx(0.48), "a quarter at 125 BPM"
    for beyond in ({"unit": 0.00099}, {"unit": 60.1}, {"tempo": 9.9}, {"tempo": 1000.1}, {"rest": -1}):
        with pytest.raises(InputError):
            Timing(**beyond)


def test_the_posts_unit_is_that_of_its_tones() -> None:
    assert TONE_SAMPLES / RATE == POST_UNIT


def test_a_duration_holds_the_steps_that_end_by_then() -> None:
    timing = Timing(0.1, rest=1)  # 0.3 s a step of two layers
    assert [timing.steps_within(s, 2) for s in (0.3, 0.59, 0.6, 0.9, 3.0)] == [1, 1, 2, 3, 10]
    assert timing.steps_within(0.1 + 0.1 + 0.1, 2) == 1
    assert Timing(1.0, rest=0).steps_within(1e9, 1) == 10**9
    for seconds in (0.2999, 1.001e9):
        with pytest.raises(InputError, match=r"one step of 2 voices lasts 0\.3 s; use 0\.3 to 1e"):
            timing.steps_within(seconds, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timing": 0.25}, "timing is 0.25; it must be a Timing"),
        ({"timing": Timing(), "unit": 0.1}, "give it, or give unit and tempo"),
        ({"unit": "fast"}, "'fast' is not a length"),
        ({"unit": None, "tempo": "120"}, "tempo is '120'; it must be a number"),
        ({"duration": "1e308"}, "a duration of 1e+308 s is not possible"),
        ({"duration": 1e308}, "a duration of 1e+308 s is not possible"),
        ({"tempo": 5}, "a tempo of 5 is out of range"),
        ({"voices": 5}, "voices is 5"),
        ({"voices": "x.toml", "parts": []}, "not both"),
        ({"parts": "x.toml"}, "for a file write voices="),
        ({"parts": [1]}, "must be a list of Part"),
        ({"scale": 5}, "scale is 5"),
        ({"mapping": 5}, "mapping"),
        ({"mapping": "logg"}, "mapping"),
        ({"beyond": 5}, "5"),
        ({"hysteresis": "x"}, "hysteresis"),
        ({"hysteresis": True}, "hysteresis"),
        ({"dynamics": 5}, "5"),
        ({"style": ["chord"]}, "style"),
        ({"max_voices": "many"}, "max_voices"),
        ({"max_voices": 2.5}, "max_voices"),
        ({"groups": 5}, "groups"),
        ({"groups": {"a": 5}}, "groups"),
        ({"duration": "soon"}, "'soon' is not a duration"),
        ({"duration": -1}, "a duration of -1 s is not possible"),
        ({"duration": [60]}, "is not a duration"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        compose(REC, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
