from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradmidi.errors import InputError
from gradmidi.theory.pitch import cents_between, hz_to_key, key_to_hz, note_name, parse_pitch

C4 = 440 * 2 ** (-9 / 12)  # nine semitones below A4


def test_keys_and_hz_are_each_others_inverse_at_any_reference() -> None:
    keys = np.linspace(-5, 135, 1001).reshape(7, 143)
    for a4 in (440.0, 432.0, 415.3):
        assert_allclose(hz_to_key(key_to_hz(keys, a4), a4), keys, atol=1e-10)
    assert key_to_hz(69) == 440
    assert key_to_hz(69, a4=415.0) == 415
    assert hz_to_key(880.0) == 81


def test_what_has_no_pitch_stays_recognisable() -> None:
    assert np.isnan(hz_to_key([np.nan, -1.0])).all()
    assert hz_to_key(0.0) == -np.inf
    assert np.isnan(key_to_hz(np.nan))


def test_cents() -> None:
    assert_allclose(cents_between([880, 660, 220], 440), [1200, 701.955000865, -1200])


@pytest.mark.parametrize(
    ("key", "name"), [(60, "C4"), (69, "A4"), (0, "C-1"), (127, "G9"), (61, "C#4"), (-1, "B-2"), (59.9, "C4-10c")]
)
def test_names_of_keys(key: float, name: str) -> None:
    assert note_name(key) == name


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("C4", 60),
        ("Eb4", 63),
        ("E♭4", 63),
        ("F#3", 54),
        ("F♯3", 54),
        ("C-1", 0),
        ("G9", 127),
        ("Cb4", 59),
        ("B#3", 60),
        ("a4", 69),
        ("bb3", 58),
        ("F##4", 67),
        ("D", 62),
        (" 60 ", 60),
        ("0", 0),
    ],
)
def test_names_to_hz(text: str, key: int) -> None:
    assert parse_pitch(text) == pytest.approx(440 * 2 ** ((key - 69) / 12), rel=1e-15)


def test_every_key_survives_its_own_name() -> None:
    for key in range(128):
        assert hz_to_key(parse_pitch(note_name(key))) == pytest.approx(key, abs=1e-12)


def test_an_int_is_a_key_and_a_float_is_hz() -> None:
    assert parse_pitch(60) == pytest.approx(C4)
    assert parse_pitch(60.0) == 60
    assert parse_pitch(np.int64(69)) == 440
    assert parse_pitch(np.float32(440)) == 440
    assert parse_pitch("261.63") == parse_pitch("261.63Hz") == parse_pitch("261.63 hz") == 261.63
    assert parse_pitch("60 Hz") == 60
    assert parse_pitch("A4", a4=432) == 432


BAD_TEXTS = [
    "",
    "H4",
    "C#b4",
    "C10",
    "G#9",
    "C-2",
    "128",
    "-1",
    "Hz",
    "-3 Hz",
    "0.0",
    "nan",
    "inf",
    "1e400",
    "٣",
    "C4 C5",
]
BAD_VALUES: list[Any] = [128, -1, 10**5000, 0.0, -440.0, float("nan"), float("inf"), None, True, [60], b"C4"]


def test_what_is_no_pitch_is_refused_in_one_line() -> None:
    for bad in (*BAD_TEXTS, *BAD_VALUES):
        with pytest.raises(InputError) as caught:
            parse_pitch(bad)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 250


def test_arrays_of_no_numbers_and_bad_references_are_refused() -> None:
    for call in (lambda: hz_to_key(["x"]), lambda: hz_to_key(440, a4=0), lambda: key_to_hz(60, a4=float("nan"))):
        with pytest.raises(InputError):
            call()
    with pytest.raises(InputError):
        note_name(float("nan"))
