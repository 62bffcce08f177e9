"""Processes that start fast: forks of one Python that has imported torch and this project, before any of them is used.

A fork is a process as any other: its own number, folder, environment, streams, signals and end. What it does not show
is what happens while modules are imported; some tests start Python itself for that.
"""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

ROOT = Path(__file__).parents[1]
MODULES = (
    *("gradmidi.cli.console", "gradmidi.cli.perform", "gradmidi.composition", "gradmidi.outputs.midi_file"),
    *("gradmidi.outputs.soundfont", "gradmidi.outputs.sine", "gradmidi.session", "gradmidi.measure.probe"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "soundfile", "torch._dynamo", "torch.optim"),
)
LONGEST_REQUEST = 1_000_000


class Start(NamedTuple):
    """What to run: ``-m MODULE …``, ``-c CODE …`` or ``FILE …``, as behind the name of a Python."""

    words: Sequence[str]
    folder: str
    environment: Mapping[str, str]


class WarmPython:
    """Starts forks, one after another."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_REQUEST)
        self._socket = ours
        command = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
        self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()

    def close(self) -> None:
        self._socket.close()
        self._process.wait(60)

    def run(
        self,
        words: Sequence[str],
        cwd: Path,
        env: Mapping[str, str] | None = None,
        text: bool = True,
        check: bool = False,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[Any]:
        """What ``subprocess.run([sys.executable, *words], capture_output=True, …)`` returns or raises."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = self._run(Start(words, str(cwd), dict(os.environ if env is None else env)), out, err, timeout)
            said = [_all_of(file, text) for file in (out, err)]
        done: subprocess.CompletedProcess[Any] = subprocess.CompletedProcess(words, code, *said)
        if check:
            done.check_returncode()
        return done

    def _run(self, start: Start, out: IO[bytes], err: IO[bytes], timeout: float) -> int:
        socket.send_fds(self._socket, [pickle.dumps(start)], [out.fileno(), err.fileno()])
        self._socket.settimeout(60)
        child = pickle.loads(self._socket.recv(100))
        self._socket.settimeout(timeout)
        try:
            return int(pickle.loads(self._socket.recv(100)))
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            self._socket.settimeout(60)
            self._socket.recv(100)
            raise subprocess.TimeoutExpired(list(start.words), timeout) from None


class ColdPython:
    """The same where forks are not safe or do not exist: a new Python each time."""

    def close(self) -> None:
        """There is nothing to close."""

    def run(self, words: Sequence[str], cwd: Path, **options: Any) -> subprocess.CompletedProcess[Any]:
        usual = {"capture_output": True, "text": True, "timeout": 300, "check": False}
        return subprocess.run([sys.executable, *words], cwd=cwd, **usual | options)


def start_python() -> WarmPython | ColdPython:
    return WarmPython() if sys.platform == "linux" else ColdPython()


def _all_of(file: IO[bytes], text: bool) -> str | bytes:
    file.seek(0)
    said = file.read()
    return said.decode().replace("\r\n", "\n") if text else said


def serve(number: int) -> None:
    """Fork for each request; in the fork it returns. It exits when nobody is left to ask."""
    ours = socket.socket(fileno=number)
    while True:
        request, streams, _, _ = socket.recv_fds(ours, LONGEST_REQUEST, 2)
        if not request:
            sys.exit()
        child = os.fork()
        if child == 0:
            ours.close()
            become(pickle.loads(request), streams)
            return
        for stream in streams:
            os.close(stream)
        ours.send(pickle.dumps(child))
        _, status = os.waitpid(child, 0)
        ours.send(pickle.dumps(os.waitstatus_to_exitcode(status)))


def become(start: Start, streams: Sequence[int]) -> None:
    for stream, place in zip(streams, (1, 2), strict=True):
        os.dup2(stream, place)
        os.close(stream)
    os.environ.clear()
    os.environ.update(start.environment)
    os.chdir(start.folder)
    sys.argv[:] = start.words


def main() -> None:
    """As Python does it; ends as a process of Python ends, with all that is registered for that."""
    kind, words = sys.argv[0], sys.argv[1:]
    if kind == "-m":
        sys.argv[:] = words
        sys.path[0] = str(Path.cwd())
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv[:] = ["-c", *words[1:]]
        sys.path[0] = ""
        exec(compile(words[0], "<string>", "exec"), vars(sys.modules["__main__"]) | {"__name__": "__main__"})
    else:
        sys.path[0] = str(Path(kind).resolve().parent)
        runpy.run_path(kind, run_name="__main__")


def end(work: Callable[[], None]) -> NoReturn:
    """As Python ends, except that it does not take apart what was imported, which takes longer than most tests."""
    try:
        work()
        code = 0
    except SystemExit as error:
        code = _code_of(error)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


def _code_of(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    print(ended.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    for name in MODULES:
        with suppress(ImportError):
            import_module(name)
    gc.freeze()  # or a fork would copy, page by page, what its collections look at
    serve(int(sys.argv[1]))
    end(main)
