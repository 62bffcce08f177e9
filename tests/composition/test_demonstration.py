"""A scale that is played up and down, as a person would write the notes."""

import numpy as np
import pytest

from gradmidi.composition.demonstration import scale_score
from gradmidi.theory.scale import Scale


def test_one_period_up_to_the_next_tonic_and_back():
    score = scale_score(Scale.from_ratios(["1", "5/4", "3/2"], 200.0, name="a triad"))
    assert score.frequency.tolist() == [200, 250, 300, 400, 300, 250, 200]
    assert score.onset == pytest.approx([0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4])
    assert score.duration == pytest.approx(np.full(7, 0.4))
    assert score.length == pytest.approx(2.8)
    assert score.step.tolist() == list(range(7))
    assert (score.layer == 0).all()
    assert (score.velocity == 90).all()
    assert not score.tied.any()
    assert len(score.marks) == 0
    assert [voice.name for voice in score.voices] == [score.title] == ["a triad"]


def test_without_a_period_each_tone_and_back():
    score = scale_score(Scale.from_ratios(["1", "5/4", "3/2"], 200.0, period=None))
    assert score.frequency.tolist() == [200, 250, 300, 250, 200]


def test_one_tone_without_a_period_is_played_once():
    assert scale_score(Scale.from_ratios([1], 200.0, period=None)).frequency.tolist() == [200]
