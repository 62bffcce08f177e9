"""The recording's file: exact numbers, plain CSV, errors that name the place, writers that are killed."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pandas
import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording, csv_reader, number_blocks
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.recording.row import Row


def same(a: Recording, b: Recording) -> bool:
    return (
        a.layers == b.layers
        and np.array_equal(a.steps, b.steps)
        and np.array_equal(a.norms, b.norms, equal_nan=True)
        and np.array_equal(a.gaps, b.gaps)
        and a.metrics.keys() == b.metrics.keys()
        and all(np.array_equal(a.metrics[k], b.metrics[k], equal_nan=True) for k in a.metrics)
    )


def test_save_and_load_keep_every_bit(sick, tmp_path):
    sick.save(tmp_path / "norms.csv")
    loaded = Recording.load(tmp_path / "norms.csv")
    assert same(sick, loaded)
    assert loaded.meta == sick.meta


def test_any_layer_name_comes_back(tmp_path):
    """Modules may be called anything, even like our own columns."""
    names = ("loss", "step", "epoch", "two\nlines", "a,b", "# c", 'say "d"', "ü 層", "double  space")
    odd = Recording(names, np.arange(3), np.arange(27.0).reshape(3, 9), {"epoch": np.ones(3), "loss": np.arange(3.0)})
    odd.save(tmp_path / "saved.csv")
    with RecordingWriter(tmp_path / "appended.csv", names) as writer:
        for step in range(3):
            writer.append(Row.of(step, odd.norms[step], {"epoch": 1, "loss": step}))
    assert same(Recording.load(tmp_path / "saved.csv"), odd)
    assert same(Recording.load(tmp_path / "appended.csv"), odd)


def test_names_in_the_file_can_be_read_by_people(tmp_path):
    Recording(("ü 層", "größe\n2"), [0], [[1.0, 2.0]], {}, {"wo": "Ségou"}).save(tmp_path / "n.csv")
    text = (tmp_path / "n.csv").read_text(encoding="utf-8")
    for written in ('# layers: ["ü 層", "größe', "# wo: Ségou", "step,ü 層,größe 2"):
        assert written in text
    assert Recording.load(tmp_path / "n.csv").layers == ("ü 層", "größe\n2")


@pytest.mark.parametrize("name", ["n.csv", "n.npz"])
def test_extreme_numbers_come_back_exactly(name, tmp_path):
    norms = np.array([[5e-324, 1.7976931348623157e308, 0.1 + 0.2], [-0.0, 1 / 3, np.float64(np.float32(0.1))]])
    Recording.from_arrays(norms).save(tmp_path / name)
    assert Recording.load(tmp_path / name).norms.tobytes() == norms.tobytes()


def test_an_archive_keeps_every_bit(sick, tmp_path):
    sick.save(tmp_path / "norms.npz")
    loaded = Recording.load(tmp_path / "norms.npz")
    assert same(sick, loaded)
    assert loaded.meta == sick.meta


def test_bad_archives_are_refused(sick, tmp_path):
    sick.save(tmp_path / "norms.npz")
    whole = (tmp_path / "norms.npz").read_bytes()
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    others = {"cut.npz": whole[:-100], "text.npz": b"step,a\n0,1\n", "empty.npz": b"", "head.npz": whole[:30]}
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    for name in ("other.npz", *others):
        with pytest.raises(InputError, match=f"{name} is not a recording that gradmidi wrote"):
            Recording.load(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        Recording.load(tmp_path / "none.npz")


@pytest.mark.parametrize("quick", ["pandas", "numpy"])
@pytest.mark.parametrize("size", [1, 100, 5000, 2**24])
def test_blocks_of_any_size_and_both_parsers_give_the_same(sick, size, quick, tmp_path, monkeypatch):
    """The bits of every norm, gaps and alarms, in blocks as small as a line."""
    rng = np.random.default_rng(0)
    norms, gaps = 10.0 ** rng.uniform(-300, 300, sick.norms.shape), rng.random(sick.norms.shape) < 0.1
    norms[:50] = sick.norms[:50]
    norms[gaps] = np.nan
    gaps[:, 3] |= np.arange(201) > 100
    norms[gaps] = np.nan
    wild = Recording(sick.layers, sick.steps, norms, sick.metrics, {}, gaps)
    wild.save(tmp_path / "n.csv")
    monkeypatch.setattr(number_blocks, "BLOCK_BYTES", size)
    monkeypatch.setattr(csv_reader, "PANDAS_BYTES", 0 if quick == "pandas" else 2**60)
    assert same(Recording.load(tmp_path / "n.csv"), wild)


@pytest.mark.parametrize("quick", ["pandas", "numpy"])
def test_a_bad_cell_far_down_is_named(quick, tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text("step,a\r\n" + "".join(f"{i},1\r\n" for i in range(999)) + "\r\n999,x\r\n")
    monkeypatch.setattr(number_blocks, "BLOCK_BYTES", 64)
    monkeypatch.setattr(csv_reader, "PANDAS_BYTES", 0 if quick == "pandas" else 2**60)
    with pytest.raises(InputError, match="line 1002, column 'a': 'x' is not a number"):
        Recording.load(tmp_path / "x.csv")


@pytest.mark.parametrize(
    "rows",
    ["0,,1\n1,2,\n", "0, ,1\n1,2,\t\n", '0,"",1\n1,"2",""', "0,,1\n1,2,", "\n0,,1\n\n1,2,\n\n", "0,,1\r\n1,2,\r\n"],
)
def test_empty_cells_in_every_place(rows, tmp_path):
    (tmp_path / "x.csv").write_bytes(b"step,a,b\n" + rows.encode())
    loaded = Recording.load(tmp_path / "x.csv")
    assert loaded.steps.tolist() == [0, 1]
    assert loaded.gaps.tolist() == [[True, False], [False, True]]
    assert loaded.norms[0, 1] == 1
    assert loaded.norms[1, 0] == 2


@pytest.mark.parametrize("first", ["1", "10", "100", ""])
@pytest.mark.parametrize("others", ["5,", ",5", "5,5", ","])
def test_empty_cells_where_the_first_column_is_a_layer(first, others, tmp_path):
    cells = [first, *others.split(",")]
    (tmp_path / "x.csv").write_text(f"a,b,c,step\n{','.join(cells)},0\n,7,,1\n")
    loaded = Recording.load(tmp_path / "x.csv")
    assert loaded.gaps.tolist() == [[not cell for cell in cells], [True, False, True]]
    assert [norm for norm in loaded.norms[0].tolist() if norm == norm] == [float(cell) for cell in cells if cell]


@pytest.mark.parametrize("quick", ["pandas", "numpy"])
@pytest.mark.parametrize("cells", ["0,1,2", "0,,2", "0,1,"])
def test_plain_numbers_are_not_read_cell_by_cell(cells, quick, tmp_path, monkeypatch):
    """That way gives the same numbers, but takes a hundred times as long."""

    def slow(*_):
        pytest.fail("read cell by cell")

    (tmp_path / "x.csv").write_text(f"step,a,b\n{cells}\n1,nan,inf\n")
    monkeypatch.setattr(csv_reader, "PANDAS_BYTES", 0 if quick == "pandas" else 2**60)
    monkeypatch.setattr(number_blocks.NumberReader, "_rows", slow)
    assert Recording.load(tmp_path / "x.csv").steps.tolist() == [0, 1]


def test_pandas_reads_it(sick, tmp_path):
    sick.save(tmp_path / "norms.csv")
    table = pandas.read_csv(tmp_path / "norms.csv", comment="#")
    assert list(table.columns) == ["step", "epoch", "loss", "conv1", "conv2", "fc1", "fc2"]
    assert np.array_equal(table["fc1"].to_numpy(), sick.norms[:, 2], equal_nan=True)
    assert np.isinf(table["conv1"][30])


def test_writer_and_save_write_the_same(sick, tmp_path):
    sick.save(tmp_path / "saved.csv")
    with RecordingWriter(tmp_path / "appended.csv", sick.layers, meta=sick.meta) as writer:
        for i, step in enumerate(sick.steps):
            metrics = {name: values[i] for name, values in sick.metrics.items()}
            writer.append(Row.of(step, sick.norms[i], metrics, sick.gaps[i]))
    assert (tmp_path / "appended.csv").read_bytes() == (tmp_path / "saved.csv").read_bytes()


def test_plain_csv_with_a_step_column(tmp_path):
    (tmp_path / "plain.csv").write_text("step,loss,block.0,block.1\n0,1.5,0.1,2\n10,1.25,,inf")
    plain = Recording.load(tmp_path / "plain.csv")
    assert plain.layers == ("block.0", "block.1")
    assert plain.steps.tolist() == [0, 10]
    assert plain.metrics["loss"].tolist() == [1.5, 1.25]
    assert plain.norms[0].tolist() == [0.1, 2.0]
    assert plain.norms[1, 1] == np.inf
    assert plain.gaps.tolist() == [[False, False], [True, False]]


@pytest.mark.parametrize(
    "head", ["step;a;b\n0;1.5;2\n1;2.5;3\n", "step;a;b\n0;1,5;2\n1;2,5;3,0\n", "step\ta\tb\n0\t1.5\t2\n1\t2.5\t3\n"]
)
def test_other_delimiters(head, tmp_path):
    (tmp_path / "x.csv").write_text(head)
    assert Recording.load(tmp_path / "x.csv").norms.tolist() == [[1.5, 2.0], [2.5, 3.0]]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_steps_of_64_bits_with_a_decimal_comma(delimiter, tmp_path):
    """2**53 + 1, which no float holds, as a spreadsheet of another country writes it."""
    rows = [["step", "a"], ["9007199254740993,0", "1,5"], ["9007199254740995", "2,5"]]
    (tmp_path / "x.csv").write_text("\n".join(map(delimiter.join, rows)) + "\n")
    loaded = Recording.load(tmp_path / "x.csv")
    assert loaded.steps.tolist() == [2**53 + 1, 2**53 + 3]
    assert loaded.norms.ravel().tolist() == [1.5, 2.5]


def test_a_spreadsheets_byte_order_mark_and_line_ends(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbfstep,a\r\n0,1.5\r\n1,2.5\r\n")
    assert Recording.load(tmp_path / "x.csv").norms.ravel().tolist() == [1.5, 2.5]


BAD = [
    ("", "empty"),
    ("# title: x\n", "empty"),
    ("step,a\n", "no steps"),
    ("epoch,a\n0,1\n", "no column called 'step'"),
    ("step,a\n0,1\n1,abc\n", r"line 3, column 'a': 'abc' is not a number"),
    ("step,a,b\n0,1,2\n1,2\n", r"line 3: 2 columns where the header has 3"),
    ("step,a,a\n0,1,2\n", "'a' appears twice"),
    ("step,loss\n0,1\n", "no layer column"),
    ("step\n0\n", "no number column"),
    ("step,a\n0.5,1\n", "whole numbers"),
    ('# format: gradmidi recording 1\n# layers: ["a"]\nstep,a\n0,0.123', "line 4: the line is cut short"),
    ('# format: gradmidi recording 1\n# layers: ["a", "b"]\nstep,a\n0,1\n', "'b' is missing"),
    ("# format: gradmidi recording 1\n# layers: a b\nstep,a\n0,1\n", "not a JSON list"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_files_are_refused_in_one_line(text, message, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Recording.load(path)
    assert "bad.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Recording.load(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="not a text file"):
        Recording.load(tmp_path / "x.csv")
    with pytest.raises(InputError):
        Recording.load(tmp_path)


def test_a_killed_writer_leaves_every_step(tmp_path):
    """A real process is killed in mid-run; every row that it had appended is there, none is cut."""
    path = tmp_path / "norms.csv"
    code = (
        "import sys, numpy as np\n"
        "from gradmidi.recording.csv_writer import RecordingWriter\n"
        "from gradmidi.recording.row import Row\n"
        f"w = RecordingWriter({str(path)!r}, ['a', 'b'])\n"
        "for i in range(10**9):\n"
        "    w.append(Row.of(i, [i / 3, i / 7], {'epoch': 1, 'loss': i}))\n"
        "    if i % 100 == 0: print(i, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) >= 2000:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    loaded = Recording.load(path)
    assert len(loaded) > 2000
    assert np.array_equal(loaded.norms[:, 0], loaded.steps / 3)


def test_a_full_disk_leaves_whole_lines(tmp_path):
    """A process with a limit on the file's size: the append fails, the file still loads."""
    path = tmp_path / "norms.csv"
    code = (
        "import resource, signal, numpy as np\n"
        "from gradmidi.recording.csv_writer import RecordingWriter\n"
        "from gradmidi.recording.row import Row\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        f"w = RecordingWriter({str(path)!r}, ['a', 'b'])\n"
        "try:\n"
        "    for i in range(10000): w.append(Row.of(i, [i / 3, i / 7]))\n"
        "except OSError as error: print('refused', i, error.errno, w._file.tell())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, rows, number, position = done.stdout.split()
    assert (said, int(number)) == ("refused", errno.ENOSPC)
    assert len(Recording.load(path)) == int(rows)
    assert path.stat().st_size == int(position), "the next line would follow the last whole one"


def test_save_leaves_nothing_half_written(healthy, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write"):
        healthy.save(tmp_path / "file" / "norms.csv")
    with pytest.raises(InputError, match="is a folder"):
        healthy.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_only_chooses_layers_by_glob(healthy):
    assert healthy.only(["conv*", "fc2"]).layers == ("conv1", "conv2", "fc2")
    assert np.array_equal(healthy.only(["fc1"]).norms[:, 0], healthy.norms[:, 2])
    with pytest.raises(InputError, match="no layer is called 'fc9'"):
        healthy.only(["fc9"])


def test_shapes_must_fit():
    with pytest.raises(InputError, match="norms have shape"):
        Recording(("a",), np.arange(3), np.zeros((2, 1)))
    with pytest.raises(InputError, match="metric 'loss'"):
        Recording(("a",), np.arange(2), np.zeros((2, 1)), {"loss": np.zeros(3)})
    with pytest.raises(InputError, match="at least one layer"):
        Recording((), np.arange(2), np.zeros((2, 0)))
