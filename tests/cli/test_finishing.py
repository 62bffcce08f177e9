"""Whatever fails when a script has ended, `gradmidi run` exits as the script did and keeps what was recorded."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from gradmidi.recording import Recording

pytestmark = pytest.mark.slow

CODE = 3
# A training without torch: it claims a recording as a listener does, and leaves it as a file.
TRAIN = """
import os, pathlib, shutil, sys
pathlib.Path(os.environ["GRADMIDI_RUN"], "recording-1").write_text("[]")
pathlib.Path("out").mkdir(exist_ok=True)
shutil.copy("made.csv", "out/norms.csv")
sys.exit(3)
"""


@pytest.fixture
def train(tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    Recording.from_arrays([[1.0, 2.0], [3.0, 4.0]], ["conv 1", "fc"]).save(tmp_path / "made.csv")
    return [sys.executable, "train.py"]


def break_matplotlib(folder: Path, code: str) -> dict[str, str]:
    """An environment in which importing matplotlib does this."""
    (folder / "broken").mkdir()
    (folder / "broken" / "matplotlib.py").write_text(textwrap.dedent(code))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "broken"), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('broken\\n\\x1b[31m')", r"RuntimeError: broken\n\x1b[31m"),
        ("raise MemoryError", "MemoryError"),
        ("raise RecursionError('too deep')", "RecursionError: too deep"),
        ("import sys; sys.exit(9)", "SystemExit: 9"),
    ],
)
def test_a_picture_that_fails_is_one_line_and_takes_nothing_with_it(code, reason, train, run_cli, tmp_path):
    broken = break_matplotlib(tmp_path, code)
    options = ["--plot", "my picture.png", "--sine", "s.wav", "--scale", "D dorian", "--layers", "conv 1", "--invert"]
    done = run_cli("run", *options, "--", *train, env=broken)
    assert done.returncode == CODE
    assert (tmp_path / "s.wav").exists()
    failed = [line for line in done.stderr.splitlines() if "gradmidi run:" in line]
    assert len(failed) == 1
    assert reason in failed[0]
    command = shlex.split(failed[0].partition("later: ")[2])
    assert command[0] == "gradmidi"
    again = run_cli(*command[1:])
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "my picture.png").exists()
    assert "dorian on D4" in again.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk(train, run_cli, tmp_path):
    (tmp_path / "a.mid").symlink_to("/dev/full")
    done = run_cli("run", "--mid", "a.mid", "--sine", "s.wav", "--", *train)
    assert done.returncode == CODE
    assert "a.mid was not made: cannot write a.mid: No space left" in done.stderr
    assert "to make it later: gradmidi render out/norms.csv --mid a.mid" in done.stderr
    assert (tmp_path / "s.wav").exists()
    assert len(Recording.load(tmp_path / "out" / "norms.csv")) == 2


def test_a_recording_that_went_bad(train, run_cli, tmp_path):
    (tmp_path / "made.csv").write_text("step,a\n1,x\n")
    done = run_cli("run", "--mid", "a.mid", "--", *train)
    assert done.returncode == CODE
    assert "Traceback" not in done.stderr
    assert "out/norms.csv" in done.stderr


def test_an_argument_that_is_not_utf_8(run_cli, tmp_path):
    (tmp_path / "train.py").write_text(
        "import sys, torch\n"
        "net = torch.nn.Linear(2, 2)\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "for _ in range(2):\n"
        "    net(torch.ones(2)).sum().backward()\n"
        "    optimizer.step()\n"
        "sys.exit(3)\n"
    )
    command = [sys.executable, "-m", "gradmidi", "run", "--mid", b"\xe9.mid", "--", sys.executable, "train.py", b"\xff"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=100)
    assert done.returncode == CODE, done.stderr
    assert b"Warning" not in done.stderr
    assert Recording.load(tmp_path / "out" / "norms.csv").meta["title"].endswith(r"\udcff'")
    assert (tmp_path / "\udce9.mid").exists()


def test_ctrl_c_while_a_file_is_made(train, tmp_path):
    broken = break_matplotlib(tmp_path, "import time; open('drawing', 'w').close(); time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "gradmidi", "run", "--plot", "a.png", "--", *train],
        cwd=tmp_path,
        env=broken,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "drawing").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == CODE, said
    assert said.splitlines()[-1] == (
        "gradmidi run: interrupted; out/norms.csv is kept; to make it later: gradmidi render out/norms.csv --plot a.png"
    )


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2>&1 >/dev/null | true", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_nobody_is_left_to_be_told(where, train, tmp_path):
    """Standard error closed, full or read by nobody: still the script's exit code."""
    (tmp_path / "gone.mid").symlink_to("/dev/full")
    run = shlex.join([sys.executable, "-m", "gradmidi", "run", "--mid", "gone.mid", "--sine", "s.wav", "--", *train])
    shell = f"sleep 0 ; {run} {where}; echo ${{PIPESTATUS[0]}} >code"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, timeout=60, capture_output=True)
    assert done.stdout == b"", "what was for standard error is not said elsewhere"
    assert (tmp_path / "code").read_text() == f"{CODE}\n"
    assert len(Recording.load(tmp_path / "out" / "norms.csv")) == 2
    assert (tmp_path / "s.wav").stat().st_size > 1000


def test_no_temporary_folder_is_said_before_anything_runs(train, run_cli, tmp_path):
    (tmp_path / "file").touch()
    code = "import sys, tempfile; tempfile.tempdir = 'file/none'; from gradmidi.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "--", *train], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == (
        "gradmidi run: cannot make a temporary folder (Not a directory); set TMPDIR to a writable folder\n"
    )
    assert not (tmp_path / "out").exists()
