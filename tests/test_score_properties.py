"""Score, Notes and Marks with any content: nothing is lost by taking voices apart and merging them again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradmidi import InputError
from gradmidi.score import Mark, Marks, Notes, Score, merged
from tests.outputs.scores import scores

any_score = st.booleans().flatmap(scores)
WRONG = {
    "onset": [-1e-9, np.nan, np.inf],
    "duration": [0.0, -1.0, np.nan, np.inf],
    "frequency": [0.0, -440.0, np.nan, np.inf],
    "velocity": [0, -1, 128],
    "layer": [-1, 99],
    "drum": [-2, 128],
}


def rows(notes: Notes) -> list[tuple[object, ...]]:
    return list(zip(*(column.tolist() for column in notes.columns().values()), strict=True))


@given(score=any_score)
def test_the_voices_of_a_score_make_it_up(score: Score):
    parts = [score.only([voice.name]) for voice in score.voices]
    assert sum(map(len, parts)) == len(score)
    for index, part in enumerate(parts):
        assert part.voices == (score.voices[index],)
        heard = [row[:3] + row[4:] for row in rows(score) if row[3] == index]
        assert [row[:3] + row[4:] for row in rows(part)] == heard
        assert not part.layer.any()
        assert list(part.marks) == list(score.marks)
    assert rows(score.only([voice.name for voice in score.voices])) == rows(score)


@given(parts=st.lists(any_score, min_size=1, max_size=3))
def test_merged_notes_are_those_of_the_parts_in_order(parts: list[Score]):
    """Python's own sort, which keeps the order of what is alike, is the oracle."""
    expected = sorted((row for part in parts for row in rows(part)), key=lambda row: row[0])
    assert rows(merged(parts)) == expected
    marks = sorted((mark for part in parts for mark in part.marks), key=lambda mark: mark.time)
    assert list(Marks.merged([part.marks for part in parts])) == marks


@given(score=any_score, data=st.data())
def test_one_wrong_value_anywhere_is_refused(score: Score, data: st.DataObject):
    if not len(score):
        return
    name = data.draw(st.sampled_from(sorted(WRONG)))
    place = data.draw(st.integers(0, len(score) - 1))
    column = getattr(score, name).copy()
    column[place] = data.draw(st.sampled_from(WRONG[name]))
    with pytest.raises(InputError, match=f"a score's {name} must be"):
        replace(score, **{name: column})


@given(score=any_score, data=st.data())
def test_marks_are_a_list_of_marks(score: Score, data: st.DataObject):
    marks = score.marks
    listed = list(marks)
    assert [marks[i] for i in range(len(marks))] == listed
    assert all(isinstance(mark, Mark) for mark in listed)
    cut = data.draw(st.slices(len(marks)))
    assert list(marks[cut]) == listed[cut]
    kinds = data.draw(st.sets(st.sampled_from(["nan", "loss", "step", "other"])))
    assert list(marks.of(*kinds)) == [mark for mark in listed if mark.kind in kinds]
