"""What Weights & Biases exports: histories of a run and the CSV behind a chart."""

import json

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording

# As downloaded from a chart of two runs: the points, and the bounds of what was averaged into them.
CHART = """"Step","calm-sea-1 - grad_norm/a","calm-sea-1 - grad_norm/a__MIN","calm-sea-1 - grad_norm/a__MAX",\
"wild - wind-2 - grad_norm/a","wild - wind-2 - grad_norm/a__MIN","wild - wind-2 - grad_norm/a__MAX"
"0","1.5","1.5","1.5","2.5","2.5","2.5"
"10","1.25","1.0","1.5","","",""
"""


def test_a_charts_runs_are_listed_and_chosen(tmp_path):
    (tmp_path / "chart.csv").write_text(CHART)
    with pytest.raises(InputError, match="2 runs: calm-sea-1, wild - wind-2; choose one with run") as caught:
        Recording.from_wandb_export(tmp_path / "chart.csv")
    assert "\n" not in str(caught.value)
    calm = Recording.from_wandb_export(tmp_path / "chart.csv", run="calm*")
    assert calm.steps.tolist() == [0, 10]
    assert calm.norms.ravel().tolist() == [1.5, 1.25]
    assert calm.meta["run"] == calm.meta["title"] == "calm-sea-1"
    assert calm.layers == ("grad_norm/a",)
    wild = Recording.from_wandb_export(tmp_path / "chart.csv", run="wild*")
    assert wild.steps.tolist() == [0]
    with pytest.raises(InputError, match="no run is called 'storm'; there are calm-sea-1"):
        Recording.from_wandb_export(tmp_path / "chart.csv", run="storm")


def test_a_history_with_histograms_and_rows_of_two_loggers(tmp_path):
    """As ``run.history().to_csv()`` writes it: every logging call a row, histograms as text."""
    (tmp_path / "history.csv").write_text(
        "_step,_runtime,_timestamp,trainer/global_step,gradients/conv1,grad_norm/conv1,grad_norm/fc1,train/loss\n"
        "0,1.5,1.7e9,0,\"{'_type': 'histogram', 'values': [1, 2]}\",1.5,2.5,0.75\n"
        "1,1.6,1.7e9,,,,,\n"
        "2,1.7,1.7e9,50,,1.25,,0.5\n"
    )
    recording = Recording.from_wandb_export(tmp_path / "history.csv")
    assert recording.layers == ("conv1", "fc1")
    assert recording.steps.tolist() == [0, 50]
    assert recording.gaps.tolist() == [[False, False], [False, True]]
    assert recording.metrics["loss"].tolist() == [0.75, 0.5]
    by_call = Recording.from_wandb_export(tmp_path / "history.csv", step="_step")
    assert by_call.steps.tolist() == [0, 2]


def test_a_history_as_json_lines(tmp_path):
    rows = [
        {
            "_step": 0,
            "_runtime": 1.5,
            "grad_norm": {"conv1": 1.5},
            "gradients/conv1": {"_type": "histogram", "bins": [1]},
        },
        {"_step": 7, "_runtime": 2.5, "grad_norm": {"conv1": "NaN"}},
    ]
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recording = Recording.from_wandb_export(tmp_path / "history.jsonl")
    assert recording.steps.tolist() == [0, 7]
    assert np.array_equal(recording.norms, [[1.5], [np.nan]], equal_nan=True)
    assert not recording.gaps.any()
    with pytest.raises(InputError, match="it is the history of one run; leave run"):
        Recording.from_wandb_export(tmp_path / "history.jsonl", run="calm-sea-1")


def test_histograms_alone_hold_no_norms(tmp_path):
    (tmp_path / "history.csv").write_text("_step,gradients/conv1\n0,\"{'_type': 'histogram'}\"\n")
    with pytest.raises(
        InputError, match="line 2: the column 'gradients/conv1' holds histograms, not norms; choose other columns"
    ):
        Recording.from_wandb_export(tmp_path / "history.csv")
