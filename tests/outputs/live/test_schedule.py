"""The player's schedule and stage in simulated time: what is late, left out, cut and held back by the rate."""

from itertools import pairwise

import pytest

from gradmidi.outputs.live.player.schedule import Schedule
from gradmidi.outputs.live.player.stage import Stage
from gradmidi.outputs.live.player.wire import CLOCK, CLOCK_DATA, CUT, KEEP, NOTE, Frame
from tests.outputs.live.simulated import SimulatedTime, exact

START = 1000.0  # where simulated time begins
TICK = b"\xf8"


class SlowPort:
    """Keeps what it gets and when, s from the start; the messages in ``hangs`` take so many seconds."""

    name = system = "slow"

    def __init__(self, time, hangs=()):
        self.got, self._time, self._hangs = [], time, dict(hangs)

    def send(self, data):
        self.got.append((exact(self._time.now() - START), data))
        self._time.sleep(self._hangs.get(data, 0.0))

    def close(self):
        pass


def on(key, channel=0):
    return bytes((0x90 | channel, key, 100))


def off(key, channel=0):
    return bytes((0x80 | channel, key, 64))


def frames(*timed):
    return [Frame(START + at, kind, data) for at, kind, data in timed]


class Playing:
    def __init__(self, *timed, max_rate=10_000.0, hangs=()):
        self.time = SimulatedTime()
        self.port = SlowPort(self.time, hangs)
        self.stage = Stage(self.port, max_rate, self.time)
        self.schedule = Schedule(self.stage, self.time)
        self.schedule.take(frames(*timed))

    def until(self, moment):
        """What was sent until then, s from the start."""
        while (wait := self.schedule.act()) + self.time.now() <= START + moment:
            self.time.sleep(wait)
        self.time.reach(START + moment)
        return self.port.got


def test_frames_are_sent_at_their_deadlines_whatever_the_order_they_came_in():
    playing = Playing((0.3, NOTE, on(62)), (0.1, NOTE, on(60)), (0.3, NOTE, on(61)), (0.2, KEEP, b"\xb0\x07\x40"))
    assert playing.until(1) == [(0.1, on(60)), (0.2, b"\xb0\x07\x40"), (0.3, on(62)), (0.3, on(61))]


@pytest.mark.parametrize(("overdue", "heard"), [(0.99, True), (1.01, False)])
def test_a_note_a_second_overdue_is_left_out_with_its_end_and_an_alarm_is_not(overdue, heard):
    """The device hangs in the first message."""
    hang = 1.0 + overdue
    playing = Playing(
        (0.0, KEEP, b"\xc0\x01"),
        (1.0, NOTE, on(60)),
        (1.0, KEEP, on(38, 9)),
        (1.2, NOTE, off(60)),
        (1.2, KEEP, off(38, 9)),
        hangs={b"\xc0\x01": hang},
    )
    sent = [(at, data) for at, data in playing.until(5) if data[0] != 0xC0]
    note = [(exact(hang), data) for data in ([on(60)] if heard else [])]
    ends = [off(60)] * heard + [off(38, 9)]
    assert sent == [*note, (exact(hang), on(38, 9)), *((exact(max(hang, 1.2)), data) for data in ends)]
    report = playing.stage.report()
    assert (report["notes"], report["dropped"]) == (1 + heard, 1 - heard)
    assert report["late_max"] == pytest.approx(overdue) and report["late"] == report["notes"]


def test_a_cut_drops_the_notes_that_came_before_it_and_ends_what_sounds():
    playing = Playing((0.1, NOTE, on(60)), (0.9, NOTE, off(60)), (0.6, NOTE, on(61)), (0.7, KEEP, b"\xb0\x4a\x01"))
    playing.until(0.3)
    playing.schedule.take(frames((0.5, CUT, b""), (0.5, KEEP, on(38, 9)), (0.8, NOTE, on(62))))
    expected = [(0.1, on(60)), (0.5, off(60)), (0.5, on(38, 9)), (0.7, b"\xb0\x4a\x01"), (0.8, on(62))]
    assert playing.until(2) == expected


def test_the_rate_lets_24_messages_through_at_once_and_then_one_each_time():
    crowd = [(0.5, KEEP, bytes((0xB0, 74, i))) for i in range(60)]
    times = [at for at, _ in Playing(*crowd, max_rate=100).until(5)]
    assert times == [0.5] * 24 + [exact(0.5 + i / 100) for i in range(1, 37)]


def test_ticks_that_a_hanging_device_missed_are_left_out_and_the_next_are_on_the_grid():
    clock = (0.0, CLOCK, CLOCK_DATA.pack(START + 0.1, 0.02))
    playing = Playing(clock, (0.25, KEEP, b"\xc0\x01"), hangs={b"\xc0\x01": 0.5})
    ticks = [at for at, data in playing.until(1.0) if data == TICK]
    on_grid = [exact(0.1 + i * 0.02) for i in range(46)]
    # The one that was due is sent when the device answers again, and those after it not in a burst.
    assert ticks == [at for at in on_grid if at <= 0.25] + [0.75] + [at for at in on_grid if at > 0.75]
    assert min(later - earlier for earlier, later in pairwise(ticks)) >= 0.01


def test_leaving_says_twice_that_all_is_silent():
    playing = Playing((0.1, NOTE, on(60)), (0.2, NOTE, on(61, 3)))
    playing.until(0.5)
    del playing.port.got[:]
    playing.stage.leave()
    silence = [bytes((0xB0 | channel, number, 0)) for channel in (0, 3) for number in (64, 123, 120)]
    first = [data for at, data in playing.port.got if at == 0.5]
    assert first[:8] == [off(60), off(61, 3), *silence]
    assert [data for at, data in playing.port.got if at == 0.6] == first[2:]
    assert exact(playing.time.now() - START) == 0.7
