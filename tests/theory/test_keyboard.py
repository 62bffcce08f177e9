"""Degrees of a Scala scale: the same interval, exact or in cents, below degree 0, above the period and in between."""

from fractions import Fraction

import pytest

from gradmidi.theory.interval import Interval
from gradmidi.theory.keyboard import ScalaScale

JUST = ScalaScale("just", tuple(Interval.from_ratio(ratio) for ratio in ("5/4", "3/2", "2/1")))


@pytest.mark.parametrize("degree", range(-7, 8))
def test_an_interval_is_as_wide_as_its_cents(degree):
    periods, place = divmod(degree, 3)
    ratio = (1, Fraction(5, 4), Fraction(3, 2))[place] * Fraction(2) ** periods
    assert JUST.interval(degree).cents == pytest.approx(Interval.from_ratio(str(ratio)).cents)
    assert JUST.cents(degree) == pytest.approx(JUST.interval(degree).cents)


def test_an_interval_within_the_first_period_is_exact():
    assert [JUST.interval(degree).fraction for degree in range(5)] == [1, Fraction(5, 4), Fraction(3, 2), 2, None]
