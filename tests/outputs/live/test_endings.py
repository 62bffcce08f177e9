"""Six ways for a training to end, and a seventh: each a real process, ended for real, while notes sound."""

import signal
import time

import pytest

from gradmidi.recording import Recording
from tests.outputs.live.conftest import start_training
from tests.outputs.live.devices import is_note_off, is_note_on, is_panic, wait_until

pytestmark = pytest.mark.slow

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


@pytest.fixture(scope="module")
def trainings(shared_jack, tmp_path_factory):
    """Process and recording by ending. They load torch together, and then wait to be told to begin."""
    started = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACK_DEFAULT_SERVER", shared_jack.name)
        for how, (number, _) in ENDINGS.items():
            norms = tmp_path_factory.mktemp("ending") / "norms.csv"
            ending = ["--ending", how, "--steps", 100] if number is None else []
            workers = ["--workers"] if "workers" in how else []
            options = ["--norms", norms, "--unit", UNIT, "--wait", *ending, *workers]
            started[how] = start_training("receiver", *options), norms
    for process, _ in started.values():
        assert process.stdout.readline() == "ready\n"
    yield started
    for process, _ in started.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", ENDINGS)
def test_every_note_ends_within_half_a_second(how, trainings, receiver):
    process, norms = trainings[how]
    number, code = ENDINGS[how]
    process.stdin.write("begin\n")
    process.stdin.flush()
    wait_until(lambda: number is None or sounding(receiver.messages()))
    if number is not None:
        process.send_signal(number)
    process.wait(15)
    ended = time.perf_counter()
    assert process.returncode == code
    time.sleep(WITHIN + 0.2)
    # sustain off, all notes off, all sound off, on each channel that was used: two layers and the percussion
    panic = [bytes((0xB0 | channel, controller, 0)) for channel in (0, 1, 9) for controller in (64, 123, 120)]
    assert list(filter(is_panic, receiver.messages()))[-9:] == panic
    assert {bytes((0xE0 | channel, 0, 0x40)) for channel in (0, 1, 9)} <= set(receiver.messages()[-40:])
    assert receiver.heard[-1].at - ended < WITHIN
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
