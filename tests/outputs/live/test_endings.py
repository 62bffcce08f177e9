"""Six ways for a training to end, and a seventh: each a real process, ended for real, while notes sound."""

import signal
import time

import pytest

from gradmidi.recording import Recording
from tests.outputs.live.devices import PERIOD, has_ended, is_note_off, is_note_on, is_panic, player_of, wait_until

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


@pytest.mark.parametrize("how", ENDINGS)
def test_every_note_ends_within_half_a_second(how, run_training, receiver, tmp_path):
    number, code = ENDINGS[how]
    norms = tmp_path / "norms.csv"
    ending = ["--ending", how, "--steps", 100] if number is None else []
    workers = ["--workers"] if "workers" in how else []
    process = run_training("receiver", "--norms", norms, "--unit", UNIT, *ending, *workers)
    wait_until(lambda: "playing" in process.output)
    player = player_of(process.pid)
    if number is not None:
        wait_until(lambda: sounding(receiver.messages()) and len(norms.read_text().splitlines()) > 20)
        process.send_signal(number)
    process.wait()
    ended = time.perf_counter()
    assert process.returncode == code
    wait_until(lambda: has_ended(player))
    time.sleep(3 * PERIOD / 48_000)  # for its last messages to arrive
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
