"""A real JACK server without hardware, a real receiver in a process of its own, and what messages are."""

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradmidi.recording import Recording

PERIOD = 2048  # frames; at 48 kHz 43 ms. A busy machine misses shorter periods, and what was in them is lost
LIMIT = 60.0  # s that anything may take to appear: a busy machine loads torch for thirty


class Heard(NamedTuple):
    """A message as it arrived: s of time.perf_counter, and its bytes."""

    at: float
    data: bytes


class Jack:
    """A JACK server of our own name, so that several test runs can stand side by side."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.env = {**os.environ, "JACK_DEFAULT_SERVER": self.name, "JACK_NO_AUDIO_RESERVATION": "1"}
        # In a session of its own: the whole server can be killed, and nothing else is.
        self._process = subprocess.Popen(
            ["jackd", "--no-realtime", "-n", self.name, "-d", "dummy", "-r", "48000", "-p", str(PERIOD)],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(lambda: self.ports() != "")

    def ports(self) -> str:
        return subprocess.run(["jack_lsp", "-c"], env=self.env, capture_output=True, text=True).stdout

    def ports_of(self, client: str) -> list[str]:
        return [line for line in self.ports().splitlines() if line.startswith(f"{client}:")]

    def connect(self, source: str, destination: str) -> None:
        done = subprocess.run(["jack_connect", source, destination], env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
            self._process.wait(LIMIT)
        for left in Path("/dev/shm").glob(f"jack*{self.name}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


class Receiver:
    """``jack_midi_dump``: a C program that prints each message it gets; it shares no code with what is tested."""

    def __init__(self, jack: Jack, name: str) -> None:
        self.port = f"{name}:input"
        self.heard: list[Heard] = []
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "jack_midi_dump", name],
            env=jack.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        wait_until(lambda: self.port in jack.ports())

    def _read(self) -> None:
        for line in self.process.stdout:
            _, _, rest = line.partition(":")
            data = bytes(int(word, 16) for word in _leading_hex(rest.split()))
            if data:
                self.heard.append(Heard(time.perf_counter(), data))

    def messages(self) -> list[bytes]:
        return [heard.data for heard in self.heard]

    def wait_for(self, data: bytes) -> None:
        wait_until(lambda: data in self.messages())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)  # it then takes its leave of the server
        self.process.wait(LIMIT)


def _leading_hex(words: list[str]) -> list[str]:
    """The bytes at the start of a line; the dump names the message in words behind them."""
    found: list[str] = []
    for word in words:
        if len(word) != 2 or not all(character in "0123456789abcdef" for character in word):
            break
        found.append(word)
    return found


def wait_until(true, limit: float = LIMIT) -> None:
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def player_of(parent: int) -> int:
    """Process id of the player that a training has started."""
    command = ["ps", "--ppid", str(parent), "-ww", "-o", "pid=,args="]
    listing = subprocess.run(command, capture_output=True, text=True).stdout
    return int(next(line for line in listing.splitlines() if "outputs.live.player" in line).split()[0])


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or is but a record until somebody asks for its exit code."""
    state = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True).stdout
    return state.strip()[:1] in ("", "Z")


def read_file(path: Path) -> list[Heard]:
    """What a ``file:`` port recorded; the times are s from its opening."""
    lines = [line.split(" ", 1) for line in path.read_text().splitlines()]
    return [Heard(float(at), bytes.fromhex(data)) for at, data in lines]


def is_note_on(data: bytes) -> bool:
    return data[0] & 0xF0 == 0x90 and data[2] > 0


def is_note_off(data: bytes) -> bool:
    return data[0] & 0xF0 == 0x80 or (data[0] & 0xF0 == 0x90 and data[2] == 0)


def is_note(data: bytes) -> bool:
    return is_note_on(data) or is_note_off(data)


def is_panic(data: bytes) -> bool:
    return data[0] & 0xF0 == 0xB0 and data[1] in (64, 120, 123) and data[2] == 0


def one_row(step: int, norms, layers=("conv1", "conv2", "fc1", "fc2"), **metrics: float) -> Recording:
    """A recording of one step."""
    columns = {name: np.array([value]) for name, value in metrics.items()}
    return Recording(tuple(layers), np.array([step]), np.array([norms], dtype=float), columns)
