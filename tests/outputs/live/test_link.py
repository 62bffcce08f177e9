"""When a link gives its player up: a real player, held with SIGSTOP, and a clock on which ten seconds are soon over."""

import signal

import pytest

from gradmidi.outputs.live.link import BACKLOG, NO_ANSWER, Link
from gradmidi.outputs.live.player.wire import KEEP, pack
from tests.outputs.live.devices import wait_until
from tests.outputs.live.simulated import SimulatedTime

pytestmark = pytest.mark.slow

PATIENCE = 10.0  # s
FRAME = pack(0.0, KEEP, b"\xb0\x4a\x01")
FRAMES = FRAME * 1000


@pytest.fixture
def time():
    return SimulatedTime()


@pytest.fixture
def hold(time, tmp_path):
    """Call for a link to a player that does not read."""
    made = []

    def make():
        made.append(Link(f"file:{tmp_path / str(len(made))}", backend=None, soundfont=None, max_rate=800, time=time))
        made[-1]._process.send_signal(signal.SIGSTOP)
        return made[-1]

    yield make
    for link in made:
        link._process.kill()
        link.close(0.0)


@pytest.fixture
def held(hold):
    """One that is filled until it has to keep frames for its player."""
    link = hold()
    while link.ready():
        assert link.send(FRAMES)
    return link


def test_a_player_that_accepts_nothing_for_ten_seconds_is_given_up(held, time):
    time.sleep(PATIENCE)
    assert not held.ready() and held.failure == ""
    time.sleep(0.001)
    assert not held.ready() and held.failure == NO_ANSWER
    assert not held.send(FRAMES)


def test_the_ten_seconds_begin_anew_with_each_byte_that_is_accepted(held, time):
    while held.send(FRAMES):
        pass
    time.sleep(0.9 * PATIENCE)
    waiting = len(held._backlog)
    held._process.send_signal(signal.SIGCONT)  # it reads some of them, but then has enough for the time being
    wait_until(lambda: held.ready() or len(held._backlog) < waiting)
    held._process.send_signal(signal.SIGSTOP)
    while held.send(FRAMES):  # on a busy machine it may have read everything
        pass
    time.sleep(0.9 * PATIENCE)
    assert not held.ready() and held.failure == ""


def test_the_ten_seconds_begin_with_what_is_not_accepted_not_with_a_rest_of_the_music(hold, time):
    """The pipe is full and nothing waits: what comes after a long rest has ten seconds like anything."""
    full, count = hold(), 0
    while full.ready():
        full.send(FRAME)
        count += 1
    link = hold()
    for _ in range(count - 1):
        link.send(FRAME)
    assert link.ready()
    time.sleep(2 * PATIENCE)
    assert link.ready()
    link.send(FRAME)
    assert not link.ready() and link.failure == ""


def test_frames_beyond_the_backlog_are_refused_whole(held):
    accepted = 0
    while held.send(FRAMES):
        accepted += 1
    assert accepted <= BACKLOG // len(FRAMES) <= accepted + 1
    assert held.failure == ""


def test_sending_and_asking_never_wait(held, time):
    before = time.now()
    for _ in range(100):
        held.send(FRAMES)
        held.ready()
    assert time.now() == before
