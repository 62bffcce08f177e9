"""Whatever is saved loads again as it was: names, numbers, gaps and metadata, in CSV and in an archive."""

import csv
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gradmidi.errors import InputError
from gradmidi.recording import Recording
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.recording.row import Row

# Names that meet in a column: white space folded, our own words, what CSV, JSON and pandas read as something else.
ODD = (
    *("", " ", "a b", "a  b", "a\tb", "a b ", "a\nb", "a\r\nb", "a\u2028b", "a\x85b", "\xa0a b", "a\x00b", "\x1b[31m"),
    *("step", "loss", "loss (layer)", "loss (layer 2)", "loss (metric)", "epoch", "(layer)", "(metric)", "format"),
    *("#", "# c", "a#b", "#json: {}", "json", "layers", "metrics", "x,y", "x;y;z", "x\ty", '"', '""', 'say "d"', "'"),
    *("\ud800", "\ud83d\ude00", "\U0001f600", "\udfff\ud800", "\ufeff", "\u202e", "ü 層", "nan", "1", "x.npy", "/0"),
    *("[1]", "{}", ":", "a: b", "\\n", "a\\", "\\ud800", "x" * 199, "x" * 300, "x" * 301, "=1+1", "head", "norms", "."),
)
texts = st.sampled_from(ODD) | st.text(st.characters(), max_size=6)
names = st.lists(texts, unique=True, max_size=6)
FORMATS = ("n.csv", "n.npz")


@st.composite
def recordings(draw) -> Recording:
    layers, metrics = draw(names.filter(len)), draw(names)
    rows = draw(st.integers(1, 4))
    floats = st.floats(allow_nan=True, allow_infinity=True)
    norms = draw(arrays.arrays(np.float64, (rows, len(layers)), elements=floats))
    gaps = draw(arrays.arrays(np.bool_, (rows, len(layers))))
    steps = draw(arrays.arrays(np.int64, rows, elements=st.integers(-(2**63), 2**63 - 1)))
    measured = {name: draw(arrays.arrays(np.float64, rows, elements=floats)) for name in metrics}
    return Recording(tuple(layers), steps, norms, measured, draw(st.dictionaries(texts, texts, max_size=4)), gaps)


def bits(values: np.ndarray) -> bytes:
    """Every bit of numbers, with one nan for all."""
    return np.where(np.isnan(values), np.nan, values).tobytes()


def check_same(loaded: Recording, saved: Recording) -> None:
    assert loaded.layers == saved.layers
    assert loaded.meta == saved.meta
    assert list(loaded.metrics) == list(saved.metrics)
    assert loaded.steps.dtype == np.int64
    assert loaded.steps.tolist() == saved.steps.tolist()
    assert bits(loaded.norms) == bits(saved.norms)
    assert loaded.gaps.tobytes() == saved.gaps.tobytes()
    for name, values in saved.metrics.items():
        assert bits(loaded.metrics[name]) == bits(values)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=250, deadline=None)
@given(recording=recordings())
def test_every_recording_that_saves_also_loads(name, recording):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        recording.save(path)
        check_same(Recording.load(path), recording)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(recording=recordings())
def test_what_is_appended_is_what_is_saved_and_pandas_reads_it(recording):
    with tempfile.TemporaryDirectory() as folder:
        saved, appended = Path(folder) / "saved.csv", Path(folder) / "appended.csv"
        recording.save(saved)
        with RecordingWriter(appended, recording.layers, tuple(recording.metrics), recording.meta) as writer:
            for i, step in enumerate(recording.steps):
                metrics = {name: values[i] for name, values in recording.metrics.items()}
                writer.append(Row.of(step, recording.norms[i], metrics, recording.gaps[i]))
        assert appended.read_bytes() == saved.read_bytes()
        table = pandas.read_csv(saved, comment="#")
        with saved.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(line for line in file if not line.startswith("#")))
        assert list(table.columns) == rows[0]
        assert len(set(rows[0])) == len(rows[0]) == 1 + len(recording.metrics) + len(recording.layers)
        assert len(table) == len(recording) == len(rows) - 1
        assert table["step"].tolist() == recording.steps.tolist()


def test_every_odd_name_at_once(tmp_path):
    """All that may meet, as layers and as metrics of one recording."""
    count = len(ODD)
    odd = Recording(
        ODD,
        np.arange(2),
        np.arange(2.0 * count).reshape(2, count),
        dict.fromkeys(ODD, np.ones(2)),
        {name: name for name in ODD},
    )
    for name in FORMATS:
        odd.save(tmp_path / name)
        check_same(Recording.load(tmp_path / name), odd)


OLD = """# format: gradmidi recording 1
# layers: ["conv1", "loss", "two\\nlines", "a,b", "double  space", "step", 7]
# title: MNIST: a run, "quoted"
# : no key
# json: {"layers": 1}
# metrics: ["loss"]
step,epoch,loss,conv1,loss (layer),two lines,"a,b",double space,step (layer),7
0,1,2.5,0.25,1e-05,nan,inf,,-0.0,5e-324
10,1,nan,0.25,1,2,3,4,5,6
"""


def test_a_file_of_earlier_versions_loads_as_it_did(tmp_path):
    (tmp_path / "old.csv").write_text(OLD, encoding="utf-8")
    old = Recording.load(tmp_path / "old.csv")
    assert old.layers == ("conv1", "loss", "two\nlines", "a,b", "double  space", "step", "7")
    assert old.steps.tolist() == [0, 10]
    assert list(old.metrics) == ["epoch", "loss"]
    assert old.metrics["loss"][0] == 2.5
    assert str(old.norms[0].tolist()) == "[0.25, 1e-05, nan, inf, nan, -0.0, 5e-324]"
    assert old.gaps[0].tolist() == [False, False, False, False, True, False, False]
    assert old.meta == {
        "title": 'MNIST: a run, "quoted"', "": "no key", "json": '{"layers": 1}', "metrics": '["loss"]'
    }  # fmt: skip


def test_an_archive_of_earlier_versions_loads_as_it_did(tmp_path):
    head = '{"format": "gradmidi recording 1", "layers": ["a", 7], "meta": {"title": "x", "seed": 7}}'
    norms, gaps = np.array([[1.0, np.nan]]), np.array([[False, True]])
    arrays = {"metric/loss": np.ones(1), "metric/a/b": np.zeros(1)}
    np.savez(tmp_path / "old.npz", head=np.array(head), steps=np.zeros(1, int), norms=norms, gaps=gaps, **arrays)
    old = Recording.load(tmp_path / "old.npz")
    check_same(old, Recording(("a", "7"), [0], norms, {"loss": [1.0], "a/b": [0.0]}, {"title": "x", "seed": "7"}, gaps))


def test_a_metric_whose_name_is_longer_than_zip_has_room_for(tmp_path):
    long = Recording(("a",), [0], [[1.0]], {"x" * 70_000: [2.0]})
    long.save(tmp_path / "n.npz")
    check_same(Recording.load(tmp_path / "n.npz"), long)


@pytest.mark.parametrize(
    ("arrays", "wrong"),
    [
        ({"gaps": np.zeros((0, 1), bool)}, "gaps have shape"),
        ({"norms": np.ones((2, 1))}, "norms have shape"),
        ({"norms": b"\x93NUMPY\x01\x00\x01\x00{"}, "not a recording that gradmidi wrote"),
    ],
)
def test_an_archive_whose_arrays_do_not_fit_is_named(arrays, wrong, tmp_path):
    Recording(("a",), [0], [[1.0]]).save(tmp_path / "n.npz")
    with zipfile.ZipFile(tmp_path / "n.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, array in arrays.items():
        content = io.BytesIO()
        content.write(array) if isinstance(array, bytes) else np.save(content, array)
        members[f"{name}.npy"] = content.getvalue()
    with zipfile.ZipFile(tmp_path / "n.npz", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match=rf"n\.npz.*{wrong}"):
        Recording.load(tmp_path / "n.npz")


def test_names_stand_readable_in_the_header(tmp_path):
    layers = ("a b", "a  b", "loss", "#5", "")
    Recording(layers, [0], np.ones((1, 5)), {"loss": [1.0], "step": [1.0]}).save(tmp_path / "n.csv")
    header = (tmp_path / "n.csv").read_text().splitlines()[-2]
    assert header == 'step,loss,step (metric),a b,a b (layer),loss (layer),"#5",(layer)'


def test_a_spreadsheet_may_move_columns(tmp_path):
    odd = Recording(("b", "loss", "a  b"), [0, 1], [[1, 2, 3], [4, 5, 6]], {"loss": [7.0, 8.0]})
    odd.save(tmp_path / "n.csv")
    lines = (tmp_path / "n.csv").read_text().splitlines()
    rows = [",".join(reversed(line.split(","))) for line in lines[-3:]]
    (tmp_path / "n.csv").write_text("\n".join(lines[:-3] + rows) + "\n")
    check_same(Recording.load(tmp_path / "n.csv"), odd)


REFUSED = [
    (lambda: Recording(("a",), [], np.empty((0, 1))), "no steps"),
    (lambda: Recording(("x" * 10_000_000,), [0], [[1.0]]), "shorten them"),
    (lambda: Recording(("a",), [0], [[1.0]], meta={str(i): "" for i in range(10_001)}), "at most 500,000 layers"),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_cannot_be_written_is_refused_in_one_line(make, message, name, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        make().save(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [{"layers": ["a", "a"]}, {"layers": ["a"], "metrics": ["x", "x"]}, {"layers": []}])
def test_a_writer_refuses_names_that_no_reader_takes(options, tmp_path):
    with pytest.raises(InputError, match=r"appears twice|at least one layer"):
        RecordingWriter(tmp_path / "n.csv", **options)
    assert list(tmp_path.iterdir()) == []


STEPS = [
    [2**63], [-(2**63) - 1], [2**64], [1e19], [0.5], [np.nan], [np.inf], ["1"], [None], [[1]], np.array(3), [10**30],
    np.array([2**63], dtype=np.uint64), np.array([1j]), [-1, 2**63],
]  # fmt: skip


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_steps_beyond_64_bits_are_refused_never_wrapped(steps):
    with pytest.raises(InputError, match="whole numbers of 64 bits"):
        Recording(("a",), steps, [[1.0]])


def test_steps_given_with_plain_arrays_are_steps_and_no_metric():
    recording = Recording.from_arrays([[1.0], [2.0]], steps=[10, 20])
    assert (recording.steps.tolist(), dict(recording.metrics)) == ([10, 20], {})
    with pytest.raises(InputError, match="whole numbers of 64 bits"):
        Recording.from_arrays([[1.0], [2.0]], steps=[0, 2**63])


@pytest.mark.parametrize(
    "steps", [[2**63 - 1], [-(2**63)], [2**53 + 1], np.array([7], dtype=np.uint64), [3.0], [True], range(1)], ids=str
)
def test_steps_of_64_bits_are_kept(steps):
    assert Recording(("a",), steps, [[1.0]]).steps.tolist() == [int(steps[0])]


@pytest.mark.parametrize("values", [[["x"]], [[1j]], [[1.0], [1.0, 2.0]], [[10**400]]], ids=str)
def test_norms_that_are_no_numbers_are_refused(values):
    with pytest.raises(InputError, match="norms must be real numbers"):
        Recording(("a",), [0], values)


@pytest.mark.parametrize(
    "cell",
    [
        *("9223372036854775808", "-9223372036854775809", "1e19", "1e999999999", "9" * 5000),
        *("0.5", "0.7", "-0.3", "-0.7", "1.5", "nan", "inf", ""),
    ],
)
def test_a_steps_cell_beyond_64_bits_is_refused(cell, tmp_path):
    (tmp_path / "n.csv").write_text(f"step,a\n0,1\n{cell},2\n")
    with pytest.raises(InputError, match="line 3: the column 'step' must hold whole numbers of 64 bits"):
        Recording.load(tmp_path / "n.csv")


def test_steps_that_no_float_holds_are_exact_wherever_the_column_is(tmp_path):
    (tmp_path / "n.csv").write_text('a;step\n1,5;9007199254740993\n2,5;"9007199254740995"\n1;1e3\n')
    assert Recording.load(tmp_path / "n.csv").steps.tolist() == [2**53 + 1, 2**53 + 3, 1000]
