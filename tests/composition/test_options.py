"""What compose takes: everything that the command line takes, and one clear line for what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from gradmidi import InputError, Recording, compose
from gradmidi.composition.timing import Timing, parse_duration, parse_unit

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


def test_no_scale_as_text() -> None:
    np.testing.assert_array_equal(compose(REC, scale="none").frequency, compose(REC, scale=None).frequency)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2m", 120), ("1.5min", 90), ("1h", 3600), ("60s", 60), ("60", 60), ("500ms", 0.5), ("1e2s", 100), ("2 M", 120)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds == parse_duration(seconds)
    assert parse_unit(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "0", "nan", "inf", "1e999", "2x", "1:30", "1/16", "..s", None, True])
def test_what_is_not_a_duration(text: object) -> None:
    with pytest.raises(InputError, match="is not a duration"):
        parse_duration(text)  # type: ignore[arg-type]


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
        ({"hysteresis": None}, "hysteresis"),
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
