"""JACK servers, receivers and trainings for the tests of live MIDI."""

import os
import shutil
import subprocess
from importlib.util import find_spec

import pytest

from tests.conftest import PURE_TONE, needs
from tests.outputs.live.devices import Jack, Receiver, wait_until
from tests.outputs.live.hearing import RATE
from tests.outputs.live.nursery import Nursery


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


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    trainings = Nursery(tmp_path_factory.mktemp("trainings"))
    yield trainings
    trainings.stop()


@pytest.fixture
def run_training(nursery):
    """Start ``training.py`` with options in a process of its own; what still runs when the test ends is killed."""
    yield nursery.start
    nursery.kill_all()


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
