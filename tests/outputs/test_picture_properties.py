"""What a picture draws, for any notes and marks: bars cover the notes, marks keep apart, stretches hold their steps."""

from __future__ import annotations

from functools import partial
from xml.etree import ElementTree

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradmidi.composition import compose
from gradmidi.outputs.picture import parse_size, save_picture
from gradmidi.outputs.picture.pitch_axis import APART, limits, marks
from gradmidi.outputs.picture.roll import LONGEST_NAME, bars, legend_names
from gradmidi.outputs.picture.trouble import there_is
from gradmidi.recording import Recording
from tests.outputs.scores import scores

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

TEXT = "{http://www.w3.org/2000/svg}text"
EIGHTHS = st.integers(0, 40).map(lambda n: n / 8)  # sums of them are exact
notes = st.lists(
    st.tuples(EIGHTHS, st.integers(1, 24).map(lambda n: n / 8), st.sampled_from([110.0, 220.0, 330.5])), max_size=12
)
any_score = st.booleans().flatmap(scores)


def joined(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Intervals that touch or overlap, as one."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


@given(notes)
def test_bars_are_the_notes_of_a_tone_joined_where_they_touch(played):
    onset, length, hertz = (
        np.array(column, dtype=np.float64) for column in (zip(*played, strict=True) if played else ([], [], []))
    )
    expected = [
        [[start, hz], [end, hz]]
        for hz in sorted({hz for *_, hz in played})
        for start, end in joined([(on, on + lasts) for on, lasts, tone in played if tone == hz])
    ]
    assert bars(onset, onset + length, hertz).tolist() == expected


@given(
    sounding=st.lists(st.floats(27.5, 4186), min_size=1, max_size=80),
    height=st.floats(40, 2000),
)
def test_pitches_that_are_marked_keep_apart_and_stay_on_the_axis(sounding, height):
    low, high = min(sounding) / 1.12, max(sounding) * 1.12
    there = marks(np.array(sounding), low, high, height)
    places = np.log2(there / low) / np.log2(high / low) * height
    assert (np.diff(places) >= APART - 1e-6).all()
    assert ((places > -1e-6) & (places < height + 1e-6)).all()
    if len({round(hz, 6) for hz in sounding}) <= 60:
        assert len(there), "one tone is always named"


@given(any_score)
def test_every_note_with_a_pitch_lies_on_the_axis(score):
    low, high = limits(score)
    heard = score.frequency[score.drum < 0]
    assert 0 < low < high
    assert ((low < heard) & (heard < high)).all()


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_stretches_are_the_runs_of_bad_steps(bad):
    """A run of steps that are NaN is one bar, from its first step to the end of its last."""
    norms = np.where(bad, np.nan, 1.0)[:, np.newaxis]
    score = compose(Recording.from_arrays(norms))
    there = there_is(score, "nan")
    step = score.length / len(bad)
    padded = [False, *bad, False]
    starts = [i for i in range(len(bad)) if padded[i + 1] and not padded[i]]
    ends = [i + 1 for i in range(len(bad)) if padded[i + 1] and not padded[i + 2]]
    assert np.round(there.starts / step, 6).tolist() == starts
    assert np.round(there.ends / step, 6).tolist() == ends


# Many are alike where the legend cuts them.
name = st.tuples(
    st.sampled_from(["", "a" * 50]), st.text("ab.()12 ", min_size=1, max_size=5), st.just("b" * 50) | st.just("")
)
names = st.lists(name.map("".join), min_size=1, max_size=12, unique=True)


@given(names)
def test_names_in_the_legend_differ_and_are_short(layers):
    score = compose(Recording.from_arrays(np.ones((1, len(layers))), layers))
    shown = legend_names(score)
    assert len(set(shown)) == len(layers)
    assert max(map(len, shown)) <= LONGEST_NAME + len(" (12)")


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(score=any_score)
def test_any_score_has_a_picture_that_names_its_voices(score, tmp_path):
    recording = Recording.from_arrays(np.ones((3, 1)), loss=[1.0, np.inf, 2.0])
    save_picture(score, recording, tmp_path / "a.svg")
    texts = ["".join(element.itertext()) for element in ElementTree.parse(tmp_path / "a.svg").iter(TEXT)]
    assert set(legend_names(score)) <= set(texts)
    assert score.title in texts


@given(st.integers(400, 8000), st.integers(400, 8000), st.sampled_from(["x", "X", "×", " x "]))
def test_any_size_is_read_as_it_is_written(width, height, sign):
    assert parse_size(f"{width}{sign}{height}") == (width, height)
