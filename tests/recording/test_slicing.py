"""Rows by position and by step, and recordings one after the other, against Python lists of the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradmidi import InputError, Recording
from gradmidi.recording import RESUMED
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.recording.memory import RowStore

LAYERS = ("conv", "fc")


def rows_of(recording: Recording) -> list[object]:
    """All that a recording says at each step, as texts, so that NaN equals NaN."""
    columns = [recording.steps, *recording.norms.T, *recording.gaps.T, *recording.metrics.values()]
    return [tuple(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]


def run(first: int, count: int, resumed: str | None = None, **metrics: float) -> Recording:
    """``count`` steps from ``first`` whose norms say which step it is."""
    steps = np.arange(first, first + count)
    norms = np.stack([steps + 0.25, steps + 0.5], axis=1)
    numbers = {name: np.full(count, value) for name, value in metrics.items()}
    return Recording(LAYERS, steps, norms, numbers, {"model": "net"} | ({RESUMED: resumed} if resumed else {}))


@pytest.mark.parametrize(
    "which",
    [slice(100, 200), slice(-5, None), slice(None, None, 7), slice(50, 10), slice(None, None, -1), slice(999, 1005)],
)
def test_a_slice_is_that_of_a_list(which, sick):
    part = sick[which]
    assert rows_of(part) == rows_of(sick)[which]
    assert part.layers == sick.layers
    assert part.meta == sick.meta


def test_positions_and_masks(sick):
    late = sick.metrics["epoch"] == 2
    assert rows_of(sick[late]) == rows_of(sick)[150:]
    assert rows_of(sick[[3, 70, -1]]) == [rows_of(sick)[i] for i in (3, 70, 200)]
    assert len(sick[[]]) == 0
    resumed = run(0, 5, "2")
    assert (resumed[[2, 2]].meta, resumed[[3, 1]].meta) == ({"model": "net"}, {"model": "net"}), "no order, no seams"


def test_an_int_is_a_row_of_its_own(sick):
    row = sick[-131]
    assert (row.step, row.gaps.tolist(), row.metrics["epoch"]) == (70, [True, False, False, False], 1.0)
    assert np.array_equal(row.norms, sick.norms[70], equal_nan=True)
    row.norms[:] = 0
    assert sick.norms[70, 1] != 0, "the arrays are the receiver's to keep"
    assert sick[np.int64(3)].step == 3


@pytest.mark.parametrize("position", [201, -202, 10**30])
def test_a_row_that_is_not_there(position, sick):
    with pytest.raises(IndexError, match=f"there is no row {position}; the recording has 201 rows"):
        sick[position]


@pytest.mark.parametrize("which", ["conv1", 1.5, None, (0, 1), [0.5], np.zeros((2, 2), dtype=int)])
def test_what_chooses_no_rows(which, sick):
    with pytest.raises(TypeError, match=r"rows are chosen by .* for layers see only\(\)"):
        sick[which]


def test_rows_go_into_any_sink_and_come_back(sick, tmp_path):
    with RecordingWriter(tmp_path / "again.csv", sick.layers, meta=sick.meta) as writer:
        store = RowStore(sick.layers, tuple(sick.metrics))
        for row in sick:
            writer.append(row)
            store.append(row)
    sick.save(tmp_path / "saved.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "saved.csv").read_bytes()
    assert rows_of(store.recording({})) == rows_of(sick)


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [(10, 12, [10, 11, 12]), (None, 1, [0, 1]), (18, None, [18, 19]), (5, 5, [5]), (99, None, []), (-9, 0, [0])],
)
def test_between_takes_both_ends(first, last, found):
    assert run(0, 20).between(first, last).steps.tolist() == found


def test_between_takes_every_row_of_a_step_that_was_counted_twice():
    twice = Recording(LAYERS, [0, 1, 2, 3, 2, 3, 4], np.ones((7, 2)), {}, {RESUMED: "2"})
    assert twice.between(1, 3).steps.tolist() == [1, 2, 3, 2, 3]
    assert twice.between(1, 3).seams().tolist() == [3]
    with pytest.raises(InputError, match=r"between\(5, 2\): the first step must not be larger than the last"):
        twice.between(5, 2)


@st.composite
def resumed_runs(draw) -> tuple[Recording, list[int]]:
    """A run that was resumed a few times, at one of its steps so far or at the next, and the rows of its seams."""
    steps, seams = list(range(draw(st.integers(1, 8)))), []
    for _ in range(draw(st.integers(0, 4))):
        seams.append(len(steps))
        first = draw(st.integers(0, steps[-1] + 1))
        steps += range(first, first + draw(st.integers(1, 6)))
    meta = {RESUMED: ", ".join(str(steps[seam]) for seam in seams)} if seams else {}
    return Recording(LAYERS, steps, np.ones((len(steps), 2)), {}, meta), seams


@given(resumed_runs(), st.integers(0, 30), st.integers(0, 30))
def test_seams_stay_where_they_were(resumed, start, stop):
    recording, seams = resumed
    assert recording[start:stop].seams().tolist() == [seam - start for seam in seams if start <= seam < stop]


@given(resumed_runs(), st.data())
def test_a_seam_whose_row_is_dropped_moves_to_the_next(resumed, data):
    recording, seams = resumed
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(recording), max_size=len(recording))))
    kept = np.flatnonzero(keep).tolist()
    part = recording[keep]
    steps = part.meta.get(RESUMED, "")
    expected = {
        next((i for i, row in enumerate(kept) if row >= seam), None) for seam in seams if kept and kept[0] <= seam
    }
    assert steps == ", ".join(str(part.steps[i]) for i in sorted(expected - {None}))


def test_concat_is_one_run_in_parts():
    whole = Recording.concat([run(0, 3, loss=2), run(3, 2), run(10, 2, "11", lr=0.5)])
    assert whole.steps.tolist() == [0, 1, 2, 3, 4, 10, 11]
    assert whole.norms[:, 0].tolist() == [0.25, 1.25, 2.25, 3.25, 4.25, 10.25, 11.25]
    assert str(whole.metrics["loss"].tolist()) == "[2.0, 2.0, 2.0, nan, nan, nan, nan]"
    assert str(whole.metrics["lr"].tolist()) == "[nan, nan, nan, nan, nan, 0.5, 0.5]"
    assert whole.seams().tolist() == [3, 5, 6]
    assert whole.meta == {"model": "net", RESUMED: "3, 10, 11"}


def test_concat_is_what_appending_to_the_file_gives(sick, tmp_path):
    """The same as a run that is continued with ``existing="append"``."""
    path = tmp_path / "norms.csv"
    for existing, part in (("replace", sick[:120]), ("append", sick[120:])):
        with RecordingWriter(path, sick.layers, meta=sick.meta, existing=existing) as writer:
            for row in part:
                writer.append(row)
    appended, whole = Recording.load(path), Recording.concat([sick[:120], sick[120:]])
    assert rows_of(whole) == rows_of(appended) == rows_of(sick)
    assert whole.meta == appended.meta == {**sick.meta, RESUMED: "120"}


def test_concat_puts_layers_in_the_order_of_the_first():
    other = Recording(("fc", "conv"), [5], [[1.0, np.nan]], {}, {}, [[False, True]])
    whole = Recording.concat([run(0, 1), other])
    assert whole.layers == LAYERS
    assert whole.norms[0].tolist() == [0.25, 0.5]
    assert whole.norms[1, 1] == 1
    assert whole.gaps.tolist() == [[False, False], [True, False]]


def test_concat_keeps_the_metadata_of_the_first_and_adds_what_it_lacks():
    one, two = run(0, 1), run(1, 1)
    two = Recording(two.layers, two.steps, two.norms, two.metrics, {"model": "other", "seed": "7"})
    assert Recording.concat([one, two]).meta == {"model": "net", "seed": "7", RESUMED: "1"}


def test_renumbered_steps_continue():
    whole = Recording.concat([run(5, 3), run(0, 3), Recording(LAYERS, [100, 110], np.ones((2, 2)))], renumber=True)
    assert whole.steps.tolist() == [5, 6, 7, 8, 9, 10, 11, 21]
    assert whole.seams().tolist() == [3, 6]


def test_one_recording_and_those_without_rows():
    assert rows_of(Recording.concat([run(0, 3)])) == rows_of(run(0, 3))
    assert Recording.concat(run(0, 3)).meta == {"model": "net"}
    assert rows_of(Recording.concat([run(0, 0), run(0, 2), run(0, 0), run(2, 2)])) == rows_of(run(0, 4))
    assert len(Recording.concat([run(0, 0), run(0, 0)])) == 0


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "there is no recording to concatenate"),
        ([run(0, 2), "norms.csv"], "'norms.csv' is not a recording"),
        ([run(0, 5), run(0, 5)], r"recording 2 begins at step 0, but recording 1 ends at step 4; .* renumber=True$"),
        ([run(0, 5), run(4, 5)], "recording 2 begins at step 4, but recording 1 ends at step 4"),
        ([run(0, 5), run(0, 0), run(3, 5)], r"recording 3 begins at step 3, .* or cut the other with between\(None, 2"),
        ([run(0, 1), run(1, 1).only(["fc"])], r"'conv' is not in recording 2; .* with only\(\[...\]\)"),
        ([run(0, 1).only(["fc"]), run(1, 1)], "'conv' is only in recording 2"),
    ],
)
def test_what_cannot_follow_each_other(parts, message):
    with pytest.raises(InputError, match=message):
        Recording.concat(parts)


def test_the_remedy_that_the_message_names_works():
    cut = run(0, 5).between(None, 2)
    assert Recording.concat([cut, run(3, 5)]).steps.tolist() == list(range(8))


def test_steps_beyond_64_bits_are_refused():
    last = Recording(LAYERS, [2**63 - 1], np.ones((1, 2)))
    first = Recording(LAYERS, [-(2**63)], np.ones((1, 2)))
    far = Recording.concat([run(0, 1), last])
    for parts in ([last, run(0, 1)], [run(0, 1), Recording.concat([first, last])], [first, last], [run(0, 6), far]):
        with pytest.raises(InputError, match="beyond 64 bits"):
            Recording.concat(parts, renumber=True)
