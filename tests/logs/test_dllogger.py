"""DLLogger's lines, as its JSON backend writes them: https://github.com/NVIDIA/dllogger."""

import json

import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording

STAMP = {"timestamp": "1570716916.1", "datetime": "2019-10-10 14:15:16.1", "elapsedtime": "1.5"}


def line(step, data: dict, kind: str = "LOG") -> str:
    return f"DLLL {json.dumps(STAMP | {'type': kind, 'step': step, 'data': data})}\n"


def norms(value: float) -> dict[str, float]:
    return {"grad_norm.conv1": value, "grad_norm.fc1": 2 * value, "train.loss": 0.5}


HEAD = line("PARAMETER", {"lr": 0.1, "grad_norm.conv1": 99}) + (
    f"DLLL {json.dumps(STAMP | {'type': 'METADATA', 'metric': 'lr', 'metadata': {'unit': 'x'}})}\n"
)


@pytest.mark.parametrize("name", ["log.json", "log.jsonl", "dllogger.txt", "log"])
def test_steps_that_are_numbers(name, tmp_path):
    (tmp_path / name).write_text(HEAD + line(5, norms(1.5)) + line(10, norms(2.5)) + line([], norms(7.0)))
    recording = Recording.from_log(tmp_path / name)
    assert recording.layers == ("conv1", "fc1")
    assert recording.steps.tolist() == [5, 10]
    assert recording.norms.tolist() == [[1.5, 3.0], [2.5, 5.0]]
    assert recording.metrics["loss"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # counted from 1 in each epoch, with a validation and a summary at the end of the first
        ([[0, 5], [0, 10], [0, 10, 1], [0], [1, 5], [1, 10], [1], [2, 5], []], [5, 10, 15, 20, 25]),
        ([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]], [0, 1, 2, 3, 4]),  # counted from 0
        ([[0, 5], [0, 10], [1, 15], [1, 20]], [5, 10, 15, 20]),  # counted through
        ([[0], [1], [2]], [0, 1, 2]),  # epochs alone
    ],
)
def test_steps_that_are_epochs_and_iterations(steps, expected, tmp_path):
    (tmp_path / "log.json").write_text(HEAD + "".join(line(step, norms(1.0)) for step in steps))
    recording = Recording.from_log(tmp_path / "log.json")
    assert recording.steps.tolist() == expected
    assert recording.metrics["epoch"].tolist() == sorted(recording.metrics["epoch"])


def test_lines_of_others_are_left_out_and_said(tmp_path):
    log = "Epoch 0\n" + HEAD + "0: " + line(1, norms(1.5)) + "DLL 2019-10-10 - 1 train.loss : 0.5\n" + line(2, norms(2))
    (tmp_path / "job.out").write_text(log + 'DLLL {"timestamp": "1570')
    recording = Recording.from_log(tmp_path / "job.out")
    assert recording.steps.tolist() == [1, 2]
    assert "line 7 is cut short; the lines before it are kept" in recording.meta["notice"]
    assert "2 lines of job.out are not DLLogger's and were left out" in recording.meta["notice"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line([True], norms(1.0)), "line 1: a step of DLLogger is a number or some of them"),
        (line([[1]], norms(1.0)), "line 1: a step of DLLogger is a number or some of them"),
        (line(0.5, norms(1.0)), "line 1: the column 'step' must hold whole numbers, not 0.5"),
        ("DLLL {\n", "line 1 is not JSON"),
        (HEAD, "it holds no numbers"),
        (line(1, {"train.loss": 0.5}), r"for only the loss use --columns train\.loss, or attach gradmidi"),
    ],
)
def test_what_it_does_not_write_is_refused_in_one_line(text, message, tmp_path):
    (tmp_path / "log.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Recording.from_log(tmp_path / "log.json")
    assert "\n" not in str(caught.value)
