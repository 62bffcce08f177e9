"""Tables of pandas: the same recording back, whatever was measured, and tables that gradmidi never saw."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gradmidi import InputError, Recording


def same(a: Recording, b: Recording) -> bool:
    return (
        (a.layers, dict(a.meta), list(a.metrics)) == (b.layers, dict(b.meta), list(b.metrics))
        and a.steps.tobytes() == b.steps.tobytes()
        and a.gaps.tobytes() == b.gaps.tobytes()
        and np.ascontiguousarray(a.norms).tobytes() == np.ascontiguousarray(b.norms).tobytes()
        and all(np.array_equal(a.metrics[name], b.metrics[name], equal_nan=True) for name in a.metrics)
    )


def test_a_table_as_people_use_it(sick):
    frame = sick.to_pandas()
    assert list(frame.columns) == ["epoch", "loss", "conv1", "conv2", "fc1", "fc2"]
    assert frame.index.name == "step"
    assert frame.loc[20, "conv2"] == 1e7
    assert frame.loc[70, "conv1"] is pandas.NA, "a gap"
    assert np.isnan(frame.loc[40, "fc1"]), "a measured NaN"
    assert frame["conv1"].isna().sum() == 1
    assert frame["loss"].dtype == frame["fc2"].dtype == np.float64
    assert frame.groupby("epoch")["loss"].mean().tolist() == pytest.approx(
        [sick.metrics["loss"][:150].mean(), sick.metrics["loss"][150:].mean()]
    )


def test_the_same_recording_comes_back(sick):
    assert same(Recording.from_pandas(sick.to_pandas()), sick)
    assert same(Recording.from_pandas(pickle.loads(pickle.dumps(sick.to_pandas()))), sick)
    assert same(Recording.from_pandas(sick.to_pandas().reset_index()), sick)


def test_a_table_is_a_copy(sick):
    before = sick.norms.copy()
    frame = sick.to_pandas()
    frame["fc2"].to_numpy().flags.writeable = True
    frame.loc[0, "conv1"] = 7.0
    frame.loc[0, "fc2"] = 7.0
    assert np.array_equal(sick.norms, before, equal_nan=True)


names = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1, max_size=4, unique=True)


@settings(max_examples=60, deadline=None)
@given(names, names, st.integers(0, 5), st.data())
def test_any_recording_comes_back(layers, metrics, count, data):
    norms = data.draw(arrays.arrays(np.float64, (count, len(layers)), elements=st.floats(width=32)))
    gaps = data.draw(arrays.arrays(bool, (count, len(layers))))
    steps = data.draw(arrays.arrays(np.int64, count))
    numbers = {name: data.draw(arrays.arrays(np.float64, count, elements=st.floats(width=32))) for name in metrics}
    recording = Recording(tuple(layers), steps, np.where(gaps, np.nan, norms), numbers, {"a": "ü\n", "": ""}, gaps)
    back = Recording.from_pandas(recording.to_pandas())
    assert (back.layers, list(back.metrics), dict(back.meta)) == (recording.layers, metrics, dict(recording.meta))
    assert np.array_equal(back.steps, steps)
    assert np.array_equal(back.gaps, gaps)
    assert np.array_equal(back.norms, recording.norms, equal_nan=True)
    assert all(np.array_equal(back.metrics[name], numbers[name], equal_nan=True) for name in metrics)


def test_chosen_rows_and_columns_and_added_ones(sick):
    frame = sick.to_pandas().loc[40:80].drop(columns=["conv2", "epoch"])
    frame["ratio"] = frame["loss"] / 2
    back = Recording.from_pandas(frame)
    assert back.layers == ("conv1", "fc1", "fc2")
    assert list(back.metrics) == ["loss", "ratio"], "what was added is a metric"
    assert np.array_equal(back.gaps, sick.gaps[40:81][:, [0, 2, 3]])
    assert np.array_equal(back.norms, sick.norms[40:81][:, [0, 2, 3]], equal_nan=True)
    assert back.meta == sick.meta


def test_a_table_of_ones_own():
    frame = pandas.DataFrame({"step": [10, 20], "lr": [0.1, 0.2], "a": [1.5, np.nan], "b": [1, 2], "acc": [0, 1]})
    own = Recording.from_pandas(frame)
    assert (own.layers, list(own.metrics), own.steps.tolist()) == (("a", "b"), ["lr", "acc"], [10, 20])
    assert np.isnan(own.norms[1, 0])
    assert not own.gaps.any(), "a plain NaN is a NaN"
    chosen = Recording.from_pandas(frame, metrics=["b"])
    assert (chosen.layers, list(chosen.metrics)) == (("lr", "a", "acc"), ["b"])
    assert Recording.from_pandas(frame[["a"]]).steps.tolist() == [0, 1], "the index counts"


@pytest.mark.parametrize("kind", ["Float64", "Int64", "float64[pyarrow]", object])
def test_what_is_missing_is_a_gap(kind):
    if "pyarrow" in str(kind):
        pytest.importorskip("pyarrow")
    own = Recording.from_pandas(pandas.DataFrame({"a": pandas.Series([1, None, 3], dtype=kind)}))
    assert own.gaps[:, 0].tolist() == [False, True, False]
    assert own.norms[[0, 2], 0].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ({"a": [1.0], "b": ["x"]}, {}, "column 'b' does not hold numbers"),
        ({"a": [1.0], "b": pandas.to_datetime(["2019-08-01"])}, {}, "column 'b' does not hold numbers but datetime"),
        ({"a": [1.0], "b": pandas.Categorical(["x"])}, {}, "column 'b' does not hold numbers but category"),
        ({"a": [1j]}, {}, "column 'a' does not hold numbers but complex"),
        ({"step": [0.5], "a": [1.0]}, {}, "the table's steps must be whole numbers"),
        ({"step": ["x"], "a": [1.0]}, {}, "the table's steps must be one row of whole numbers"),
        ({"step": [1], "loss": [1.0]}, {}, "no layer column besides 'step, loss'"),
        ({"a": [1.0]}, {"metrics": ["los"]}, "the table has no column 'los'; it has a"),
    ],
)
def test_what_is_no_recording(table, options, message):
    with pytest.raises(InputError, match=message):
        Recording.from_pandas(pandas.DataFrame(table), **options)


def test_other_things_than_a_table():
    with pytest.raises(InputError, match="takes a DataFrame, not 'dict'"):
        Recording.from_pandas({"a": [1.0]})
    with pytest.raises(InputError, match="column 'a' appears twice"):
        Recording.from_pandas(pandas.DataFrame([[1.0, 2.0]], columns=["a", "a"]))


def test_a_table_with_attributes_of_something_else():
    frame = pandas.DataFrame({"a": [1.0]})
    frame.attrs["gradmidi"] = "0.1"
    assert Recording.from_pandas(frame).layers == ("a",)


def test_without_pandas():
    script = (
        "import sys; sys.modules['pandas'] = None\nimport gradmidi as gm\ngm.Recording.from_arrays([[1.0]]).to_pandas()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("run: pip install 'gradmidi[pandas]'"), done.stderr
    assert "MissingPartError: pandas is needed for tables of pandas" in done.stderr
