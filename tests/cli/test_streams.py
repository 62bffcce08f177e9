"""Terminals that know ASCII only, and devices that are full: one line and an exit code, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradmidi.recording import Recording

pytestmark = pytest.mark.slow

COMMANDS = (
    *("scales", "scales --json", "instruments", "presets", "doctor", "completion bash", "completion zsh"),
    *("render norms.csv --mid a.mid", "render norms.csv --mid a.mid --json", "import norms.csv --out b.csv"),
)
ASCII = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")


@pytest.fixture
def run(tmp_path):
    """Run a command with stdout or stderr being another file, in a folder with a recording of foreign letters."""
    Recording.from_arrays([[1.0, 2.0]] * 3, ["größe", "層"], loss=[1.0] * 3).save(tmp_path / "norms.csv")

    def command(words, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "check": False, "cwd": tmp_path} | options
        return subprocess.run([sys.executable, "-m", "gradmidi", *words.split()], **options)

    return command


@full
@pytest.mark.parametrize("words", COMMANDS)
def test_a_full_stdout_is_one_line_and_exit_2(words, run):
    with Path("/dev/full").open("wb") as device:
        done = run(words, stdout=device)
    assert done.returncode == 2
    last = done.stderr.decode().splitlines()[-1]
    assert (
        last
        == f"gradmidi {words.split()[0]}: cannot write to standard output: No space left on device; free some space"
    )
    assert b"Traceback" not in done.stderr


@full
def test_a_full_stderr_changes_no_exit_code(run):
    for words, code in (("render norms.csv --mid a.mid", 0), ("render none.csv --mid a.mid", 2), ("scales nosuch", 2)):
        with Path("/dev/full").open("wb") as device:
            assert run(words, stderr=device).returncode == code


@pytest.mark.parametrize("words", [*COMMANDS, "render größe.csv --mid a.mid", "scales größe"])
def test_a_terminal_that_knows_ascii_only(words, run):
    done = run(words, env=os.environ | ASCII)
    assert done.returncode == (2 if "größe" in words else 0), done.stderr
    assert done.stdout.isascii()
    assert done.stderr.isascii()
    assert b"Traceback" not in done.stderr
