"""Six ways for a training to end, and a seventh: each a real process, ended for real, while notes sound."""

import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from gradmidi.recording import Recording
from tests.outputs.live.conftest import start_training
from tests.outputs.live.devices import Receiver, is_note_off, is_note_on, wait_until

UNIT = 0.25  # s a note, two notes and two rests a step
WITHIN = 0.5  # s from the end of the training to the last message

# how: the signal that ends it, and the exit code
ENDINGS = {
    "normal": (None, 0),
    "exception": (None, 1),
    "exit": (None, 3),
    "Ctrl-C": (signal.SIGINT, -signal.SIGINT),
    "SIGTERM": (signal.SIGTERM, -signal.SIGTERM),
    "SIGKILL": (signal.SIGKILL, -signal.SIGKILL),
    "SIGKILL with workers": (signal.SIGKILL, -signal.SIGKILL),
}


class Running(NamedTuple):
    """A training, who listens to it, its recording, and the time at which it ended (once it has)."""

    process: subprocess.Popen
    receiver: Receiver
    norms: Path
    ended: list[float]


@pytest.fixture(scope="module")
def trainings(shared_jack, tmp_path_factory):
    """All of them at once, as each takes its time to load torch."""
    running = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACK_DEFAULT_SERVER", shared_jack.name)
        for number, (how, (ends_by, _)) in enumerate(ENDINGS.items()):
            receiver = Receiver(shared_jack, f"ending{number}")
            norms = tmp_path_factory.mktemp("ending") / "norms.csv"
            ending = ["--ending", how, "--steps", 200] if ends_by is None else ["--steps", 10_000]
            workers = ["--workers"] if "workers" in how else []
            process = start_training(receiver.port, "--norms", norms, "--unit", UNIT, *ending, *workers)
            running[how] = Running(process, receiver, norms, [])
            threading.Thread(target=_note_end, args=(running[how],), daemon=True).start()
    yield running
    for training in running.values():
        training.process.kill()
        training.process.communicate()
        training.receiver.stop()


def _note_end(training: Running) -> None:
    training.process.wait()
    training.ended.append(time.perf_counter())


@pytest.mark.parametrize("how", ENDINGS)
def test_every_note_ends_within_half_a_second(how, trainings):
    process, receiver, norms, ended = trainings[how]
    number, code = ENDINGS[how]
    if number is not None:
        wait_until(lambda: any(map(is_note_on, receiver.messages())), limit=30)
        wait_until(lambda: sounding(receiver.messages()))
        process.send_signal(number)
    wait_until(lambda: ended, limit=30)
    assert process.returncode == code
    time.sleep(WITHIN + 0.2)
    # sustain off, all notes off, all sound off, on each channel that was used: two layers and the percussion
    panic = [bytes((0xB0 | channel, controller, 0)) for channel in (0, 1, 9) for controller in (64, 123, 120)]
    assert receiver.messages()[-9:] == panic
    assert receiver.heard[-1].at - ended[0] < WITHIN
    assert any(map(is_note_on, receiver.messages()))
    assert not sounding(receiver.messages())
    assert len(Recording.load(norms)) > 5


def sounding(messages):
    """Notes that were begun more often than ended."""
    ons = [data[:2] for data in messages if is_note_on(data)]
    for data in messages:
        if is_note_off(data):
            ons.remove(bytes((0x90 | data[0] & 0x0F, data[1])))
    return ons
