"""Folders that trainers and trackers leave, written by the real thing: what is read, which run, and what is said."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording

# Written by MLflow 3.17 with MLFLOW_ALLOW_FILE_STORE=true: the runs "calm sea", "wild wind", "no norms" and "deleted".
STORE = Path(__file__).with_name("mlruns")
ONE_VOICE = "grad_norm is the norm of the whole model, which is one voice; for a voice per layer attach gradmidi"


@pytest.fixture
def save_state():
    """Call with a folder and a number of steps: a state of the Trainer, as its own class writes it."""
    state_class = pytest.importorskip("transformers").TrainerState

    def save(folder: Path, steps: int, **further) -> None:
        history = [
            {"loss": 2.0 - step / 100, "grad_norm": 1.0 + step, "learning_rate": 5e-5, "epoch": step / 10, "step": step}
            | {name: value + step for name, value in further.items()}
            for step in range(1, steps + 1)
        ]
        history.append({"eval_loss": 1.5, "eval_runtime": 0.1, "epoch": steps / 10, "step": steps})
        history.append({"train_loss": 1.75, "train_runtime": 3.5, "epoch": steps / 10, "step": steps})
        folder.mkdir(parents=True, exist_ok=True)
        state_class(global_step=steps, log_history=history).save_to_json(str(folder / "trainer_state.json"))

    return save


def test_a_trainers_state_as_a_file(save_state, tmp_path):
    save_state(tmp_path / "opt", 3)
    recording = Recording.from_log(tmp_path / "opt" / "trainer_state.json")
    assert recording.layers == ("grad_norm",)
    assert recording.steps.tolist() == [1, 2, 3]
    assert recording.norms.ravel().tolist() == [2, 3, 4]
    assert recording.metrics["loss"].tolist() == [1.99, 1.98, 1.97], "not the mean that stands at the end"
    assert recording.metrics["lr"].tolist() == [5e-5] * 3
    assert recording.metrics["epoch"].tolist() == [0.1, 0.2, 0.3]
    assert recording.meta["title"] == "opt"
    assert recording.meta["notice"].startswith(ONE_VOICE)


def test_a_norm_per_layer_in_the_history_is_a_voice_each(save_state, tmp_path):
    save_state(tmp_path, 2, **{"grad_norm/encoder": 0.5, "grad_norm/head": 1.5})
    recording = Recording.from_log(tmp_path)
    assert recording.layers == ("encoder", "head")
    assert recording.norms.tolist() == [[1.5, 2.5], [2.5, 3.5]]
    assert "notice" not in recording.meta


def test_the_newest_of_a_trainers_states_is_read(save_state, tmp_path):
    for steps in (5, 10, 15):
        save_state(tmp_path / "out" / f"checkpoint-{steps}", steps)
    assert len(Recording.from_log(tmp_path / "out")) == 15
    assert Recording.from_log(tmp_path / "out").meta["title"] == "out"
    assert len(Recording.from_log(tmp_path / "out" / "checkpoint-10")) == 10
    save_state(tmp_path / "out", 17)
    assert len(Recording.from_log(tmp_path / "out")) == 17
    save_state(tmp_path / "out" / "checkpoint-20", 20)  # of a second run that was broken off
    recording = Recording.from_log(tmp_path / "out")
    assert len(recording) == 20
    assert "checkpoint-20/trainer_state.json is read, which has more steps than" in recording.meta["notice"]


def test_a_damaged_state_is_passed_over_and_said(save_state, tmp_path):
    for steps in (5, 10):
        save_state(tmp_path / f"checkpoint-{steps}", steps)
    path = tmp_path / "checkpoint-10" / "trainer_state.json"
    path.write_bytes(path.read_bytes()[:300])  # the process was killed while it saved
    recording = Recording.from_log(tmp_path)
    assert len(recording) == 5
    assert "checkpoint-10/trainer_state.json, line" in recording.meta["notice"]
    assert "an earlier state is read" in recording.meta["notice"]


def test_runs_of_several_trainers_are_listed_and_chosen(save_state, tmp_path):
    save_state(tmp_path / "a", 3)
    save_state(tmp_path / "b" / "checkpoint-2", 2)
    with pytest.raises(InputError, match="2 runs: a, b; choose one with run"):
        Recording.from_log(tmp_path)
    assert len(Recording.from_log(tmp_path, run="b")) == 2


@pytest.fixture
def csv_logger(tmp_path):
    """Call with a version's norms: Lightning's own logger writes a training with a validation, in tmp_path / pl."""
    logger_class = pytest.importorskip("lightning.pytorch.loggers").CSVLogger

    def write(*norms: float, names=("grad_2.0_norm/conv1", "grad_2.0_norm_total")) -> None:
        logger = logger_class(str(tmp_path / "pl"))
        for step, norm in enumerate(norms):
            logger.log_metrics(dict.fromkeys(names, norm) | {"epoch": 0}, step)
            logger.log_metrics({"train_loss": 0.5, "epoch": 0}, step)
            logger.log_metrics({"val_loss": 0.25, "epoch": 0}, step)
            logger.save()

    return write


@pytest.mark.parametrize("folder", ["pl", "pl/lightning_logs", "pl/lightning_logs/version_0"])
def test_a_csv_loggers_folder_with_rows_that_share_a_step(folder, csv_logger, tmp_path):
    csv_logger(1.5, math.inf, 2.5)
    recording = Recording.from_log(tmp_path / folder)
    assert recording.layers == ("grad_2.0_norm/conv1",)
    assert recording.steps.tolist() == [0, 1, 2]
    assert recording.norms.ravel().tolist() == [1.5, math.inf, 2.5]
    assert recording.metrics["loss"].tolist() == [0.5, 0.5, 0.5]
    assert not recording.gaps.any()
    assert recording.meta["title"] == "lightning_logs/version_0"


def test_versions_of_a_csv_logger_are_chosen_as_runs(csv_logger, tmp_path):
    csv_logger(1.5, names=["accuracy"])
    csv_logger(2.5, 3.5)
    assert len(Recording.from_log(tmp_path / "pl")) == 2, "the only one with norms"
    csv_logger(4.5)
    with pytest.raises(InputError, match="2 runs: lightning_logs/version_1, lightning_logs/version_2; choose"):
        Recording.from_log(tmp_path / "pl")
    assert Recording.from_log(tmp_path / "pl", run="*version_2").norms.tolist() == [[4.5]]
    with pytest.raises(InputError, match="3 runs"):
        Recording.from_log(tmp_path / "pl", run="*")


def run_folder(name: str) -> Path:
    return next(path.parent.parent for path in STORE.rglob("mlflow.runName") if path.read_text() == name)


def test_a_store_of_mlflow(tmp_path):
    recording = Recording.from_log(STORE, run="calm*")
    assert recording.layers == ("conv1", "fc1")
    assert recording.steps.tolist() == [0, 1, 2, 3, 5]
    conv1 = [1.5, 0.75, 0.5, 0.375, math.nan]
    assert np.array_equal(recording.norms[:, 0], conv1, equal_nan=True)
    assert np.array_equal(recording.norms[:, 1], [2.5, 2.5, math.nan, 2.5, math.inf], equal_nan=True)
    assert recording.gaps.tolist() == [[False, False]] * 4 + [[True, False]], "the NaN that was logged is none"
    assert recording.metrics["loss"].tolist()[:4] == [2.0, 1.5, 1.0, 0.5]
    assert recording.meta["title"] == recording.meta["run"] == "calm sea"


def test_where_a_store_of_mlflow_may_be_given(tmp_path):
    run = run_folder("calm sea")
    shutil.copytree(STORE, tmp_path / "mlruns")
    for path, name in ((tmp_path, "calm sea"), (STORE, run.name), (run.parent, "calm sea"), (run, None)):
        assert len(Recording.from_log(path, run=name)) == 5


def test_runs_of_mlflow_are_listed_by_name_without_the_deleted(tmp_path):
    with pytest.raises(InputError, match=r"2 runs: (calm sea, wild wind|wild wind, calm sea); choose one with run"):
        Recording.from_log(STORE)
    with pytest.raises(InputError, match="no run is called 'deleted'"):
        Recording.from_log(STORE, run="deleted")
    one = Recording.from_log(STORE, run="wild wind")
    assert one.norms.tolist() == [[1.5], [1.5]]
    assert one.meta["notice"].startswith(ONE_VOICE)
    with pytest.raises(
        InputError, match=r"there are train/loss; for only the loss use --columns train/loss, or attach"
    ):
        Recording.from_log(STORE, run="no norms")
    with pytest.raises(InputError, match="leave --step out"):
        Recording.from_log(STORE, run="calm sea", step="step")


def test_runs_of_mlflow_that_are_called_alike_are_told_apart_by_their_ids(tmp_path):
    for id_ in ("0a", "0b"):
        shutil.copytree(run_folder("calm sea"), tmp_path / "1" / id_)
    with pytest.raises(InputError, match="2 runs: calm sea 0a, calm sea 0b"):
        Recording.from_log(tmp_path)
    assert len(Recording.from_log(tmp_path, run="calm sea 0b")) == 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1795574358700 x 1\n", "line 5 is not 'timestamp value step', as MLflow writes it; delete the line"),
        ("1795574358700\n", "line 5 is not"),
        (f"1 2 {2**63}\n", "line 5 is not"),
        ("1 2 " + "1" * 5_000 + "\n", "line 5 is not"),
        ("\xff\0\n", "line 5 is not"),
        ("17955", None),  # the run was killed while it wrote
    ],
)
def test_a_damaged_line_of_mlflows(line, message, tmp_path):
    shutil.copytree(run_folder("calm sea"), tmp_path / "run")
    with (tmp_path / "run" / "metrics" / "grad_norm" / "conv1").open("a", encoding="latin-1") as file:
        file.write(line)
    if message is None:
        assert len(Recording.from_log(tmp_path / "run")) == 5
        return
    with pytest.raises(InputError, match=message) as caught:
        Recording.from_log(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_of_several_kinds_in_a_folder_one_is_read_and_the_others_are_named(save_state, tmp_path):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    save_state(tmp_path, 3)
    with SummaryWriter(str(tmp_path / "runs" / "may-4")) as writer:
        writer.add_scalar("grad_norm/x", 7.0, 0)
    recording = Recording.from_log(tmp_path)
    assert len(recording) == 3
    kinds = "the states of a Hugging Face Trainer are read; for the event files of TensorBoard give their own folder"
    assert kinds in recording.meta["notice"]
    assert Recording.from_log(tmp_path / "runs").norms.tolist() == [[7.0]]
    assert Recording.from_log(tmp_path, run="runs/may*").norms.tolist() == [[7.0]], "a run that only one kind has"


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(
        InputError, match=r"there is no log in it or below it; looked for .*Trainer.*MLflow.*TensorBoard"
    ):
        Recording.from_log(tmp_path)


def test_links_to_devices_are_no_files_of_a_run(tmp_path):
    shutil.copytree(run_folder("calm sea"), tmp_path / "run")
    (tmp_path / "run" / "metrics" / "zero").symlink_to("/dev/zero")
    (tmp_path / "run" / "trainer_state.json").symlink_to("/dev/zero")
    assert len(Recording.from_log(tmp_path / "run")) == 5


def test_a_state_that_is_none_is_refused_in_one_line(tmp_path):
    for content in (
        {},
        {"log_history": []},
        {"log_history": [3]},
        {"log_history": "x"},
        [],
        [1],
        {"log_history": [{}]},
    ):
        (tmp_path / "trainer_state.json").write_text(json.dumps(content))
        with pytest.raises(InputError) as caught:
            Recording.from_log(tmp_path)
        assert "\n" not in str(caught.value)
