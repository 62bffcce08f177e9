import copy
import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gradmidi.errors import InputError
from gradmidi.theory.scale import Scale

C4 = 440 * 2 ** (-9 / 12)
NAN, INF = float("nan"), float("inf")


def test_the_constructors_agree_on_what_they_share() -> None:
    minor = Scale.named("minor pentatonic", tonic="A3")
    assert minor == Scale.from_semitones([0, 3, 5, 7, 10], tonic="A3")
    assert minor == Scale.from_cents([0, 300, 500, 700, 1000], tonic=220.0)
    assert minor == Scale.parse("A3 minor pentatonic")
    assert Scale.named("chromatic") == Scale.equal(12) == Scale.from_semitones(range(12), tonic=60)
    assert Scale.from_ratios([1, 9 / 8, 5 / 4]) == Scale.from_ratios(["1/1", "9/8", "5/4"])
    assert Scale.from_ratios([1, Fraction(3, 2)]) == Scale.parse("1/1 3/2")


def test_the_example_of_the_design() -> None:
    scale = Scale.from_ratios([1, 9 / 8, 5 / 4, 3 / 2, 5 / 3], tonic=261.63, period=2)
    assert (scale.tonic, scale.period, len(scale)) == (261.63, 2.0, 5)
    assert_allclose(scale.quantize([300.0, 520.0]), [261.63 * 9 / 8, 523.26], rtol=1e-15)


def test_tones_are_sorted_and_brought_into_the_period() -> None:
    scale = Scale.from_cents([1500, 700, 0, 1200, -500, 1900.0000001])  # 300, 700, 0, 0, 700, 700
    assert_allclose(scale.cents, [0, 300, 700])
    assert Scale.from_ratios(["3/1", "5/1", "1/1"]).ratios == (1, 5 / 4, 3 / 2)


def test_a_period_may_be_anything_above_one_or_missing() -> None:
    tritave = Scale.equal(13, period=3, tonic="C4")
    assert tritave.period == 3
    assert_allclose(tritave.frequencies(C4, 3 * C4), C4 * 3 ** (np.arange(14) / 13))
    assert Scale.from_cents([0, 100], period=701.955).period == pytest.approx(1.5, rel=1e-6)
    assert Scale.from_semitones([0, 3], period=7).period == pytest.approx(2 ** (7 / 12))
    finite = Scale.from_ratios([1, 4, 2], period=None, tonic=100.0)
    assert finite.period is None
    assert_array_equal(finite.frequencies(1, 1e6), [100, 200, 400])
    assert_array_equal(finite.quantize([1e-9, 250, 1e9]), [100, 200, 400])


def test_notes_make_just_these_tones_unless_a_period_repeats_them() -> None:
    triad = Scale.from_notes(["G4", "C4", "Eb4"])
    assert_allclose(triad.frequencies(1, 1e5), C4 * 2 ** (np.array([0, 3, 7]) / 12))
    assert triad.tonic == pytest.approx(C4 * 2 ** (7 / 12))
    assert Scale.from_notes(["C4", "Eb4", "G4"], period=2) == Scale.from_semitones([0, 3, 7])
    assert_allclose(Scale.from_notes([220.0, 333.3, 700.1]).frequencies(1, 1e4), [220, 333.3, 700.1], rtol=1e-15)
    assert Scale.from_notes([60, 64], tonic="C3").cents == (1200, 1600)


def test_the_reference_pitch_moves_names_and_keys_but_no_hz() -> None:
    assert Scale.named("major", tonic="A4", a4=432).tonic == 432
    assert Scale.named("major", tonic=69, a4=415.0).tonic == 415
    assert Scale.named("major", tonic=441.5, a4=432).tonic == 441.5
    assert not Scale.named("major", a4=432).is_12tet


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("D dorian", Scale.named("dorian", tonic="D4")),
        ("  chromatic ", Scale.named("chromatic")),
        ("Bb3 Major-Pentatonic", Scale.named("major pentatonic", tonic="Bb3")),
        ("c♯5 blues", Scale.named("blues", tonic="C#5")),
        ("0 2 3.5 7 8.9", Scale.from_semitones([0, 2, 3.5, 7, 8.9])),
        ("0,2,-3.5", Scale.from_semitones([0, 2, 8.5])),
        ("1/1 9/8 5/4 3", Scale.from_ratios([1, "9/8", "5/4", "3/2"])),
        ("E 1/1 3/2", Scale.from_ratios([1, 1.5], tonic="E4")),
        ("220Hz 0 7", Scale.from_semitones([0, 7], tonic=220.0)),
        ("57 minor", Scale.named("minor", tonic=57)),
        ("19edo", Scale.equal(19)),
        ("A 31-EDO", Scale.equal(31, tonic="A4")),
        ("13ed3", Scale.equal(13, period=3)),
        ("9 ed3/2", Scale.equal(9, period="3/2")),
        ("12tet", Scale.named("chromatic")),
        ("in", Scale.named("in")),
    ],
)
def test_the_text_form(text: str, same: Scale) -> None:
    assert Scale.parse(text) == same


def test_a_users_own_file(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('name = "mine"\ntonic = "D4"\nratios = ["1/1", 1.25, 1.5]\nperiod = 3\n')
    scale = Scale.parse(str(own))
    assert (scale.name, scale.period) == ("mine", 3)
    assert scale == Scale.from_ratios(["1", "5/4", "3/2"], tonic="D4", period=3)
    assert Scale.parse(f"E4 {own}") == Scale.from_toml(own, tonic="E4") == scale.transpose(2)
    own.write_text('cents = [0, 400, 1300.5]\nperiod = "none"\na4 = 432\ntonic = "A4"')
    assert Scale.from_toml(own) == Scale.from_cents([0, 400, 1300.5], tonic=432.0, period=None)
    own.write_text("equal = 19")
    assert Scale.from_toml(own) == Scale.equal(19)
    assert Scale.from_toml(own).name == "own"


def test_quantize_keeps_shape_and_gives_the_listed_floats() -> None:
    scale = Scale.equal(19, tonic=100.1)
    hz = np.exp(np.random.default_rng(1).uniform(2, 10, (3, 4, 5)))
    tones = scale.quantize(hz)
    assert (tones.shape, tones.dtype) == ((3, 4, 5), np.float64)
    assert np.isin(tones, scale.frequencies(5, 30_000)).all()
    assert np.isin(tones, scale.frequencies(1e-3, 1e9)).all()
    assert scale.quantize(hz.astype(np.float32)).shape == hz.shape
    assert scale.quantize([]).shape == (0,)
    assert float(scale.quantize(440.0)) == scale.quantize([440.0])[0]


def test_a_tie_goes_down() -> None:
    scale = Scale.from_ratios([1, 4], period=None, tonic=100.0)  # the middle in log frequency is exactly 200
    assert_array_equal(scale.quantize([200.0, np.nextafter(200.0, 300)]), [100, 400])
    octaves = Scale.from_ratios([1], period=4, tonic=100.0)
    assert_array_equal(octaves.quantize([50.0, 200.0, 800.0, 801.0]), [25, 100, 400, 1600])


def test_what_has_no_nearest_tone_is_nan() -> None:
    for scale in (Scale.named("major"), Scale.from_notes(["A4"])):
        assert np.isnan(scale.quantize([NAN, 0, -1, INF, -INF])).all()
        assert np.isnan(scale.degree_of([NAN, 0])).all()
        assert_array_equal(np.isnan(scale.quantize([NAN, 440, NAN])), [True, False, True])


def test_extreme_values_still_have_a_tone() -> None:
    scale = Scale.named("chromatic")
    tiny, huge = 5e-324, 1.7e308
    tones = scale.quantize([tiny, 1e-30, 1e30, huge])
    assert np.isfinite(tones).all()
    assert (np.diff(tones) > 0).all()
    assert_array_equal(scale.quantize(tones), tones)
    assert_allclose(tones[1:3], [1e-30, 1e30], rtol=0.03)


def test_degrees_are_counted_from_the_tonic() -> None:
    major = Scale.named("major", tonic="C4")
    assert_array_equal(major.degree_of(C4 * 2 ** (np.array([0, 2, 11, 12, 16, -1, -12]) / 12)), [0, 1, 6, 7, 9, -1, -7])
    assert_array_equal(Scale.from_notes(["A4", "A3", "A5"]).degree_of([1.0, 440, 1e5]), [0, 1, 2])


def test_frequencies_include_both_edges() -> None:
    scale = Scale.named("chromatic", tonic="C4")
    assert len(scale.frequencies(440, 880)) == 13
    assert len(scale.frequencies(441, 465)) == 0
    keys = np.arange(21, 109)
    assert_allclose(scale.frequencies(27.5, 4186.01), 440 * 2 ** ((keys - 69) / 12))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale.named("dorian", tonic="D4"), True),
        (Scale.equal(4), True),
        (Scale.from_notes(["C4", "Eb4"]), True),
        (Scale.from_semitones([0, 1], period=7), True),
        (Scale.from_semitones([0, 1], tonic=261.6256), True),  # Scala's C4
        (Scale.named("dorian", tonic=294.0), False),
        (Scale.named("dorian", tonic=440.1), False),  # 0.4 cents off
        (Scale.equal(19), False),
        (Scale.from_ratios([1, "3/2"]), False),
        (Scale.equal(1, period=3), False),
        (Scale.from_semitones([0, 3.5]), False),
    ],
)
def test_which_scales_a_piano_has(scale: Scale, expected: bool) -> None:
    assert scale.is_12tet is expected


def test_modes_keep_the_tonic_and_rotations_keep_the_tones() -> None:
    major = Scale.named("major", tonic="C4")
    church = ["major", "dorian", "phrygian", "lydian", "mixolydian", "minor", "locrian"]
    for number, name in enumerate(church, 1):
        assert major.mode(number) == Scale.named(name, tonic="C4")
    assert major.rotate(1) == Scale.named("dorian", tonic="D4")
    assert major.rotate(-2) == Scale.named("minor", tonic="A3")
    assert major.rotate(7) == major.transpose(12)
    assert major.rotate(3).rotate(-3) == major
    assert Scale.from_ratios([1, "5/4", "3/2"]).mode(2).ratios == (1, 6 / 5, 8 / 5)


def test_transposing() -> None:
    scale = Scale.from_ratios([1, "5/4"], tonic=200.0)
    assert scale.transpose("3/2").tonic == scale.transpose(Fraction(3, 2)).tonic == 300
    assert scale.transpose(12).tonic == 400
    assert scale.transpose(0.5).tonic == pytest.approx(200 * 2 ** (1 / 24))
    assert scale.transpose(7).transpose(-7) == scale


def test_union() -> None:
    c, g = Scale.from_semitones([0, 4, 7], tonic="C4"), Scale.from_semitones([0, 4, 7], tonic="G4")
    assert c + g == c.union(g) == Scale.from_semitones([0, 2, 4, 7, 11], tonic="C4")
    assert (c + c) == c
    assert (c + g).name == "custom + custom"
    assert Scale.from_notes(["C4"]) + Scale.from_notes(["E4"]) == Scale.from_notes(["C4", "E4"])


def test_equality_is_about_tones_not_names() -> None:
    scale = Scale.named("minor")
    assert scale == Scale.from_semitones([0, 2, 3, 5, 7, 8, 10], name="sad")
    assert hash(scale) == hash(Scale.from_cents([0, 200, 300, 500, 700, 800, 1000]))
    assert scale != Scale.named("minor", tonic="D4")
    assert scale != Scale.from_semitones([0, 2, 3, 5, 7, 8, 10], period=None)
    assert scale != "minor"
    assert {scale: 1}[copy.deepcopy(scale)] == 1
    assert pickle.loads(pickle.dumps(scale)) == scale


def test_immutable() -> None:
    with pytest.raises(AttributeError):
        Scale.named("major").tonic = 3.0  # type: ignore[misc]


def test_a_person_can_read_it() -> None:
    assert str(Scale.named("dorian", tonic="D4")) == "dorian on D4 (293.665 Hz)"
    just = Scale.from_ratios([1, "9/8", "5/4"], tonic="A3", name="three")
    assert repr(just) == "<Scale 'three' on A3 (220 Hz): 3 tones [1, 9/8, 5/4], period 2>"
    assert "no period" in repr(Scale.from_notes(["C4"]))
    assert len(repr(Scale.equal(1000))) < 500
    assert Scale.equal(19).name == "19-EDO"
    assert Scale.equal(13, period=3).name == "13-ED3"


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no tones": (lambda: Scale.from_semitones([]), "without tones"),
    "no ratios": (lambda: Scale.from_ratios([]), "without tones"),
    "no notes": (lambda: Scale.from_notes([]), "without notes"),
    "zero ratio": (lambda: Scale.from_ratios([1, 0]), "not positive"),
    "negative ratio": (lambda: Scale.from_ratios([1, "-3/2"]), "not positive"),
    "NaN ratio": (lambda: Scale.from_ratios([1, NAN]), "nan"),
    "NaN semitone": (lambda: Scale.from_semitones([0, NAN]), "nan"),
    "infinite cents": (lambda: Scale.from_cents([0, INF]), "inf"),
    "NaN array": (lambda: Scale.from_cents(np.array([0, NAN])), "nan"),
    "text for a list": (lambda: Scale.from_semitones("0 2 4"), "list"),  # type: ignore[arg-type]
    "a number for a list": (lambda: Scale.from_ratios(3), "list"),  # type: ignore[arg-type]
    "words": (lambda: Scale.from_semitones(["do", "re"]), "not a number"),  # type: ignore[list-item]
    "period one": (lambda: Scale.from_ratios([1, 1.5], period=1), "period of 1"),
    "period below one": (lambda: Scale.from_ratios([1, 1.5], period=0.5), "period of 1/2"),
    "period zero cents": (lambda: Scale.from_cents([0], period=0), "period of 0"),
    "period NaN": (lambda: Scale.from_cents([0], period=NAN), "nan"),
    "period too short": (lambda: Scale.from_cents([0], period=0.5), "shorter"),
    "no divisions": (lambda: Scale.equal(0), "1 to 10,000"),
    "half a division": (lambda: Scale.equal(2.5), "1 to 10,000"),  # type: ignore[arg-type]
    "too many divisions": (lambda: Scale.equal(10**9), "1 to 10,000"),
    "division of nothing": (lambda: Scale.equal(5, period=None), "period"),  # type: ignore[arg-type]
    "unknown name": (lambda: Scale.named("dorain"), "did you mean 'dorian'"),
    "unknown, nothing near": (lambda: Scale.named("xyzzy"), "gradmidi scales"),
    "no name": (lambda: Scale.named(None), "expected text"),  # type: ignore[arg-type]
    "tonic that is none": (lambda: Scale.named("major", tonic="H4"), "'H4'"),
    "tonic key too high": (lambda: Scale.named("major", tonic=128), "outside 0 to 127"),
    "tonic note too high": (lambda: Scale.named("major", tonic="C12"), "outside 0 to 127"),
    "tonic Hz out of range": (lambda: Scale.named("major", tonic=1e9), "out of range"),
    "tonic zero": (lambda: Scale.named("major", tonic=0.0), "positive"),
    "tonic NaN": (lambda: Scale.named("major", tonic=NAN), "positive"),
    "transposed out of range": (lambda: Scale.named("major").transpose(1100), "out of range"),
    "a4 zero": (lambda: Scale.named("major", a4=0), "a4=0"),
    "a4 text": (lambda: Scale.named("major", a4="x"), "a4='x'"),  # type: ignore[arg-type]
    "mode zero": (lambda: Scale.named("major").mode(0), "modes 1 to 7"),
    "mode eight": (lambda: Scale.named("major").mode(8), "modes 1 to 7"),
    "mode without period": (lambda: Scale.from_notes(["C4"]).mode(1), "no period"),
    "half a rotation": (lambda: Scale.named("major").rotate(0.5), "whole number"),  # type: ignore[arg-type]
    "union of periods": (lambda: Scale.equal(12) + Scale.equal(13, period=3), "different periods"),
    "union with a word": (lambda: Scale.equal(12).union("major"), "different periods"),  # type: ignore[arg-type]
    "range upside down": (lambda: Scale.equal(12).frequencies(880, 440), "lower one first"),
    "range from zero": (lambda: Scale.equal(12).frequencies(0, 440), "positive"),
    "range to infinity": (lambda: Scale.equal(12).frequencies(1, INF), "positive"),
    "Hz that are words": (lambda: Scale.equal(12).quantize(["a"]), "expected numbers"),
    "empty text": (lambda: Scale.parse("  "), "nothing given"),
    "one number": (lambda: Scale.parse("19"), "19edo"),
    "unknown in text": (lambda: Scale.parse("D dorain"), "did you mean 'dorian'"),
    "only a tonic": (lambda: Scale.parse("D"), "unknown scale 'D'"),
    "missing file": (lambda: Scale.parse("nowhere.toml"), "nowhere.toml: no such file"),
    "zero in text": (lambda: Scale.parse("1/1 0/1"), "not positive"),
    "division by zero in text": (lambda: Scale.parse("1/1 3/0"), "zero"),
    "zero divisions in text": (lambda: Scale.parse("0edo"), "1 to 10,000"),
    "huge text": (lambda: Scale.parse("9" * 6000 + "edo"), ""),
    "NUL in a file name": (lambda: Scale.parse("a\0b.scl"), "is not a name that a file can have"),
    "save without period": (lambda: Scale.from_notes(["C4"]).save_scala("x.scl"), "needs a period"),
    "save without tonic": (lambda: Scale.from_semitones([1, 3]).save_scala("x.scl"), "rotate(0)"),
    "save nowhere": (lambda: Scale.equal(5).save_scala("/dev/null/x.scl"), "cannot write"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_that_says_why(case: str) -> None:
    attempt, reason = REFUSED[case]
    with pytest.raises(InputError) as caught:
        attempt()
    message = str(caught.value)
    assert reason in message
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "exactly one of"),
        ("semitones = [0]\ncents = [0]", "semitones and cents"),
        ("semitones = [0, nan]", "nan"),
        ("semitones = [0, 'a']", "not a number"),
        ("semitones = 3", "list"),
        ("ratios = [1, 0]", "not positive"),
        ("equal = 2.5", "1 to 10,000"),
        ("equal = 5\nperiod = 1", "period of 1"),
        ("equal = 5\ntonic = 'Z'", "'Z'"),
        ("equal = 5\ntonic = []", "not a note"),
        ("equal = 5\na4 = 'x'", "a4='x'"),
        ("equal = 5\nperoid = 3", "unknown key 'peroid'"),
        ("equal = ", "not a TOML file"),
        ("equal = 5\nname = 'h\xe9las'", "bad.toml, line 2: not UTF-8 text"),
        ("equal = " + "9" * 5000, "not a TOML file"),
        ("equal = 0x" + "f" * 5000, "a very large integer"),
        ("cents = [0, 0x" + "f" * 5000 + "]", "not a number"),
        ("cents = [0, [0x" + "f" * 5000 + "]]", "not a number"),
        ("equal = 5\na4 = 0x" + "f" * 5000, "a4="),
        ("equal = 5\ntonic = 0x" + "f" * 5000, "pitch"),
        ("equal = 5\nname = 0x" + "f" * 5000, "write it in quotes"),
        ("#" * 600_000, "larger than 500,000 bytes"),
        ("a = " + "[" * 5000, "not a TOML file"),
    ],
)
def test_a_bad_toml_file_is_named(text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        Scale.from_toml(file)
    assert str(file) in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_semitone_decimal_is_exact() -> None:
    assert Scale.from_semitones([0, 2.3, 3.86, 7.02]).cents == (0, 230, 386, 702)  # 2.3 * 100 is 229.99999999999997
    assert math.isclose(Scale.from_semitones([0, 1 / 3]).cents[1], 100 / 3, abs_tol=1e-9)


def test_an_equal_division_with_the_name_of_a_tonic():
    assert Scale.equal(19, "D4").tonic == Scale.equal(19, tonic="D4").tonic
    assert Scale.equal(19, "D4").period == 2
    assert Scale.equal(13, "3").period == 3
    with pytest.raises(InputError):
        Scale.equal(19, "H9")
