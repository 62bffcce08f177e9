"""`gradmidi run` around real scripts: they behave as without it, and what they train is recorded."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import mido
import numpy as np
import pytest

from gradmidi.recording import Recording
from tests.cli.test_live import notes_of

pytestmark = pytest.mark.slow

NET = """
import json, os, signal, sys, time
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.second(torch.dropout(self.first(x).tanh(), 0.1, True))

def norms(net):
    return [p.grad.norm().item() for n, p in net.named_parameters() if n.endswith("weight")]

def train(net, optimizer, steps, seen=None):
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(5, 6)).square().mean().backward()
        if seen is not None:
            seen.append(norms(net))
        optimizer.step()
"""


@pytest.fixture
def script(tmp_path):
    """Write a script, with the net above in front of it."""

    def write(code: str, name: str = "train.py") -> list[str]:
        (tmp_path / name).write_text(NET + textwrap.dedent(code))
        return [sys.executable, name]

    return write


def heard(folder: Path, name: str = "norms.csv") -> Recording:
    return Recording.load(folder / "out" / name)


PLAIN = """
from torch.utils.data import DataLoader

class Noise(torch.utils.data.Dataset):
    def __len__(self):
        return 40
    def __getitem__(self, index):
        return torch.randn(6)

def main():
    torch.manual_seed(3)
    seen, net = [], Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    for x in DataLoader(Noise(), batch_size=4, num_workers=2):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        seen.append(norms(net))
        optimizer.step()
    state = [v.tolist() for s in optimizer.state.values() for v in s.values()]
    weights = [p.tolist() for p in net.parameters()]
    print(json.dumps([weights, state, seen, torch.get_rng_state().tolist(), sys.argv, __name__, __file__, sys.path]))
    print(sys.stdin.read(), os.read(int(sys.argv[1]), 9), file=sys.stderr)
    sys.exit(3)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("way", [["train.py"], ["-m", "train"]], ids=["script", "module"])
def test_the_script_runs_bit_for_bit_as_by_itself(way, script, run_cli, tmp_path):
    script(PLAIN)
    outcomes = []
    for around in ([], ["-m", "gradmidi", "run", "--quiet", "--", sys.executable]):
        reading, writing = os.pipe()
        os.write(writing, b"open file")
        command = [sys.executable, *around, *way, str(reading), "--lr", "--", "0.1"]
        done = subprocess.run(
            command, cwd=tmp_path, input="typed", capture_output=True, text=True, timeout=120, pass_fds=[reading]
        )
        os.close(reading), os.close(writing)
        outcomes.append((done.returncode, done.stdout, done.stderr))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == 3
    seen = json.loads(outcomes[0][1])[2]
    np.testing.assert_allclose(heard(tmp_path).norms, seen, rtol=1e-6)
    assert heard(tmp_path).layers == ("first", "second")


def test_what_raises_ends_as_always_and_is_rendered(script, run_cli, tmp_path):
    command = script("net = Net(); train(net, torch.optim.SGD(net.parameters(), lr=0.1), 4); raise ValueError('mine')")
    done = run_cli("run", "--mid", "a.mid", "--unit", "10ms", "--sound", "post", "--", *command)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "ValueError: mine" in done.stderr
    assert "norms.csv: 4 steps" in done.stderr
    notes = [m for m in mido.MidiFile(tmp_path / "a.mid") if m.type == "note_on"]
    assert len(notes) == 8


ENDLESS = """
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
interrupts = 0
signal.signal(signal.SIGUSR1, lambda *given: print("poked", flush=True))
while True:
    try:
        train(net, optimizer, 1)
        time.sleep(0.01)
    except KeyboardInterrupt:
        interrupts += 1
        time.sleep(0.5)  # a second one would end the script here
        print("interrupts", interrupts, flush=True)
        raise
"""


def until_heard(folder: Path) -> None:
    deadline = time.monotonic() + 60
    norms = folder / "out" / "norms.csv"
    while not (norms.exists() and norms.read_text().count("\n") > 12) and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_reach_the_script(number, code, script, tmp_path):
    command = [sys.executable, "-m", "gradmidi", "run", "--mid", "a.mid", "--", *script(ENDLESS)]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # without a terminal, as under a job scheduler
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        until_heard(tmp_path)
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
        process.send_signal(number)
        out, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, said
    assert out == "poked\n" + ("interrupts 1\n" if number == signal.SIGINT else "")
    assert len(heard(tmp_path)) > 5
    assert (tmp_path / "a.mid").exists()


def test_ctrl_c_at_a_terminal_interrupts_once(script, tmp_path):
    command = [sys.executable, "-m", "gradmidi", "run", "--", *script(ENDLESS)]
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(tmp_path)
        os.execv(command[0], command)
    until_heard(tmp_path)
    os.write(terminal, b"\x03")
    said = b""
    try:
        while piece := os.read(terminal, 1000):
            said += piece
    except OSError:  # the terminal's other end has closed
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert said.count(b"KeyboardInterrupt") == 1, said
    assert b"interrupts 1" in said
    assert b"steps" in said


def test_two_optimizers_share_a_recording_and_a_later_one_begins_another(script, run_cli, tmp_path):
    command = script("""
        class Generator(Net): pass
        class Discriminator(Net): pass

        g, d = Generator(), torch.nn.DataParallel(Discriminator())
        both = torch.optim.SGD(d.parameters(), lr=0.1), torch.optim.Adam(g.parameters())
        for _ in range(3):
            train(d, both[0], 2)
            train(g, both[1], 1)
        image = torch.zeros(4, requires_grad=True)
        later = torch.optim.LBFGS([image])
        def closure():
            later.zero_grad()
            loss = (image - 1).square().sum()
            loss.backward()
            return loss
        later.step(closure)
        """)
    done = run_cli("run", "--", *command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[:2] == ["out/norms.csv: 6 steps", "out/norms-2.csv: 1 steps"]
    first, second = heard(tmp_path), heard(tmp_path, "norms-2.csv")
    assert first.layers == (
        *("Discriminator.first", "Discriminator.second"),
        *("Generator.first", "Generator.second"),
    )
    assert first.gaps[:, 2].tolist() == [True, False] * 3
    assert first.meta["optimizer"] == "SGD, Adam"
    assert second.layers == ("tensor 0",)
    assert second.norms.tolist() == [[4.0]]  # 2 × (0 − 1) in each of four places: √(4 · 2²)


def test_of_two_ranks_the_first_is_recorded(script, run_cli, tmp_path):
    command = script("""
        import torch.distributed as dist
        dist.init_process_group("gloo")
        torch.manual_seed(0)
        net = nn.parallel.DistributedDataParallel(Net())
        torch.manual_seed(dist.get_rank())
        seen = []
        train(net, torch.optim.SGD(net.parameters(), lr=0.1), 3, seen)
        if dist.get_rank() == 0:
            print(json.dumps(seen))
        dist.barrier()  # once a rank that was already leaving was aborted by torch, after its training
        del net
        dist.destroy_process_group()
        """)
    options = ["--standalone", "--nproc-per-node=2", "--log-dir", "logs"]
    launcher = [sys.executable, "-m", "torch.distributed.run", *options]
    for _ in range(3):
        done = run_cli("run", "--", *launcher, command[1])
        if "terminate called without an active exception" not in done.stderr:
            break
        shutil.rmtree(tmp_path / "out")  # torch aborts a rank that is leaving, now and then, on a busy machine
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"norms.csv", "events.csv"}
    np.testing.assert_allclose(heard(tmp_path).norms, json.loads(done.stdout), rtol=1e-6)
    assert heard(tmp_path).layers == ("first", "second")


def test_a_forked_process_leaves_the_recording_alone_and_has_its_own(script, run_cli, tmp_path):
    command = script("""
        torch.set_num_threads(1)
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        train(net, optimizer, 2)
        if os.fork() == 0:
            train(net, optimizer, 5)
            train(net, torch.optim.SGD(net.parameters(), lr=0.1), 3)
            sys.exit(0)
        os.wait()
        train(net, optimizer, 1)
        """)
    done = run_cli("run", "--", *command)
    assert done.returncode == 0, done.stderr
    assert heard(tmp_path).steps.tolist() == [0, 1, 2]
    assert len(heard(tmp_path, "norms-2.csv")) == 3


def test_live_sends_what_the_mid_file_holds(script, run_cli, tmp_path):
    command = script("net = Net(); train(net, torch.optim.SGD(net.parameters(), lr=0.1), 6)")
    options = ["--live", "file:live.txt", "--pace", "wait", "--unit", "10ms", "--scale", "D dorian", "--mid", "a.mid"]
    options += ["--sound", "post"]
    done = run_cli("run", *options, "--", *command)
    assert done.returncode == 0, done.stderr
    file = mido.MidiFile(tmp_path / "a.mid")
    assert notes_of(tmp_path / "live.txt") == [(m.channel, m.note) for m in file if m.type == "note_on"]
    assert len(notes_of(tmp_path / "live.txt")) == 12


def test_another_sitecustomize_and_python_path_still_work(script, run_cli, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sitecustomize.py").write_text(
        "import os\nif 'GRADMIDI_RUN' in os.environ: print('mine', __name__)"
    )
    (tmp_path / "mine" / "helper.py").write_text("WORD = 'helped'")
    (tmp_path / "plain.py").write_text("import sys, helper\nprint(helper.WORD, 'torch' in sys.modules)")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "mine")}
    done = run_cli("run", "--quiet", "--", sys.executable, "plain.py", env=environment)
    assert done.stdout == "mine sitecustomize\nhelped False\n"
    assert done.returncode == 0


def test_a_program_without_a_training_keeps_its_exit_code(run_cli):
    done = run_cli("run", "--", "sh", "-c", "echo hello; exit 7")
    assert (done.returncode, done.stdout) == (7, "hello\n")
    assert done.stderr.startswith("gradmidi run: no optimizer step was recorded")


def test_a_recording_that_cannot_be_written_leaves_the_training_alone(script, run_cli, tmp_path):
    command = script(
        """
        open("file", "w").close()  # in the way of the folder, since the command began
        net = Net()
        train(net, torch.optim.SGD(net.parameters(), lr=0.1), 3)
        print("trained")
        """
    )
    done = run_cli("run", "--out", "file/out", "--", *command)
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert done.stderr.count("TrainingWarning") == 1
    assert "cannot write" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say what to run"),
        (["--existing", "new", "--", "true"], "--existing 'new' is not one of 'keep', 'append', 'replace'"),
        (["--", "no-such-program"], "cannot run no-such-program"),
        (["--mid", "a.txt", "--", "touch", "ran"], "must end in .mid"),
        (["--scale", "doriam", "--", "touch", "ran"], "unknown scale"),
        (["--live", "file:x.txt", "--pace", "fast", "--", "touch", "ran"], "no pace is called 'fast'"),
        (["--duration", "soon", "--", "touch", "ran"], "soon"),
        (["--out", "taken/out", "--", "touch", "ran"], "taken is a file"),
        (["--pace", "wait", "--", "touch", "ran"], "--pace is for live notes"),
        (["--live", "file:x.txt", "--cc", "loss=74", "--", "touch", "ran"], "--cc loss=74: there is no metric 'loss'"),
    ],
)
def test_bad_input_is_one_line_and_exit_2_before_anything_runs(options, message, run_cli, tmp_path):
    (tmp_path / "taken").write_text("no folder")
    done = run_cli("run", *options)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "ran").exists()


@pytest.fixture(scope="module")
def sick_run(tmp_path_factory):
    """Twenty layers that become NaN after three of five steps, beside a recording of last week; and a .mid file."""
    folder = tmp_path_factory.mktemp("sick")
    (folder / "out").mkdir()
    (folder / "out" / "norms-2.csv").write_text("of last week")
    code = """
        net = nn.Sequential(*[nn.Linear(6, 6) for _ in range(20)])
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        train(net, optimizer, 3)
        net[0].weight.data.fill_(float("nan"))
        train(net, optimizer, 2)
        """
    (folder / "train.py").write_text(NET + textwrap.dedent(code))
    command = [sys.executable, "-m", "gradmidi", "run", "--mid", "a.mid", "--", sys.executable, "train.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120)


def test_it_says_how_layers_were_joined_what_went_wrong_and_what_is_of_an_earlier_run(sick_run):
    said = sick_run.stdout + sick_run.stderr
    assert "20 layers play as 10 voices, joined by root-sum-square: 0-1 (2), 2-3 (2)" in said
    assert "heard: 1 × nan" in said
    assert "norms-2.csv is from an earlier run" in said


def test_it_says_in_which_steps_something_was_wrong(sick_run):
    assert "norms.csv: 5 steps; NaN in 2 of 5 steps, first in 0 at step 3" in sick_run.stderr.splitlines()[1]
    assert sick_run.stderr.splitlines()[0].startswith("gradmidi: NaN in 0 and "), "while it ran"
    assert "TrainingWarning" not in sick_run.stderr


SHORT = "net = Net(); train(net, torch.optim.SGD(net.parameters(), lr=0.1), int(sys.argv[1]))"


@pytest.fixture(scope="module")
def two_steps(tmp_path_factory):
    """A folder in which two steps have been trained, and what was said of them."""
    folder = tmp_path_factory.mktemp("two-steps")
    (folder / "train.py").write_text(NET + SHORT)
    command = [sys.executable, "-m", "gradmidi", "run", "--", sys.executable, "train.py", "2"]
    return folder, subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120).stderr


def test_an_earlier_recording_is_kept_continued_or_replaced(two_steps, script, run_cli, tmp_path):
    folder, said_first = two_steps
    shutil.copytree(folder / "out", tmp_path / "out")
    command = script(SHORT)
    said = run_cli("run", "--", *command, 3, check=True).stderr.splitlines()[:2]
    assert said_first.splitlines()[0] == "out/norms.csv: 2 steps"
    assert said == ["out/norms.csv: the earlier recording is kept as norms.1.csv", "out/norms.csv: 3 steps"]
    assert [len(heard(tmp_path, name)) for name in ("norms.1.csv", "norms.csv")] == [2, 3]
    run_cli("run", "--existing", "append", "--", *command, 4, check=True)
    assert heard(tmp_path).steps.tolist() == list(range(7))
    assert heard(tmp_path).meta["resumed"] == "3"
    run_cli("run", "--existing", "replace", "--", *command, 1, check=True)
    assert len(heard(tmp_path)) == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("norms.1.csv", "norms.csv", "events.1.csv", "events.csv")
    }


def test_what_does_not_fit_behind_an_earlier_recording_is_heard_in_a_file_of_its_own(
    two_steps, script, run_cli, tmp_path
):
    shutil.copytree(two_steps[0] / "out", tmp_path / "out")
    command = script("net = nn.Sequential(nn.Linear(6, 3)); train(net, torch.optim.SGD(net.parameters(), lr=0.1), 3)")
    done = run_cli("run", "--existing", "append", "--", *command, check=True)
    assert "out/norms.csv cannot be appended to: it has no column '0'" in done.stderr
    assert "the earlier recording is kept as norms.1.csv" in done.stderr
    assert len(heard(tmp_path)) == 3
    assert len(heard(tmp_path, "norms.1.csv")) == 2


def test_two_runs_at_once_never_share_a_file(script, tmp_path):
    """The second training goes on unheard, is told so, and does not take the other recording for its own."""
    command = [sys.executable, "-m", "gradmidi", "run", "--", *script(ENDLESS)]
    first = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_heard(tmp_path)
        (tmp_path / "short.py").write_text(
            (tmp_path / "train.py").read_text().replace("while True", "for _ in range(2)")
        )
        second = subprocess.run([*command[:-1], "short.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert second.returncode == 0
        assert second.stderr.count("is being recorded to by process") == 1
        assert "no optimizer step was recorded" in second.stderr
    finally:
        first.terminate()
        first.wait(60)
    assert heard(tmp_path).steps.tolist() == list(range(len(heard(tmp_path))))
