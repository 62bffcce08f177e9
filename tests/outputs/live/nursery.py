"""Trainings that begin at once: a nursery loads torch, which takes seconds, and forks each of them.

They are processes like any other, with an id, an exit code and files of their own; only their parent is the nursery.
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 60.0  # s that anything may take: a busy machine loads torch for thirty
PIECE = 1 << 16  # bytes
ROOT = Path(__file__).parents[3]


class Nursery:
    """The tests' side: starts processes that run ``training.main``.

    Args:
        folder: for what they print.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(LIMIT)
        number = theirs.fileno()
        # A shell that starts the tests in the background has them ignore Ctrl-C, and they would hand that on.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.outputs.live.nursery", str(number)],
            cwd=ROOT,
            pass_fds=[number],
            preexec_fn=heed_ctrl_c,
        )
        theirs.close()
        self._children: list[Child] = []

    def start(self, *options: object) -> "Child":
        out, errors = (self._folder / f"{len(self._children)}.{name}" for name in ("out", "errors"))
        for path in (out, errors):
            path.touch()
        wish = {"options": list(map(str, options)), "files": [str(out), str(errors)], "env": dict(os.environ)}
        self._control.send(json.dumps(wish).encode())
        born = len(self._children)
        while len(self._children) == born:
            self._hear(LIMIT, out, errors)
        return self._children[-1]

    def hear_of(self, child: "Child", seconds: float) -> None:
        """Wait until a child has ended."""
        end = time.monotonic() + seconds
        while child.returncode is None:
            self._hear(max(end - time.monotonic(), 0.001))

    def kill_all(self) -> None:
        for child in self._children:
            child.kill()

    def stop(self) -> None:
        self.kill_all()
        self._control.close()
        self._process.wait(LIMIT)

    def _hear(self, seconds: float, *files: Path) -> None:
        """One message: a child was born, or one has ended."""
        self._control.settimeout(seconds)
        told = json.loads(self._control.recv(PIECE) or "null")
        assert told is not None, "the nursery is gone"
        if "code" in told:
            next(child for child in self._children if child.pid == told["pid"]).returncode = told["code"]
        else:
            self._children.append(Child(self, told["pid"], *files))


class Child:
    """A process that was forked; what it writes goes to files."""

    def __init__(self, nursery: Nursery, pid: int, out: Path, errors: Path) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery, self._out, self._errors = nursery, out, errors

    @property
    def output(self) -> str:
        return self._out.read_text()

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, unless it has ended."""
        if self.returncode is None:
            try:
                self._nursery.hear_of(self, 0.0)
            except TimeoutError:
                self.send_signal(signal.SIGKILL)
                self._nursery.hear_of(self, LIMIT)

    def wait(self, seconds: float = LIMIT) -> int:
        """Its exit code, or the negative number of the signal that ended it."""
        self._nursery.hear_of(self, seconds)
        assert self.returncode is not None
        return self.returncode


def heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def born(control: socket.socket) -> list[str]:
    """Runs in the nursery, which ends with the test that has it; returns in every child, with its options."""
    living: dict[int, int] = {}  # a file of each child that can be read when it has ended → its process id
    while True:
        for ready in select.select([control, *living], [], [])[0]:
            if ready is not control:
                pid = living.pop(ready)
                os.close(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                control.send(json.dumps({"pid": pid, "code": code}).encode())
                continue
            message = control.recv(PIECE)
            if not message:
                os._exit(0)
            wish = json.loads(message)
            pid = os.fork()
            if not pid:
                control.close()
                for other in living:
                    os.close(other)
                _settle(wish)
                return list(wish["options"])
            living[os.pidfd_open(pid)] = pid
            control.send(json.dumps({"pid": pid}).encode())


def _settle(wish: dict[str, list[str]]) -> None:
    for number, path in enumerate(wish["files"], 1):
        os.dup2(os.open(path, os.O_WRONLY), number)
    os.environ.clear()
    os.environ.update(wish["env"])


if __name__ == "__main__":
    from tests.outputs.live import training

    training.warm_up()
    gc.freeze()  # what was loaded here is not taken apart, object by object, at the end of every child
    training.main(born(socket.socket(fileno=int(sys.argv[1]))))
