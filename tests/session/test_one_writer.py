"""One session per file: a cell that is run again, two models, sessions that a script leaves open."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
import torch

from gradmidi.errors import InputError, MissingPartError, Notice
from gradmidi.recording import Recording
from gradmidi.session import Session, listen
from tests.measure.nets import small_net, train
from tests.session.test_forked_child import ENVIRONMENT, HEAD

pytestmark = pytest.mark.slow


def begun(path: Path, **options: object) -> tuple[torch.nn.Module, torch.optim.Optimizer, Session]:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return model, optimizer, listen(model, optimizer, path=path, **options)


@pytest.mark.parametrize("late", [False, True])
def test_a_new_session_ends_the_earlier_one_and_both_recordings_are_whole(late: bool, tmp_path: Path) -> None:
    path = tmp_path / "norms.csv"
    first_model, first_optimizer, first = begun(path, late=late)
    train(first_model, first_optimizer, 3)
    with pytest.warns(Notice) as said:
        model, optimizer, second = begun(path)
    assert [str(one.message).removeprefix(f"{path}: ") for one in said] == [
        "an earlier session was still recording to it and has been ended",
        "the earlier recording is kept as norms.1.csv",
    ]
    assert not first_optimizer._optimizer_step_pre_hooks
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(first_model, first_optimizer, 2)  # unheard, and undisturbed
        train(model, optimizer, 4)
        first.detach()
        train(model, optimizer, 1)
        second.detach()
    assert (len(first.recording), len(second.recording)) == (3, 5)
    assert Recording.load(tmp_path / "norms.1.csv").steps.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="start another one"):
        first.attach()


def test_by_another_name_of_the_same_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    model, optimizer, first = begun(Path("real/norms.csv"))
    train(model, optimizer, 2)
    monkeypatch.chdir(tmp_path / "real")
    with pytest.warns(Notice, match="has been ended"):
        begun(tmp_path / "link" / "norms.csv")[2].detach()
    assert len(first.recording) == 2  # found though it was renamed, and from another folder


def test_a_file_that_was_removed_meanwhile_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "norms.csv"
    model, optimizer, _ = begun(path)
    train(model, optimizer, 2)
    path.unlink()
    with pytest.warns(Notice, match="has been ended"):
        model, optimizer, second = begun(path)
    train(model, optimizer, 3)
    second.detach()
    assert len(Recording.load(path)) == 3


def test_what_cannot_be_played_touches_no_file(tmp_path: Path) -> None:
    path = tmp_path / "norms.csv"
    model, optimizer, session = begun(path)
    train(model, optimizer, 2)
    with pytest.raises((InputError, MissingPartError)):
        begun(path, live="no such port", live_options={"backend": "nothing"})
    train(model, optimizer, 1)
    session.detach()
    assert {file.name for file in tmp_path.iterdir()} == {"norms.csv", "events.csv"}
    assert len(session.recording) == 3


def test_a_script_that_ends_without_ending_its_session_keeps_its_last_step(tmp_path: Path) -> None:
    code = """
        session = gradmidi.listen(model, optimizer, path="norms.csv", late=True)
        for step in range(3):
            train(model, optimizer, 1)
            session.log(loss=step)
        raise SystemExit(3)
        """
    done = subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(code)], cwd=tmp_path, env=ENVIRONMENT, capture_output=True
    )
    assert (done.returncode, done.stderr) == (3, b"")
    assert Recording.load(tmp_path / "norms.csv").metrics["loss"].tolist() == [0, 1, 2]


def test_a_session_that_is_dropped_with_its_training_keeps_its_last_step(tmp_path: Path) -> None:
    def trained() -> None:
        model, optimizer, session = begun(tmp_path / "norms.csv", late=True)
        for step in range(3):
            train(model, optimizer, 1)
            session.log(loss=step)

    trained()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
    assert Recording.load(tmp_path / "norms.csv").metrics["loss"].tolist() == [0, 1, 2]
    begun(tmp_path / "norms.csv", existing="replace")[2].detach()  # nobody has the file any more


def test_two_processes_on_one_path(tmp_path: Path) -> None:
    """What used to give zero bytes and rows of both: one of them records, the other is refused before its training."""
    code = """
        import json
        try:
            with gradmidi.listen(model, optimizer, path="norms.csv") as session:
                print("begun", flush=True)
                train(model, optimizer, 50)
                sys.stdin.read()
        except gradmidi.InputError as error:
            print(json.dumps([str(error), len(optimizer._optimizer_step_pre_hooks)]), flush=True)
        """
    command = [sys.executable, "-c", HEAD + textwrap.dedent(code)]
    pipe = subprocess.PIPE
    both = [
        subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, text=True, env=ENVIRONMENT) for _ in range(2)
    ]
    first = [process.stdout.readline() for process in both if process.stdout]
    for process in both:
        process.communicate("", timeout=60)
    said, hooks = json.loads(min(first, key=lambda line: line == "begun\n"))
    assert sorted(first)[-1] == "begun\n"
    holder = both[first.index("begun\n")].pid
    assert said == f"norms.csv is being recorded to by process {holder}; end that, or give another name"
    assert hooks == 0
    assert Recording.load(tmp_path / "norms.csv").steps.tolist() == list(range(50))
