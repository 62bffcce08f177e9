"""Whatever happens to the device, the training ends as it would have: in time, with the same weights, told once."""

import os
import signal

import pytest

from gradmidi.recording import Recording
from tests.outputs.live.devices import Receiver, has_ended, is_note_on, player_of, wait_until

pytestmark = pytest.mark.slow

STEPS = 200


@pytest.fixture(scope="module")
def undisturbed(nursery, tmp_path_factory):
    """The weights of the training when nothing is played."""
    norms = tmp_path_factory.mktemp("silent") / "norms.csv"
    silent = nursery.start("none", "--silent", "--norms", norms, "--steps", STEPS, "--pause", 0)
    assert silent.wait() == 0, silent.errors
    return weights(silent.output)


def weights(output: str) -> str:
    return next(line for line in output.splitlines() if line.startswith("weights"))


def finish(training, undisturbed, norms, warnings: int) -> str:
    assert training.wait() == 0, training.errors
    assert weights(training.output) == undisturbed
    assert training.errors.count("live MIDI to") == warnings, training.errors
    assert len(Recording.load(norms)) == STEPS
    return training.errors


def test_playing_changes_no_bit_of_the_weights(receiver, run_training, undisturbed, tmp_path):
    training = run_training("receiver", "--norms", tmp_path / "n.csv", "--steps", STEPS)
    finish(training, undisturbed, tmp_path / "n.csv", warnings=0)
    assert sum(map(is_note_on, receiver.messages())) > 8


def test_the_server_is_killed(mortal_jack, run_training, undisturbed, tmp_path):
    receiver = Receiver(mortal_jack, "receiver")
    training = run_training("receiver", "--norms", tmp_path / "n.csv", "--steps", STEPS)
    wait_until(lambda: any(map(is_note_on, receiver.messages())))
    mortal_jack.kill()
    receiver.process.kill()
    errors = finish(training, undisturbed, tmp_path / "n.csv", warnings=1)
    assert "the server that carries the port is gone" in errors


def test_the_reader_stops(mortal_jack, run_training, undisturbed, tmp_path):
    receiver = Receiver(mortal_jack, "receiver")
    training = run_training("receiver", "--norms", tmp_path / "n.csv", "--steps", STEPS)
    wait_until(lambda: any(map(is_note_on, receiver.messages())))
    receiver.process.send_signal(signal.SIGSTOP)
    training.wait()
    receiver.process.kill()
    assert (training.returncode, weights(training.output)) == (0, undisturbed)
    # The server may throw the reader out and go on, or go down with it: said once at most.
    assert training.errors.count("live MIDI to") <= 1


def test_the_port_is_unplugged(jack, run_training, undisturbed, tmp_path):
    receiver = Receiver(jack, "receiver")
    training = run_training("receiver", "--norms", tmp_path / "n.csv", "--steps", STEPS)
    wait_until(lambda: any(map(is_note_on, receiver.messages())))
    receiver.stop()
    assert (training.wait(), weights(training.output)) == (0, undisturbed)
    assert training.errors.count("live MIDI to") <= 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_player_is_ended(number, receiver, run_training, undisturbed, tmp_path):
    training = run_training("receiver", "--norms", tmp_path / "n.csv", "--steps", STEPS)
    wait_until(lambda: any(map(is_note_on, receiver.messages())))
    os.kill(player_of(training.pid), number)
    errors = finish(training, undisturbed, tmp_path / "n.csv", warnings=1)
    assert "the player process is gone" in errors


def test_a_player_that_hangs_is_given_up_when_the_training_ends(receiver, run_training, undisturbed, tmp_path):
    training = run_training("receiver", "--norms", tmp_path / "n.csv", "--steps", STEPS)
    wait_until(lambda: any(map(is_note_on, receiver.messages())))
    player = player_of(training.pid)
    os.kill(player, signal.SIGSTOP)
    assert (training.wait(), weights(training.output)) == (0, undisturbed), training.errors
    assert "the MIDI port does not answer" in training.output
    assert has_ended(player)
