"""A fork of the warm Python behaves as a Python that was started for the same words."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

CODES = [
    "import sys, os; print(sys.argv, sys.path[0], __name__, os.getcwd(), sorted(os.environ)); sys.exit(3)",
    "import sys; print('out'); print('err', file=sys.stderr); sys.exit()",
    "import sys; sys.exit('a text')",
    "raise ValueError('mine')",
    "import atexit; atexit.register(print, 'at the end'); print('before')",
    "import os; os.kill(os.getpid(), 9)",
    "import os; os._exit(7)",
    "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
    "import os; os.fork() or os._exit(0); os.wait(); print('once')",
    "import gradmidi; print(gradmidi.__file__)",
    "import signal; print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))",
]


def outcome(done):
    return done.returncode, done.stdout, done.stderr.splitlines()[-1:]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("way", ["code", "file", "module"])
def test_a_fork_behaves_as_a_new_python(code, way, warm_python, tmp_path):
    (tmp_path / "script.py").write_text(code)
    words = {"code": ["-c", code], "file": ["script.py"], "module": ["-m", "script"]}[way] + ["an", "argument"]
    options = {"cwd": tmp_path, "env": dict(os.environ)}  # readline adds to what a process inherits without being asked
    cold = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, **options)
    assert outcome(warm_python.run(words, **options)) == outcome(cold)


def test_one_that_takes_too_long_is_killed_and_the_next_one_runs(warm_python, tmp_path):
    with pytest.raises(subprocess.TimeoutExpired):
        warm_python.run(["-c", "import time; time.sleep(60)"], cwd=tmp_path, timeout=0.2)
    assert warm_python.run(["-c", "print(1)"], cwd=tmp_path).stdout == "1\n"


def test_one_that_fails_raises_if_asked(warm_python, tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        warm_python.run(["-c", "raise SystemExit(2)"], cwd=tmp_path, check=True)
