import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradmidi.errors import InputError
from gradmidi.theory.interval import Interval


@pytest.mark.parametrize("fifth", ["3/2", 1.5, Fraction(3, 2), np.float32(1.5), "1.5", " 3/2 ", Fraction(6, 4)])
def test_one_ratio_in_many_forms(fifth: Any) -> None:
    interval = Interval.from_ratio(fifth)
    assert interval.fraction == Fraction(3, 2)
    assert interval.cents == pytest.approx(701.955000865, abs=1e-9)
    assert str(interval) == "3/2"


def test_a_float_is_a_fraction_only_if_it_is_a_simple_one() -> None:
    assert Interval.from_ratio(5 / 3).fraction == Fraction(5, 3)
    assert Interval.from_ratio(2 ** (7 / 12)).fraction is None
    assert Interval.from_ratio(math.pi).ratio == pytest.approx(math.pi, rel=1e-15)


def test_arithmetic_stays_exact_where_it_can() -> None:
    fifth, fourth = Interval.from_ratio("3/2"), Interval.from_ratio("4/3")
    assert (fifth + fourth).fraction == 2
    assert (fifth - fourth).fraction == Fraction(9, 8)
    assert (fifth + Interval.from_cents(100)).cents == pytest.approx(801.955, abs=1e-3)


def test_beyond_readable_numbers_the_cents_remain() -> None:
    comma = Interval.from_ratio(Fraction(3**53, 2**84))  # Mercator's comma
    assert comma.fraction is None
    assert comma.cents == pytest.approx(3.615046, abs=1e-6)  # 53 · 701.9550008654 - 31 · 1200
    assert Interval.from_ratio(Fraction(10**400, 10**400 - 1)).cents == pytest.approx(0)


@given(st.fractions(Fraction(1, 10**6), 10**6))
def test_ratio_and_cents_say_the_same(ratio: Fraction) -> None:
    interval = Interval.from_ratio(ratio) if ratio else Interval.from_cents(0)
    assert 2 ** (interval.cents / 1200) == pytest.approx(interval.ratio, rel=1e-13)


BAD_RATIOS: list[Any] = [0, -1, "-3/2", "0/1", "3/0", "3/2/1", "", "x", "1e999999999", "1" * 5000, "3:2"]
BAD_RATIOS += [float("nan"), float("inf"), None, [1], b"3/2", 2**200, 10**5000, Fraction(1, 10**400), 1 + 2j]
BAD_CENTS: list[Any] = [float("nan"), float("-inf"), 120_001, -1e300, "x", None, [1], 10**5000]


@pytest.mark.parametrize(("make", "bad_values"), [(Interval.from_ratio, BAD_RATIOS), (Interval.from_cents, BAD_CENTS)])
def test_what_is_no_interval_is_refused_in_one_line(make: Callable[[Any], Interval], bad_values: list[Any]) -> None:
    for bad in bad_values:
        with pytest.raises(InputError) as caught:
            make(bad)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200
