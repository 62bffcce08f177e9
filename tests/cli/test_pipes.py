"""What a command reads: a pipe, a process substitution, standard input, and what is refused in one line with exit 2."""

import os
import subprocess
import sys

import pytest

from gradmidi.recording import Recording

pytestmark = pytest.mark.slow


@pytest.fixture
def shell(healthy, tmp_path):
    """Run a line of bash in a folder with norms.csv and norms.npz, with ``gradmidi`` as the command."""
    healthy.save(tmp_path / "norms.csv")
    healthy.save(tmp_path / "norms.npz")
    os.mkfifo(tmp_path / "fifo")

    def run(line: str) -> subprocess.CompletedProcess:
        command = ["bash", "-c", f"gradmidi() {{ '{sys.executable}' -m gradmidi \"$@\"; }}\n{line}"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return run


PIPED = [
    "gradmidi import <(cat norms.csv)",
    "gradmidi import - < norms.csv",
    "cat norms.csv | gradmidi import -",
    "cat norms.csv | gradmidi import /dev/stdin",
    "cat norms.npz | gradmidi import -",
    "gradmidi import <(cat norms.npz)",
    "cat norms.csv > fifo & gradmidi import fifo",
    "cp norms.csv ./-; gradmidi import ./-",
]


@pytest.mark.parametrize("line", PIPED)
def test_a_recording_comes_through_a_pipe_as_from_its_file(line, shell, healthy, tmp_path):
    done = shell(f"{line} --out copy.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy.csv").read_bytes() == (tmp_path / "norms.csv").read_bytes()


def test_render_reads_a_process_substitution_and_standard_input(shell, tmp_path):
    done = shell("gradmidi render <(cat norms.csv) --mid a.mid && cat norms.csv | gradmidi render - --mid b.mid")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_a_pipe_is_saved_whole_or_not_at_all(shell, tmp_path):
    """The writer dies in the middle of a line."""
    done = shell("head -c 5000 norms.csv | gradmidi import - --out copy.csv")
    assert done.returncode == 2
    assert "standard input, line" in done.stderr
    assert "cut short" in done.stderr
    assert not (tmp_path / "copy.csv").exists()


REFUSED = [
    ("/dev/zero", "it is a device"),
    ("/dev/full", "it is a device"),
    ("- < /dev/null", "nothing is piped into it"),
    ("- < /dev/zero", "nothing is piped into it"),
    ("$'nul\\x01' ", "no such file"),
    ("~nobody-such/norms.csv", "no such file"),
    ("'~nobody-such/norms.csv'", "no such file"),
    ("norms.csv/x", "no such file"),
    (f"{'x' * 300}.csv", "File name too long"),
    ("<(printf '')", "is empty"),
    ("<(printf 'step,a\\r0,1\\r')", "bare carriage return"),
    ("<(head -c 100 norms.npz)", "not a recording that gradmidi wrote"),
    ("''", "not a name that a file can have"),
]


@pytest.mark.parametrize(("source", "message"), REFUSED)
def test_what_cannot_be_read_is_one_line_and_exit_2(source, message, shell):
    done = shell(f"gradmidi render {source} --mid a.mid")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_what_no_file_can_be_called_is_one_line():
    for name in ("a\0b.csv", "\ud800.csv"):
        with pytest.raises(ValueError, match="not a name that a file can have"):
            Recording.load(name)
