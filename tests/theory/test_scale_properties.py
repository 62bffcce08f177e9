"""What has to hold for any scale and any frequency."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.theory.catalogue import named_scales
from gradmidi.theory.interval import Interval
from gradmidi.theory.scale import Scale

CENTS = st.floats(-5000, 5000)
TONICS = st.floats(1, 5000)
RATIOS = st.fractions(min_value="1/50", max_value=50, max_denominator=1000)

BY_CENTS = st.builds(
    lambda cents, period, tonic: Scale.from_cents(cents, tonic, period=period),
    st.lists(CENTS, min_size=1, max_size=20),
    st.one_of(st.none(), st.floats(20, 4000)),
    TONICS,
)
BY_RATIOS = st.builds(
    lambda ratios, period, tonic: Scale.from_ratios(ratios, tonic, period=period),
    st.lists(RATIOS, min_size=1, max_size=20),
    st.one_of(st.none(), st.fractions("51/50", 12, max_denominator=100)),
    TONICS,
)
EQUAL = st.builds(Scale.equal, st.integers(1, 60), st.sampled_from([2, 3, "3/2", 5]), TONICS)
NAMED = st.builds(Scale.named, st.sampled_from([entry.name for entry in named_scales()]), TONICS)
SCALES = st.one_of(BY_CENTS, BY_RATIOS, EQUAL, NAMED)
HZ = st.lists(st.floats(-8, 12).map(lambda power: 10.0**power), min_size=1, max_size=50).map(np.array)

Floats = NDArray[np.float64]


def cents_apart(first: Floats, second: Floats) -> Floats:
    return 1200 * np.abs(np.log2(first / second))


@given(SCALES, HZ)
def test_quantising_twice_changes_nothing(scale: Scale, hz: Floats) -> None:
    once = scale.quantize(hz)
    assert_array_equal(scale.quantize(once), once)
    assert_array_equal(scale.quantize(once[::-1]), once[::-1])


@given(SCALES, HZ)
def test_a_higher_frequency_never_gives_a_lower_tone(scale: Scale, hz: Floats) -> None:
    ascending = np.sort(hz)
    assert (np.diff(scale.quantize(ascending)) >= 0).all()
    assert (np.diff(scale.degree_of(ascending)) >= 0).all()


@given(SCALES, HZ)
def test_each_value_is_quantised_as_if_it_were_alone(scale: Scale, hz: Floats) -> None:
    assert_array_equal(scale.quantize(hz), [scale.quantize(value) for value in hz])


@given(SCALES, HZ)
def test_never_further_than_half_the_largest_gap(scale: Scale, hz: Floats) -> None:
    if scale.repeat is None:
        lowest, highest = scale.tonic * scale.ratios[0], scale.tonic * scale.ratios[-1]
        hz = np.clip(hz, lowest, highest)
        gaps = np.diff(scale.cents, append=scale.cents[-1])
    else:
        gaps = np.diff(scale.cents, append=scale.cents[0] + scale.repeat.cents)
    assert (cents_apart(scale.quantize(hz), hz) <= max(gaps) / 2 + 1e-6).all()


@given(SCALES, st.floats(-3, 6).map(lambda power: 10.0**power))
def test_no_tone_is_nearer_than_the_one_chosen(scale: Scale, hz: float) -> None:
    chosen = scale.quantize(np.array([hz]))
    reach = 3 * max(scale.period or 1, float(chosen[0] / hz), float(hz / chosen[0]))
    tones = scale.frequencies(hz / reach, hz * reach)
    assert chosen[0] in tones
    assert cents_apart(chosen, np.array([hz])) <= cents_apart(tones, np.array(hz)).min() + 1e-9


@given(SCALES, HZ, st.integers(0, 49))
def test_nan_in_nan_out_and_nothing_else_disturbed(scale: Scale, hz: Floats, place: int) -> None:
    holes = hz.copy()
    holes[place % len(hz)] = np.nan
    expected = scale.quantize(hz)
    expected[place % len(hz)] = np.nan
    assert_array_equal(scale.quantize(holes), expected)


@given(SCALES, st.floats(1, 1000), st.floats(1, 50))
def test_the_number_of_a_tone_counts_the_tones(scale: Scale, lo: float, factor: float) -> None:
    tones = scale.frequencies(lo, lo * factor)
    numbers = scale.degree_of(tones)
    assert_array_equal(np.diff(numbers), np.ones(max(len(tones) - 1, 0)))
    ratios = np.array(scale.ratios)[(numbers % len(scale)).astype(int)]
    periods = (scale.period or 1.0) ** (numbers // len(scale))
    assert_allclose(tones, scale.tonic * ratios * periods, rtol=1e-12)


@given(st.lists(RATIOS, min_size=1, max_size=12), TONICS)
def test_ratios_cents_and_hz_agree(ratios: list[float], tonic: float) -> None:
    exact = Scale.from_ratios(ratios, tonic)
    by_cents = Scale.from_cents([Interval.from_ratio(ratio).cents for ratio in ratios], tonic)
    assert exact == by_cents
    lo, hi = tonic / 3.1, tonic * 3.1
    assert_allclose(exact.frequencies(lo, hi), by_cents.frequencies(lo, hi), rtol=1e-9)


@pytest.mark.slow
@given(st.one_of(BY_CENTS, BY_RATIOS, EQUAL, NAMED), st.text(max_size=30))
@settings(max_examples=200)
def test_what_is_written_for_scala_is_read_back_the_same(scale: Scale, name: str) -> None:
    if scale.repeat is not None and scale.cents[0] != 0:
        scale = scale.rotate(0)
    assume(scale.repeat is not None)
    scale = Scale(scale.degrees, scale.repeat, scale.tonic, name)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "written.scl"
        try:
            scale.save_scala(path)
        except InputError:
            assert scale.cents[0] != 0
            return
        again = Scale.from_scala(path, tonic=scale.tonic)
    assert again == scale
    assert again.cents == scale.cents
    assert_allclose(again.ratios, scale.ratios, rtol=1e-14)


@given(SCALES, st.floats(-24, 24))
def test_transposing_moves_every_tone(scale: Scale, semitones: float) -> None:
    moved = scale.transpose(semitones)
    assert moved.transpose(-semitones) == scale
    assert_allclose(moved.quantize(moved.tonic), scale.quantize(scale.tonic) * 2 ** (semitones / 12), rtol=1e-9)


@given(st.one_of(EQUAL, NAMED), st.integers(-5, 5))
def test_rotating_keeps_the_tones(scale: Scale, steps: int) -> None:
    try:
        turned = scale.rotate(steps)
    except InputError:  # a tonic that has left the range
        reject()
    lo, hi = scale.tonic / 1.99, scale.tonic * 1.99
    assert_allclose(turned.frequencies(lo, hi), scale.frequencies(lo, hi), rtol=1e-9)
    assert turned.mode(1) == turned
    assert scale.mode(steps % len(scale) + 1).cents == turned.cents


@given(NAMED, NAMED)
def test_a_union_has_the_tones_of_both(first: Scale, second: Scale) -> None:
    if first.repeat != second.repeat:
        return
    both = first + second
    hz = np.geomspace(20, 5000, 300)
    for scale in (first, second):
        tones = scale.quantize(hz)
        assert_allclose(both.quantize(tones), tones, rtol=1e-9)
    assert len(both) <= len(first) + len(second)


@given(st.one_of(st.text(max_size=40), st.text("0123456789/.,- edoABCDEFGb#Hz", max_size=30)))
@settings(max_examples=1000)
def test_any_text_gives_a_scale_or_the_one_error(text: str) -> None:
    try:
        scale = Scale.parse(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(scale.quantize(440.0))
        repr(scale)
