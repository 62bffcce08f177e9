"""Scala files as their description says; see test_scala_oracle.py for whole files against another reader."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradmidi.errors import InputError
from gradmidi.theory import scala
from gradmidi.theory.interval import Interval
from gradmidi.theory.keyboard import KeyboardMap, keyboard_frequencies
from gradmidi.theory.scale import Scale

C4 = 440 * 2 ** (-9 / 12)
DATA = Path(__file__).parent / "data"


def scl(*pitches: str, count: int | str | None = None) -> str:
    return "\n".join(["! x.scl", "!", "test", f" {len(pitches) if count is None else count}", *pitches]) + "\n"


def kbm(*degrees: object, first: int = 0, last: int = 127, middle: int = 60, **other: object) -> str:
    size, octave = other.get("size", len(degrees)), other.get("octave", 0)
    head = [size, first, last, middle, other.get("reference", 60), other.get("hz", 300.0), octave]
    return "\n".join(map(str, ["! x.kbm", *head, *degrees])) + "\n"


def write(folder: Path, scale_text: str, map_text: str) -> tuple[Path, Path]:
    files = folder / "x.scl", folder / "x.kbm"
    for file, text in zip(files, (scale_text, map_text), strict=True):
        file.write_text(text)
    return files


@pytest.mark.parametrize(
    ("line", "cents"),
    [
        ("81/64", 407.820),
        ("408.0", 408),
        ("408.", 408),
        ("5", 2786.314),
        ("-5.0", -5),
        ("10/20", -1200),
        ("100.0 cents", 100),
        ("100.0 C#", 100),
        ("5/4   E\\", 386.314),
        ("\t 3 / 2\tfifth", 701.955),
        ("100.0cents", 100),
        (".5", 0.5),
        ("2 (two)", 1200),
        ("3/2! no space", 701.955),
    ],
)
def test_pitch_lines(line: str, cents: float) -> None:
    pitch, period = scala.parse_scl(scl(line, "2/1"), "x").pitches
    assert pitch.cents == pytest.approx(cents, abs=1e-3)
    assert period.ratio == 2


def test_what_surrounds_the_pitches() -> None:
    assert scala.parse_scl("\n0\n", "x") == scala.ScalaScale("", ())
    assert scala.parse_scl("! a\n\n!\n 1 \n!b\n\n2/1\n\n", "x").pitches[0].ratio == 2
    assert scala.read_scl(DATA / "latin-1.scl").description.startswith("Gamme tempérée à Ségou, ½")
    assert scala.read_scl(DATA / "utf-8.scl").description == "Пентатоника, 平調子"
    assert scala.read_scl(DATA / "blank-description.scl").description == ""
    assert Scale.from_scala(DATA / "blank-description.scl").name == "blank-description"
    assert scala.parse_scl(scl("2/1").replace("\n", "\r"), "x").pitches[0].ratio == 2


def test_without_a_keyboard_degree_0_is_key_60() -> None:
    for name in ("edo7", "unordered", "descending"):
        file = DATA / f"{name}.scl"
        assert keyboard_frequencies(scala.read_scl(file))[60] == pytest.approx(261.6256, abs=1e-4)
        assert Scale.from_scala(file).tonic == pytest.approx(261.6256, abs=1e-4)
    assert Scale.from_scala(DATA / "edo7.scl", tonic="A4", a4=432).tonic == 432


def test_a_scale_has_the_tones_of_the_keys() -> None:
    for file in sorted(DATA.glob("*.scl")):
        scale, hz = Scale.from_scala(file), keyboard_frequencies(scala.read_scl(file))
        hz = hz[(hz > 1e-50) & (hz < 1e50)]
        assert_allclose(scale.quantize(hz), hz, rtol=1e-9, err_msg=file.name)


@pytest.mark.parametrize("name", ["white-keys", "black-keys", "sparse", "short-range", "left-out", "whole-keyboard"])
def test_a_scale_with_a_keyboard_has_the_tones_of_the_mapped_keys(name: str) -> None:
    map_file = DATA / f"{name}.kbm"
    for file in (DATA / "edo5.scl", DATA / "just-major.scl", DATA / "edo12.scl"):
        scale = Scale.from_scala(file, keyboard=map_file)
        hz = keyboard_frequencies(scala.read_scl(file), scala.read_kbm(map_file))
        assert 0 < np.isfinite(hz).sum() < 128 or name == "whole-keyboard"
        hz = np.unique(hz[np.isfinite(hz)])
        assert_allclose(scale.quantize(hz), hz, rtol=1e-9)
        if scale.period is None:
            assert_allclose(scale.frequencies(1e-6, 1e9), hz, rtol=1e-9)


def test_unmapped_keys_leave_their_degrees_out(tmp_path: Path) -> None:
    files = write(tmp_path, scl("9/8", "5/4", "3/2", "2/1"), kbm(0, "x", 2, 3, octave=4, hz=300.0))
    scale = Scale.from_scala(*files)
    assert scale == Scale.from_ratios([1, "5/4", "3/2"], tonic=300.0)
    hz = keyboard_frequencies(scala.read_scl(files[0]), scala.read_kbm(files[1]))
    assert_allclose(hz[60:65], [300, np.nan, 375, 450, 600])


def test_a_repeated_pattern_moves_by_the_formal_octave(tmp_path: Path) -> None:
    # Seven notes, a map of four keys, moved by seven degrees; then by three, which is no period of the scale.
    seven = scl("100.", "250.", "450.", "600.", "750.", "1000.", "1200.")
    hz = keyboard_frequencies(scala.parse_scl(seven, "x"), scala.parse_kbm(kbm(0, 2, 4, 5, octave=7, hz=100.0), "x"))
    # keys 60.. are degrees 0 2 4 5 | 7 9 11 12 | 14
    cents = [0, 250, 600, 750, 1200, 1450, 1800, 1950, 2400]
    assert_allclose(hz[60:69], 100 * 2 ** (np.array(cents) / 1200))
    files = write(tmp_path, seven, kbm(0, 1, octave=3, hz=100.0))
    hz = keyboard_frequencies(scala.read_scl(files[0]), scala.read_kbm(files[1]))
    # keys 58.. are degrees -3 -2 | 0 1 | 3 4 | 6 7 | 9 10
    cents = [-600, -450, 0, 100, 450, 600, 1000, 1200, 1450, 1650]
    assert_allclose(hz[58:68], 100 * 2 ** (np.array(cents) / 1200))
    scale = Scale.from_scala(*files)
    assert scale.period == pytest.approx(2**3)  # three times seven degrees are seven times three
    assert_allclose(scale.quantize(hz), hz, rtol=1e-9)
    assert len(scale) == len({(degree + 3 * q) % 21 for degree in (0, 1) for q in range(7)})


def test_the_reference_key_sets_the_frequency() -> None:
    major = scala.read_scl(DATA / "just-major.scl")
    hz = keyboard_frequencies(major, KeyboardMap(reference=62, frequency=337.5))  # degree 2 is 5/4
    assert_allclose(hz[60:63], [270, 303.75, 337.5])
    hz = keyboard_frequencies(major, KeyboardMap(reference=53, frequency=100.0))  # seven keys lower is one octave lower
    assert_allclose(hz[[53, 60, 67]], [100, 200, 400])


def test_keys_outside_the_range_are_not_mapped() -> None:
    hz = keyboard_frequencies(scala.read_scl(DATA / "edo12.scl"), scala.read_kbm(DATA / "short-range.kbm"))
    assert np.flatnonzero(np.isfinite(hz)).tolist() == list(range(48, 73))
    assert hz[69] == pytest.approx(440)


def test_a_mapping_that_does_not_repeat_makes_just_its_tones(tmp_path: Path) -> None:
    files = write(tmp_path, scl("9/8", "3/2", "2/1"), kbm(0, 1, 5, first=60, last=62, hz=200.0))
    scale = Scale.from_scala(*files)
    assert scale.period is None
    assert_allclose(scale.frequencies(1, 1e5), [200, 225, 600])


def test_a_scale_without_notes_is_one_tone(tmp_path: Path) -> None:
    file = tmp_path / "one.scl"
    file.write_text("only the unison\n0\n")
    assert Scale.from_scala(file) == Scale.from_notes(["C4"])
    assert np.flatnonzero(np.isfinite(keyboard_frequencies(scala.read_scl(file)))).tolist() == [60]


def test_numbers_beyond_every_integer_type() -> None:
    big = "1709671705179880612640625/1208925819614629174706176"
    pitch = scala.parse_scl(scl(big, "2/1"), "x").pitches[0]
    assert pitch.cents == pytest.approx(1200 * np.log2(1709671705179880612640625 / 1208925819614629174706176))


def test_writing(tmp_path: Path) -> None:
    file = tmp_path / "out.scl"
    Scale.from_ratios([1, "5/4"], name="a third", period="3/2").save_scala(file)
    assert file.read_text() == "! out.scl\n!\na third\n 2\n!\n 5/4\n 3/2\n"
    scala.write_scl(file, "x", [Interval.from_cents(1e-7), Interval.from_cents(1200)])
    assert file.read_text().splitlines()[-2:] == [" 0.0000001", " 1200.0"]
    for name in ("! looks like a comment", "tempérée", "Ã©", "平調子", "  spaces\nand lines "):
        Scale.equal(5, name=name).save_scala(file)
        assert Scale.from_scala(file).name == " ".join(name.split())
    Scale.equal(5, name="tempérée").save_scala(file)
    assert "tempérée".encode("latin-1") in file.read_bytes()


BAD_SCL = {
    "empty": ("", "empty"),
    "only comments": ("! a\n! b", "empty"),
    "no count": ("description\n", "line 2: expected the number of notes"),
    "count is a word": ("d\nseven\n", "line 2: expected the number of notes, found 'seven'"),
    "count is negative": ("d\n-1\n", "line 2"),
    "count has a point": ("d\n2.5\n3/2\n2/1\n", "line 2"),
    "count too high": (scl("3/2", "2/1", count=3), "line 4: says 3 notes but 2 pitches follow"),
    "count too low": (scl("3/2", "2/1", count=1), "line 4: says 1 notes but 2 pitches follow"),
    "a word for a pitch": (scl("x", "2/1"), "line 5: expected cents with a point (386.3) or a ratio (5/4), found 'x'"),
    "negative ratio": (scl("-3/2", "2/1"), "line 5: negative ratio"),
    "negative denominator": (scl("3/-2", "2/1"), "line 5: negative ratio"),
    "negative integer": (scl("-3", "2/1"), "line 5: negative ratio"),
    "zero": (scl("0", "2/1"), "line 5: ratio '0': not positive"),
    "division by zero": (scl("3/0", "2/1"), "line 5"),
    "two slashes": (scl("3/2/1", "2/1"), "line 5"),
    "double slash": (scl("697//441", "2/1"), "line 5"),
    "decimal comma": (scl("100,0", "2/1"), "line 5"),
    "exponent": (scl("1e2", "2/1"), "line 5"),
    "two points": (scl("1.2.3", "2/1"), "line 5"),
    "ratio of decimals": (scl("1.5/2", "2/1"), "line 5"),
    "NaN": (scl("nan", "2/1"), "line 5"),
    "cents without end": (scl("9" * 400 + ".0", "2/1"), "line 5"),
    "digits without end": (scl("9" * 5000, "2/1"), "line 5"),
    "period of one": (scl("3/2", "1/1"), "period of 1"),
    "period of no cents": (scl("100.0", "0.0"), "period of 0"),
    "binary": ("\0\1\2\3", "line"),
}


@pytest.mark.parametrize("case", BAD_SCL)
def test_a_bad_scl_names_file_line_and_reason(case: str, tmp_path: Path) -> None:
    text, reason = BAD_SCL[case]
    file = tmp_path / "bad.scl"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        Scale.from_scala(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert reason in message
    assert "\n" not in message
    assert len(message) < 300


BAD_KBM = {
    "empty": ("", "ends before the size"),
    "cut off": ("12\n0\n127\n", "ends before the middle key"),
    "a word": ("12\nfirst\n", "line 2: expected the first key, found 'first'"),
    "negative size": (kbm(0, size=-1), "line 2: the size of the map is -1"),
    "key 128": (kbm(0, last=128), "line 4: the last key is 128, outside 0 to 127"),
    "upside down": (kbm(0, first=70, last=60), "above the last"),
    "zero Hz": (kbm(0, hz=0.0), "line 7: the reference frequency is 0.0"),
    "5,000 digits of Hz": (kbm(0, hz="9." + "9" * 5000 + "e99"), "line 7: the reference frequency is 9.99"),
    "no Hz": (kbm(0, hz="nan"), "line 7: expected the reference frequency"),
    "negative octave": (kbm(0, octave=-1), "line 8: the formal octave is -1"),
    "too many entries": (kbm(0, 1, 2, size=2), "3 entries but its size is 2"),
    "bad entry": (kbm(0, "y"), "line 10: expected a degree or x, found 'y'"),
    "huge entry": (kbm(0, 10**9), "line 10: expected a degree"),
    "unmapped reference": (kbm(0, "x", reference=61), "reference key 61 is not mapped"),
    "nothing mapped": (kbm("x", 1, first=60, last=60, reference=61), "no key is mapped"),
}


@pytest.mark.parametrize("case", BAD_KBM)
def test_a_bad_kbm_names_file_line_and_reason(case: str, tmp_path: Path) -> None:
    text, reason = BAD_KBM[case]
    files = write(tmp_path, scl("9/8", "3/2", "2/1"), text)
    with pytest.raises(InputError) as caught:
        Scale.from_scala(*files)
    assert str(files[1]) in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    large = tmp_path / "large.scl"
    large.write_bytes(b"x" * 5_000_000)
    for path in (large, tmp_path, tmp_path / "missing.scl"):
        with pytest.raises(InputError, match=path.name):
            Scale.from_scala(path)
    with pytest.raises(InputError, match="either"):
        Scale.from_scala(DATA / "edo5.scl", DATA / "white-keys.kbm", tonic="C4")


@pytest.mark.parametrize(
    ("scale", "written"),
    [
        (
            Scale.from_ratios([1, "9/8", "5/4", "4/3", "3/2", "5/3", "15/8"], tonic="C4"),
            b"! golden.scl\n!\ncustom\n 7\n!\n 9/8\n 5/4\n 4/3\n 3/2\n 5/3\n 15/8\n 2/1\n",
        ),
        (
            Scale.from_cents([0, 100.5, 701.955, 1100.123456789], tonic="C4", period=1201),
            b"! golden.scl\n!\ncustom\n 4\n!\n 100.5\n 701.955\n 1100.123456789\n 1201.0\n",
        ),
    ],
)
def test_the_bytes_of_an_scl(scale, written, tmp_path):
    """Written down: a change of any of them is a change of what everybody's files hold."""
    scale.save_scala(tmp_path / "golden.scl")
    assert (tmp_path / "golden.scl").read_bytes() == written
