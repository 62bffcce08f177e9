"""Where the theory draws a line: the last value that is accepted, and the first that is not."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from gradmidi.errors import InputError
from gradmidi.theory import scala
from gradmidi.theory.interval import Interval
from gradmidi.theory.pitch import LOWEST_KEY, check_a4, note_name
from gradmidi.theory.scale import Scale

LARGEST_FLOAT = 1.7976931348623157e308


def kbm(**changes: object) -> str:
    """A mapping of one degree, with some of its numbers changed."""
    numbers = {"size": 1, "first": 0, "last": 127, "middle": 60, "reference": 60, "hz": 300.0, "octave": 1, "degree": 0}
    assert changes.keys() <= numbers.keys()
    return "\n".join(map(str, (numbers | changes).values()))


def mapped(**changes: object) -> Callable[[], object]:
    return lambda: scala.parse_kbm(kbm(**changes), "x")


def scale_of(tones: int) -> Callable[[], object]:
    return lambda: Scale.from_cents([step / 10 for step in range(tones)], period=1200)


ALLOWED: dict[str, Callable[[], object]] = {
    "lowest tonic": lambda: Scale.named("major", tonic=1e-6),
    "highest tonic": lambda: Scale.named("major", tonic=1e6),
    "largest reference": lambda: check_a4(LARGEST_FLOAT),
    "reference of 1 Hz": lambda: check_a4(1),
    "10,000 equal steps": lambda: Scale.equal(10_000),
    "one equal step": lambda: Scale.equal(1),
    "10,000 tones": scale_of(10_000),
    "period of a cent": lambda: Scale.from_cents([0], period=1.0),
    "100 octaves up": lambda: Interval.from_cents(120_000),
    "100 octaves down": lambda: Interval.from_cents(-120_000),
    "a ratio of 100 octaves": lambda: Interval.from_ratio(2**100),
    "mode 7": lambda: Scale.named("major").mode(7),
    "a map of 10,000": mapped(size=10_000),
    "a formal octave of 10,000": mapped(octave=10_000),
    "the 10,000th degree": mapped(degree=10_000),
    "the 10,000th degree below": mapped(degree=-10_000),
    "first and last key": mapped(first=0, last=127),
    "one key": mapped(first=60, last=60),
    "the lowest key in the middle": mapped(middle=0, reference=0),
    "the highest key in the middle": mapped(middle=127, reference=127),
    "a reference of 1 mHz": mapped(hz=0.001),
    "a reference of 1 MHz": mapped(hz=1_000_000),
}
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "tonic too low": (lambda: Scale.named("major", tonic=9.9e-7), "out of range"),
    "tonic too high": (lambda: Scale.named("major", tonic=1.00001e6), "out of range"),
    "10,001 equal steps": (lambda: Scale.equal(10_001), "1 to 10,000"),
    "10,001 tones": (scale_of(10_001), "10,001 tones: more than 10,000"),
    "period below a cent": (lambda: Scale.from_cents([0], period=0.999), "shorter than 1 cent"),
    "beyond 100 octaves up": (lambda: Interval.from_cents(120_000.001), "larger than 100 octaves"),
    "beyond 100 octaves down": (lambda: Interval.from_cents(-120_000.001), "larger than 100 octaves"),
    "a ratio beyond 100 octaves": (lambda: Interval.from_ratio(2**100 + 2**80), "larger than 100 octaves"),
    "a map of 10,001": (mapped(size=10_001), "size of the map is 10001"),
    "a map of less than nothing": (mapped(size=-1), "size of the map is -1"),
    "a formal octave of 10,001": (mapped(octave=10_001), "formal octave is 10001"),
    "a formal octave below 0": (mapped(octave=-1), "formal octave is -1"),
    "the 10,001st degree": (mapped(degree=10_001), "expected a degree or x"),
    "the 10,001st degree below": (mapped(degree=-10_001), "expected a degree or x"),
    "first key too low": (mapped(first=-1), "first key is -1"),
    "first key too high": (mapped(first=128), "first key is 128"),
    "last key too high": (mapped(last=128), "last key is 128"),
    "last key too low": (mapped(last=-1), "last key is -1"),
    "middle too low": (mapped(middle=-1), "middle key is -1"),
    "middle too high": (mapped(middle=128), "middle key is 128"),
    "reference too low": (mapped(reference=-1), "reference key is -1"),
    "reference too high": (mapped(reference=128), "reference key is 128"),
    "a reference below 1 mHz": (mapped(hz=0.00099), "reference frequency is 0.00099"),
    "a reference above 1 MHz": (mapped(hz=1_000_001), "reference frequency is 1000001"),
    "upside down": (mapped(first=61, last=60), "the first key, 61, is above the last one, 60"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_the_last_that_is_allowed(name: str) -> None:
    ALLOWED[name]()


@pytest.mark.parametrize("name", REFUSED)
def test_the_first_that_is_refused(name: str) -> None:
    call, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize(("apart", "count"), [(0.9e-6, 1), (1.1e-6, 2)])
def test_tones_a_millionth_of_a_cent_apart_are_one(apart: float, count: int) -> None:
    assert len(Scale.from_cents([0, apart])) == count
    assert len(Scale.from_cents([0, 1200 - apart])) == count, "over the seam of the period too"
    assert len(Scale.from_cents([0, apart], period=None)) == count


@pytest.mark.parametrize("order", [("3/2", 1.5000000001), (1.5000000001, "3/2")])
def test_of_two_tones_in_one_place_the_exact_one_stays(order: tuple[str | float, ...]) -> None:
    scale = Scale.from_ratios(["1/1", *order])
    assert [degree.fraction for degree in scale.degrees] == [1, Fraction(3, 2)]


@pytest.mark.parametrize("octaves", [-40, -1, 0, 1, 2, 40])
def test_a_ratio_stays_exact_when_it_is_brought_into_the_octave(octaves: int) -> None:
    scale = Scale.from_ratios(["1/1", Fraction(5, 4) * Fraction(2) ** octaves])
    assert [degree.fraction for degree in scale.degrees] == [1, Fraction(5, 4)]


@pytest.mark.parametrize(("ratio", "written"), [(2**31 - 1, "2147483647/1073741824"), (2**31 + 1, None)])
def test_ratios_that_every_reader_reads_are_written_as_ratios(ratio: int, written: str | None, tmp_path: Path) -> None:
    scala.write_scl(tmp_path / "x.scl", "x", [Interval.from_ratio(Fraction(ratio, 2**30)), Interval.from_ratio(2)])
    line = (tmp_path / "x.scl").read_text().splitlines()[-2].strip()
    assert line == written if written else float(line) == pytest.approx(1200)


@pytest.mark.parametrize(
    ("ratio", "exact"),
    [
        (2**63, True),
        (2**63 + 1, False),
        (Fraction(1, 2**63), True),
        (Fraction(1, 2**63 + 1), False),
        (1 / 100_000, True),
        (10_000_000.0, True),
        (10_000_001.0, False),
        (5 / 3, True),
        (1 + 2**-40, False),
    ],
)
def test_which_ratios_are_kept_as_fractions(ratio: float | Fraction, exact: bool) -> None:
    assert (Interval.from_ratio(ratio).fraction is not None) == exact


@pytest.mark.parametrize(("tones", "shown"), [(1, 1), (24, 24), (25, 24), (100, 24)])
def test_the_first_24_degrees_are_shown(tones: int, shown: int) -> None:
    listed = repr(Scale.equal(tones)).partition("[")[2].partition("]")[0]
    assert listed.endswith(", …") == (tones > 24)
    assert len(listed.removesuffix(", …").split(", ")) == shown


@pytest.mark.parametrize(
    ("key", "name"), [(60.5, "C#4-50c"), (60.49, "C4+49c"), (11.996, "C0"), (11.99, "C0-1c"), (LOWEST_KEY - 1, "B-2")]
)
def test_a_key_is_named_after_the_nearest(key: float, name: str) -> None:
    assert note_name(key) == name


def test_a_scale_of_the_unison_sounds_where_its_mapping_says(tmp_path: Path) -> None:
    (tmp_path / "one.scl").write_text("only the unison\n0\n")
    (tmp_path / "x.kbm").write_text(kbm())
    scale = Scale.from_scala(tmp_path / "one.scl", tmp_path / "x.kbm")
    assert (scale.tonic, scale.cents, scale.period) == (300.0, (0,), None)


def test_the_first_of_several_unknown_keys_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("equal = 5\nfirst = 1\nsecond = 2\nthird = 3\n")
    with pytest.raises(InputError, match="unknown key 'first'"):
        Scale.from_toml(tmp_path / "own.toml")


@pytest.mark.parametrize("name", ["size", "first", "last", "middle", "reference", "octave", "degree"])
def test_only_the_frequency_of_a_mapping_may_have_a_point(name: str) -> None:
    scala.parse_kbm(kbm(hz="300.5"), "x")
    with pytest.raises(InputError, match=r"line \d: expected"):
        scala.parse_kbm(kbm(**{name: "1.0"}), "x")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_keys_that_a_mapping_leaves_out_at_its_end_are_unmapped(size: int) -> None:
    assert scala.parse_kbm(kbm(size=size), "x").degrees == (0,) + (None,) * (size - 1)
    two = scala.parse_kbm(kbm(size=size + 1) + "\n4", "x")
    assert two.degrees == (0, 4) + (None,) * (size - 1)


@pytest.mark.parametrize("period", ["", "no", "octave", "None", "x"])
def test_a_period_of_text_is_none_or_a_ratio(period: str) -> None:
    assert Scale.from_ratios([1], period="none").period is None
    with pytest.raises(InputError, match="ratio"):
        Scale.from_ratios([1], period=period)


def test_at_most_three_names_are_suggested() -> None:
    with pytest.raises(InputError) as caught:
        Scale.named("messiaen mode")
    assert str(caught.value).count(" or ") == 2
