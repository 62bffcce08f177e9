"""Six ways for a training to end, and a seventh: each a real process, ended for real, while notes sound."""

import signal
import time

import pytest

from gradmidi.recording import Recording
from tests.outputs.live.devices import is_note_off, is_note_on, wait_until

UNIT = 0.3  # s a note, two notes and two rests a step

ENDINGS = {
    "normal": (None, 0),
    "exception": (None, 1),
    "exit": (None, 3),
    "Ctrl-C": (signal.SIGINT, -signal.SIGINT),
    "SIGTERM": (signal.SIGTERM, -signal.SIGTERM),
    "SIGKILL": (signal.SIGKILL, -signal.SIGKILL),
    "SIGKILL with workers": (signal.SIGKILL, -signal.SIGKILL),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_every_note_ends_within_half_a_second(how, receiver, run_training, tmp_path):
    number, code = ENDINGS[how]
    norms = tmp_path / "norms.csv"
    workers = ["--workers"] if "workers" in how else []
    ending = ["--ending", how, "--steps", 100] if number is None else []
    training = run_training("receiver", "--norms", norms, "--unit", UNIT, *ending, *workers)
    if number is None:
        training.wait(30)
    else:
        # in the middle of a note
        wait_until(lambda: any(map(is_note_on, receiver.messages())))
        time.sleep(0.1)
        assert sounding(receiver.messages())
        training.send_signal(number)
        training.wait(10)
    ended = time.perf_counter()
    assert training.returncode == code
    time.sleep(0.7)
    # sustain off, all notes off, all sound off, on each channel that was used: two layers and the percussion
    panic = [bytes((0xB0 | channel, controller, 0)) for channel in (0, 1, 9) for controller in (64, 123, 120)]
    assert receiver.messages()[-9:] == panic
    assert receiver.heard[-1].at - ended < 0.5
    assert not sounding(receiver.messages())
    assert len(Recording.load(norms)) > 5


def sounding(messages):
    """Notes that were begun more often than ended."""
    ons = [data[:2] for data in messages if is_note_on(data)]
    for data in messages:
        if is_note_off(data):
            ons.remove(bytes((0x90 | data[0] & 0x0F, data[1])))
    return ons
