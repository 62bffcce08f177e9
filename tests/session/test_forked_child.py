"""A forked child inherits recordings, the player's pipe and hooks, and leaves them to its parent: real forks."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gradmidi.recording import Recording
from tests.cli.test_live import notes_of

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]

HEAD = """
import multiprocessing, os, signal, sys, time
import torch
from torch import nn
from torch.utils.data import DataLoader
import gradmidi
from tests.measure.nets import small_net, train

def waited(child):
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, code

model = small_net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""


def run(program: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """The program behind ``HEAD``, in a process of its own that ends with ``code``."""
    command = [sys.executable, "-c", HEAD + textwrap.dedent(program)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert done.returncode == code, done.stderr
    return done


ROOT = str(Path(__file__).parents[2])
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH", "")]))}


@pytest.fixture
def start(warm_python):
    """As ``run``, without importing torch anew; the first test has a Python that was started and ends by itself."""

    def begin(program: str, folder: Path) -> None:
        done = warm_python.run(["-c", HEAD + textwrap.dedent(program)], cwd=folder, env=ENVIRONMENT, timeout=120)
        assert done.returncode == 0, done.stderr

    return begin


def test_children_that_train_on_leave_the_recording_and_the_player_alone(tmp_path):
    """However they end, and whatever they do with what they inherited."""
    code = """
        endings = [
            lambda: sys.exit(0),
            lambda: os._exit(0),
            lambda: (session.detach(), sys.exit(0)),
            lambda: (print(len(session.recording)), sys.exit(0)),
            lambda: session.__exit__(None, None, None),
        ]
        options = {"live_options": {"pace": "wait"}, "unit": 0.01}
        with gradmidi.listen(model, optimizer, path="norms.csv", live="file:live.txt", **options) as session:
            for ending in endings:
                train(model, optimizer, 1)
                child = os.fork()
                if child == 0:
                    train(model, optimizer, 5)
                    ending()
                    sys.exit(0)
                train(model, optimizer, 1)
                waited(child)
        """
    done = run(code, tmp_path)
    assert Recording.load(tmp_path / "norms.csv").steps.tolist() == list(range(10))
    assert len(notes_of(tmp_path / "live.txt")) == 20
    assert done.stderr.count("forked from one that gradmidi listens in") == 5  # once in each child
    assert len(done.stderr.splitlines()) == 10, done.stderr  # with the line of code that Python shows


def test_every_kind_of_hook_is_silent(start, tmp_path):
    """Also in memory: what the child's copy receives would be nobody's."""
    code = """
        quantities = ["grad_norm", "weight_norm"]
        for options in {}, {"quantities": quantities}, {"when": "before-clip"}, {"late": True}, {"every": 2}:
            session = gradmidi.listen(model, optimizer, **options)
            train(model, optimizer, 4)
            before = len(session.recording)
            assert before == (2 if options == {"every": 2} else 4)
            child = os.fork()
            if child == 0:
                train(model, optimizer, 5)
                assert len(session.recording) == before
                session.detach()
                assert not optimizer._optimizer_step_pre_hooks
                sys.exit(0)
            waited(child)
            train(model, optimizer, 4)
            assert len(session.recording) == 2 * before
            session.detach()
        """
    start(code, tmp_path)


def test_multiprocessing_and_data_loaders(start, tmp_path):
    code = """
        def work(queue):
            train(model, optimizer, 5)
            queue.put("trained")

        if __name__ == "__main__":
            with gradmidi.listen(model, optimizer, path="norms.csv", live="file:live.txt"):
                context = multiprocessing.get_context("fork")
                queue = context.Queue()
                train(model, optimizer, 2)
                process = context.Process(target=work, args=(queue,))
                process.start()
                assert queue.get() == "trained"
                process.join()
                assert process.exitcode == 0
                for x in DataLoader(torch.randn(24, 6), batch_size=4, num_workers=2):
                    optimizer.zero_grad()
                    model(x).square().mean().backward()
                    optimizer.step()
        """
    start(code, tmp_path)
    assert Recording.load(tmp_path / "norms.csv").steps.tolist() == list(range(8))


def test_a_child_holds_neither_file_nor_pipe_nor_lock(start, tmp_path):
    """Were the lock or the pipe held on to, a killed training would go on blocking its file and its player."""
    code = """
        session = gradmidi.listen(model, optimizer, path="norms.csv", live="file:live.txt")
        train(model, optimizer, 3)
        child = os.fork()
        if child == 0:
            links = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
            held = [os.readlink(link) for link in links if os.path.lexists(link)]  # one was the folder's own
            held = [name for name in held if "norms.csv" in name or "socket" in name]
            os.write(1, f"{held}\\n".encode())  # in one piece, as its parent writes at the same time
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            time.sleep(30)
            os._exit(0)
        os.write(1, f"{child}\\n".encode())
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    command = [sys.executable, "-c", HEAD + textwrap.dedent(code)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT
    )
    child = int(next(line for line in done.stdout.splitlines() if line.isdecimal()))
    try:
        assert "[]" in done.stdout.splitlines(), done.stdout
        os.kill(child, 0)  # it lives on
        start('gradmidi.listen(model, optimizer, path="norms.csv"); train(model, optimizer, 2)', tmp_path)
    finally:
        os.kill(child, 9)
    assert len(Recording.load(tmp_path / "norms.1.csv")) == 3
    assert len(Recording.load(tmp_path / "norms.csv")) == 2


def test_a_child_has_recordings_of_its_own(start, tmp_path):
    code = """
        session = gradmidi.listen(model, optimizer, path="norms.csv")
        train(model, optimizer, 2)
        child = os.fork()
        if child == 0:
            mine = torch.optim.SGD(model.parameters(), lr=0.1)
            try:
                gradmidi.listen(model, mine, path="norms.csv")
            except gradmidi.InputError as error:
                assert f"process {os.getppid()}" in str(error), error
            else:
                raise AssertionError("two writers")
            assert not mine._optimizer_step_pre_hooks
            with gradmidi.listen(model, mine, path="child.csv"):
                train(model, mine, 4)
            sys.exit(0)
        waited(child)
        train(model, optimizer, 1)
        """
    start(code, tmp_path)
    assert len(Recording.load(tmp_path / "norms.csv")) == 3
    assert len(Recording.load(tmp_path / "child.csv")) == 4


def test_a_writer_alone_is_silent_in_a_child(start, tmp_path):
    code = """
        from gradmidi.recording.csv_writer import RecordingWriter
        from gradmidi.recording.row import Row
        writer = RecordingWriter("norms.csv", ["a"])
        writer.append(Row.of(0, [1.0]))
        child = os.fork()
        if child == 0:
            for step in range(100):
                writer.append(Row.of(step, [2.0]))
            writer.close()
            sys.exit(0)
        waited(child)
        writer.append(Row.of(1, [1.0]))
        """
    start(code, tmp_path)
    assert Recording.load(tmp_path / "norms.csv").norms.ravel().tolist() == [1.0, 1.0]
