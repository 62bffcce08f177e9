"""CSV and JSONL logs of the shapes that loggers and people write, against pandas and against what was put in."""

import json

import numpy as np
import pandas
import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording


def test_a_loggers_csv_with_rows_of_two_kinds(tmp_path):
    """As Lightning's CSVLogger writes it: training and validation rows of one step, text and empty cells."""
    (tmp_path / "metrics.csv").write_text(
        "epoch,grad_2.0_norm/conv1.weight,grad_2.0_norm/fc1.weight,grad_2.0_norm_total,note,step,train_loss,val_loss\n"
        "0,1.5,2.5,2.9,warm-up,49,0.75,\n"
        "0,,,,,49,,0.5\n"
        "1,1.25,inf,inf,,99,nan,\n"
    )
    recording = Recording.from_csv(tmp_path / "metrics.csv")
    assert recording.layers == ("conv1.weight", "fc1.weight"), "without the norm of the whole model"
    assert recording.steps.tolist() == [49, 99]
    assert recording.norms.tolist() == [[1.5, 2.5], [1.25, np.inf]]
    assert not recording.gaps.any()
    assert recording.metrics["epoch"].tolist() == [0, 1]
    assert recording.metrics["loss"][0] == 0.75
    assert np.isnan(recording.metrics["loss"][1])
    assert recording.meta["title"] == "metrics"


@pytest.mark.parametrize("with_text", [True, False])
def test_a_table_with_gaps_is_read_as_pandas_reads_it(with_text, tmp_path):
    """Both ways of reading: a table of nothing but numbers, and one with a column of text."""
    rng = np.random.default_rng(0)
    table = pandas.DataFrame(rng.lognormal(size=(500, 4)), columns=[f"block.{i}/grad_norm" for i in range(4)])
    table = table.mask(rng.random(table.shape) < 0.2)
    table.insert(2, "iteration", 10 * np.arange(500))
    if with_text:
        table["when"] = "2019-08-01, noon"
    table.to_csv(tmp_path / "t.csv", index=False)
    recording = Recording.from_csv(tmp_path / "t.csv")
    norms = table.filter(like="grad_norm").to_numpy()
    some = ~np.isnan(norms).all(axis=1)
    assert recording.layers == tuple(f"block.{i}" for i in range(4))
    assert np.array_equal(recording.steps, table["iteration"][some])
    assert np.array_equal(recording.norms, norms[some], equal_nan=True)
    assert np.array_equal(recording.gaps, np.isnan(norms[some]))


def test_columns_metrics_and_step_are_chosen(tmp_path):
    (tmp_path / "t.tsv").write_text("when\ta\tb\tacc\tval_loss\n5\t1\t2\t0.5\t9\n3\t3\t4\t0.25\t8\n5\t7\t\t\t\n")
    recording = Recording.from_csv(tmp_path / "t.tsv", columns=["[ab]"], metrics=["acc", "val*"], step="when")
    assert recording.layers == ("a", "b")
    assert recording.steps.tolist() == [3, 5], "in the order of steps; of two rows of a step each cell's last one"
    assert recording.norms.tolist() == [[3, 4], [7, 2]]
    assert {name: values.tolist() for name, values in recording.metrics.items()} == {
        "acc": [0.25, 0.5],
        "val_loss": [8, 9],
    }


def test_a_pandas_index_counts_as_steps(tmp_path):
    pandas.DataFrame({"grad_norm": [1.0, 2.0]}).to_csv(tmp_path / "t.csv")
    assert Recording.from_csv(tmp_path / "t.csv").steps.tolist() == [0, 1]


def test_our_own_file_can_be_chosen_from(healthy, tmp_path):
    healthy.save(tmp_path / "norms.csv")
    chosen = Recording.from_csv(tmp_path / "norms.csv", columns=["fc*"])
    assert chosen.layers == ("fc1", "fc2")
    assert np.array_equal(chosen.norms, healthy.norms[:, 2:])
    assert np.array_equal(chosen.metrics["loss"], healthy.metrics["loss"])


@pytest.mark.parametrize("columns", [None, ["grad/*/norm"], ["grad.*.norm"], ["grad/conv1/norm", "grad/fc1/norm"]])
def test_nested_json_lines(columns, tmp_path):
    rows = [
        {"step": 0, "loss": 2.5, "grad": {"conv1": {"norm": 1.5, "mean": 0.1}, "fc1": {"norm": 2}}, "tags": ["a"]},
        {"event": "saved", "path": "x.pt"},
        {"step": 10, "loss": "NaN", "grad": {"conv1": {"norm": "Infinity"}, "fc1": {"norm": None}}, "ok": True},
        {"step": 20.0, "grad": {"conv1": {"norm": float("nan")}, "fc1": {"norm": 3}}},
    ]
    (tmp_path / "log.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    recording = Recording.from_jsonl(tmp_path / "log.jsonl", columns)
    assert recording.layers == ("conv1", "fc1")
    assert recording.steps.tolist() == [0, 10, 20]
    assert np.array_equal(recording.norms, [[1.5, 2], [np.inf, np.nan], [np.nan, 3]], equal_nan=True)
    assert recording.gaps.tolist() == [[False, False], [False, True], [False, False]]
    assert np.array_equal(recording.metrics["loss"], [2.5, np.nan, np.nan], equal_nan=True)


BAD_CSV = [
    ("", {}, "is empty"),
    ("step,grad_norm\n", {}, "hold no numbers"),
    ("step,a\n0,1\n", {}, "no column looks like a gradient norm; there are a; choose with columns"),
    ("when,grad_norm\n0,1\n", {}, "line 1: there is no column called 'step' among when, grad_norm; say which one"),
    ("step,grad_norm\n0,1\n", {"step": "when"}, "there is no column called 'when'"),
    ("step,grad_norm\n0,x\n", {}, "line 2, column 'grad_norm': 'x' is not a number"),
    ("# a: b\nstep,grad_norm,t\n0,1,x\n1,y,x\n", {}, "line 4, column 'grad_norm': 'y' is not a number"),
    ("step,grad_norm\n0.5,1\n", {}, "line 2: the column 'step' must hold whole numbers, not '0.5'"),
    ("step,grad_norm\nnan,1\n", {}, "must hold whole numbers, not 'nan'"),
    ("step,grad_norm\n1e30,1\n", {}, "must hold whole numbers, not '1e30'"),
    ("step,grad_norm\n0,1\n1\n", {}, "line 3: 1 columns where the header has 2"),
    ("step,grad_norm,grad_norm\n0,1,1\n", {}, "'grad_norm' appears twice"),
    ("step,grad_norm\n0,1\n", {"columns": ["*loss"]}, r"no column fits '\*loss'; there are grad_norm"),
    ("step,grad_norm\n0,1\n", {"metrics": ["acc"]}, "no column fits 'acc'"),
    ("step,grad_norm,t\n0,1," + 200_000 * "x" + "\n", {}, "line 2: a cell is longer than"),
]


@pytest.mark.parametrize(("text", "options", "message"), BAD_CSV)
def test_bad_csv_is_refused_in_one_line(text, options, message, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Recording.from_csv(tmp_path / "bad.csv", **options)
    assert "bad.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_JSONL = [
    ("", "is empty"),
    ('{"step": "a"}\n', "is empty: it holds no numbers"),
    ('{"step": 0, "grad_norm": 1}\n{"step": 1, "grad\n', "line 2 is not JSON"),
    ('{"step": 0, "grad', "line 1 is not JSON"),
    ("[1, 2]\n", "entry 1 is not a JSON object"),
    ("3\n", "line 1 is not a JSON object"),
    ('{"grad_norm": 1}\n', "no column called 'step'"),
    ('{"step": 1e999, "grad_norm": 1}\n{"step": "NaN", "grad_norm": 1}\n', "must hold whole numbers, not inf"),
    ('{"step": 0.5, "grad_norm": 1}\n', "line 1: the column 'step' must hold whole numbers"),
    ('{"step": 0, "loss": 1}\n', "no column looks like a gradient norm"),
    ('{"step": 0, "grad_norm": 1' + 400 * "0" + "}\n", "line 1: the number 100000000000… of 401 digits is too large"),
    ('{"step": 0, "grad_norm": ' + 5_000 * "9" + "}\n", "of 5,000 digits is too large"),
    ('{"step": 1e30, "grad_norm": 1}\n', r"must hold whole numbers, not 1e\+30"),
    ('{"step": 9007199254740993, "grad_norm": 1}\n', "must hold whole numbers"),
    ('{"a": ' * 5_000 + "1" + "}" * 5_000, "the JSON is nested too deeply"),
    ('{"step": 0,\n "grad_norm": 1}', "the JSON is a single object, neither a Trainer's state"),
    ('{"grad_norm": 1}\n{"step": 1}\n', "hold no numbers"),
    ("\x00\xff", "is not a text file"),
]


@pytest.mark.parametrize(("text", "message"), BAD_JSONL)
def test_bad_jsonl_is_refused_in_one_line(text, message, tmp_path):
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Recording.from_jsonl(tmp_path / "bad.jsonl")
    assert "bad.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path):
    for read in (Recording.from_csv, Recording.from_jsonl, Recording.from_wandb_export):
        with pytest.raises(InputError, match="no such file"):
            read(tmp_path / "none.csv")
        with pytest.raises(InputError, match="cannot read"):
            read(tmp_path)
