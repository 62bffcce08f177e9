"""JACK servers, receivers and trainings for the tests of live MIDI."""

import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import PURE_TONE, needs
from tests.outputs.live.devices import Jack, Receiver, wait_until
from tests.outputs.live.hearing import RATE

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def shared_jack():
    for program in ("jackd", "jack_lsp", "jack_connect", "jack_midi_dump", "stdbuf"):
        needs(shutil.which(program) is not None, program)
    server = Jack(f"gradmidi-test-{os.getpid()}")
    yield server
    server.stop()


@pytest.fixture
def jack(shared_jack, monkeypatch):
    """The server, found by whatever the test starts."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", shared_jack.name)
    return shared_jack


@pytest.fixture
def mortal_jack(shared_jack, monkeypatch):
    """A server of the test's own, to be killed."""
    name = f"gradmidi-mortal-{os.getpid()}"
    server = Jack(name)
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    yield server
    server.kill()
    # The system keeps the traces of eight killed servers, then starts no more; one that ends well takes them away.
    Jack(name).stop()


@pytest.fixture
def receiver(jack):
    program = Receiver(jack, "receiver")
    yield program
    program.stop()


@pytest.fixture(params=["rtmidi", "rtmidi2"])
def backend(request):
    """Each MIDI library in turn, on JACK."""
    if find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed (python-rtmidi has no wheel for Python 3.13, rtmidi2 stands in)")
    return f"{request.param}/jack"


def start_training(*options: object) -> subprocess.Popen:
    """``training.py`` (a torch training that is played live) with options."""
    command = [sys.executable, str(HERE / "training.py"), *map(str, options)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    # A shell that starts the tests in the background has them ignore Ctrl-C, and they would hand that on.
    return subprocess.Popen(command, text=True, preexec_fn=heed_ctrl_c, **pipes)


def heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def run_training():
    """Start trainings; what still runs when the test ends is killed."""
    started = []

    def run(*options: object) -> subprocess.Popen:
        started.append(start_training(*options))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def fluidlive(jack, need_program):
    """FluidSynth as a program of its own, with a SoundFont of pure tones, reading MIDI from JACK."""
    need_program("fluidsynth", "jack_rec")
    names = ["-o", "midi.jack.id=fluidlive", "-o", "audio.jack.id=fluidlive", "-o", "synth.reverb.active=0"]
    process = subprocess.Popen(
        ["fluidsynth", "-q", "-C", "0", "-a", "jack", "-m", "jack", *names, "-r", str(RATE), str(PURE_TONE)],
        stdin=subprocess.PIPE,  # its shell waits for commands as long as this stays open
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: {"fluidlive:midi_00", "fluidlive:left"} <= set(jack.ports().split()))
    yield process
    process.communicate(b"quit\n", timeout=10)
