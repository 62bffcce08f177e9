"""Score, Notes and Marks: what they check, hold and give back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from gradmidi import InputError, compose
from gradmidi.score import NOTHING, PITCHED, UNKNOWN_STEP, Mark, Marks, Score, merged

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")


@pytest.fixture
def score(sick) -> Score:
    return compose(sick)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("onset", -0.1, "onset must be finite and not negative"),
        ("onset", np.nan, "onset must be"),
        ("duration", 0.0, "duration must be finite and positive"),
        ("duration", np.inf, "duration must be"),
        ("duration", np.nan, "duration must be"),
        ("frequency", 0.0, "frequency must be finite and positive"),
        ("frequency", -440.0, "frequency must be"),
        ("velocity", 0, "velocity must be from 1 to 127"),
        ("velocity", 128, "velocity must be from 1 to 127"),
        ("layer", 5, "an index of its 5 voices"),
        ("layer", -1, "an index of its 5 voices"),
        ("drum", 128, "drum must be a key from 0 to 127"),
        ("drum", -2, "drum must be a key"),
    ],
)
def test_a_value_that_the_description_excludes(score, column, value, message):
    wrong = getattr(score, column).copy()
    wrong[0] = value
    with pytest.raises(InputError, match=message):
        replace(score, **{column: wrong})


def test_columns_of_different_lengths_or_out_of_order(score):
    with pytest.raises(InputError, match="of one length"):
        replace(score, onset=score.onset[1:])
    with pytest.raises(InputError, match="of one length"):
        replace(score, drum=score.drum[1:])
    with pytest.raises(InputError, match="sorted by onset"):
        replace(score, onset=score.onset[::-1].copy())


def test_percussion_is_a_column(score, sick):
    drums = score.drum[~score.pitched]
    assert drums.tolist() == [49, 38]  # a crash for the Inf of step 30, a snare for the NaN of step 40
    assert score.step[~score.pitched].tolist() == [30, 40]
    assert {score.voices[i].percussion for i in score.layer[~score.pitched]} == {True}
    assert not any(score.voices[i].percussion for i in score.layer[score.pitched])


def test_where_no_drums_are_given_percussion_has_the_key_of_its_frequency(score):
    without = Score(**{name: column for name, column in score.columns().items() if name != "drum"},
                    voices=score.voices, marks=score.marks, length=score.length)  # fmt: skip
    assert without.drum.tolist() == score.drum.tolist()


def test_marks_can_be_indexed_and_carry_step_and_layer(score):
    anomalies = score.marks.of("nan", "inf")
    assert anomalies[0] == Mark(anomalies.time[0], "inf", "Inf in conv1 at step 30", 30, "conv1")
    assert [mark.layer for mark in anomalies] == ["conv1", "fc1"]
    assert anomalies[1:].step.tolist() == [40]
    assert anomalies[-1] == list(anomalies)[-1]
    assert anomalies[anomalies.layer == "fc1"].text.tolist() == ["NaN in fc1 at step 40"]
    assert score.marks.of("step").step.tolist() == list(range(0, 201, 10))
    assert set(score.marks.of("loss").layer) == {""}
    assert len(list(Marks.none())) == len(Marks.none()) == 0


def test_marks_without_step_and_layer_as_they_were_once_made():
    marks = Marks(np.array([0.0, 1.0]), np.array(["a", "b"]), np.array(["x", "y"]))
    assert marks.step.tolist() == [UNKNOWN_STEP] * 2
    assert marks[1] == Mark(1.0, "b", "y", UNKNOWN_STEP, "")


def test_merged_notes_are_in_order_of_onset_and_then_of_the_parts(score):
    pitched = replace(score, **{name: column[score.pitched] for name, column in score.columns().items()})
    drums = replace(score, **{name: column[~score.pitched] for name, column in score.columns().items()})
    whole = merged([pitched, drums])
    assert (np.diff(whole.onset) >= 0).all()
    assert len(whole) == len(score)
    assert (whole.drum != PITCHED).sum() == 2
    assert merged([drums, NOTHING]) is drums
    assert len(merged([NOTHING, NOTHING])) == 0


def test_only_some_voices_keep_channel_and_time(score):
    one = score.only(["fc2", "alarm"])
    assert [voice.name for voice in one.voices] == ["fc2", "alarm"]
    assert one.voices[0].channel == score.voices[3].channel
    assert one.onset[one.layer == 0].tolist() == score.onset[score.layer == 3].tolist()
    assert one.drum[one.layer == 1].tolist() == [49, 38]
    assert len(score.only([])) == 0
