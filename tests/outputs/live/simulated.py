"""A performance in simulated time: it takes no time to wait, and what was sent when is exact."""

from math import inf
from typing import Any

from gradmidi.outputs.live.opening import DEFAULT_MAX_RATE
from gradmidi.outputs.live.player.schedule import Schedule
from gradmidi.outputs.live.player.stage import Stage
from gradmidi.outputs.live.player.wire import Frame, Unpacker
from tests.outputs.live.devices import Heard, is_note_on

ROUNDING = 1e-6  # s


def exact(seconds: float) -> float:
    """A time to the nanosecond: sums of the same numbers in another order are equal."""
    return round(seconds, 9)


class SimulatedTime:
    """A clock that moves when somebody sleeps, and not else. It does not begin at zero, as no real one does."""

    def __init__(self) -> None:
        self._now = 1000.0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float, /) -> None:
        assert seconds >= 0, "time.sleep refuses less"
        self._now += seconds

    def reach(self, moment: float) -> None:
        self._now = max(self._now, moment)


class SimulatedPlayer:
    """A transport into a player of our own process: its real schedule and stage, and a port that keeps what it gets.

    The player has a clock of its own, which follows that of the training, and is ahead while it sends at the
    allowed rate: then, as the real one, it reads nothing until it is done with what is due.

    Attributes:
        time: the training's clock.
        handed: what was handed over, each frame with the time at which it was.
        heard: each message with the time at which it reached the port.
        full_until: when the player accepts anything again.
        failure: to be set where the player is to be gone.
        left_at: when the player left, or None.
    """

    system, realtime = "simulation", False

    def __init__(self, max_rate: float = DEFAULT_MAX_RATE, port: str = "simulated") -> None:
        self.time = SimulatedTime()
        self.port = port
        self.failure = ""
        self.full_until = -inf
        self.handed: list[tuple[float, Frame]] = []
        self.heard: list[Heard] = []
        self.left_at: float | None = None
        self._clock = SimulatedTime()
        self._stage = Stage(_Port(self), max_rate, self._clock)
        self._schedule = Schedule(self._stage, self._clock)
        self._unpacker = Unpacker()

    def ready(self) -> bool:
        return not self.failure and self.time.now() >= self.full_until

    def send(self, frames: bytes, /) -> bool:
        if not self.ready():
            return False
        self._play_until(self.time.now())
        taken = self._unpacker.feed(frames)
        self.handed += ((exact(self.time.now()), frame) for frame in taken)
        if self.left_at is None:
            self._schedule.take(taken)
        return True

    def hush(self) -> None:
        self._play_until(self.time.now())
        self._leave()

    def close(self, patience: float, /) -> dict[str, Any]:
        self._play_until(self.time.now() + patience + ROUNDING)
        assert self.left_at is not None, "the player was not told to end, or has not been given the time to"
        self.time.reach(self.left_at)
        return self._stage.report()

    def keep(self, data: bytes) -> None:
        self.heard.append(Heard(exact(self._clock.now()), data))

    def wait(self, seconds: float) -> None:
        """Let time pass for the training and the player."""
        self.time.sleep(seconds)
        self._play_until(self.time.now())

    def hang(self, seconds: float) -> None:
        """The device takes so long for its next message, in which the training continues."""
        self._clock.sleep(seconds)

    def note_ons(self, channel: int | None = None) -> list[Heard]:
        ons = [heard for heard in self.heard if is_note_on(heard.data)]
        return [heard for heard in ons if channel is None or heard.data[0] & 0x0F == channel]

    def _play_until(self, moment: float) -> None:
        while self.left_at is None:
            wait = self._schedule.act()
            if self._schedule.over:
                self._leave()
            elif wait == inf or self._clock.now() + wait > moment:
                self._clock.reach(moment)
                return
            else:
                self._clock.sleep(wait)

    def _leave(self) -> None:
        if self.left_at is None:
            self._stage.leave()
            self.left_at = self._clock.now()


class _Port:
    """The target of a simulated player's stage."""

    def __init__(self, player: SimulatedPlayer) -> None:
        self.name, self.system = player.port, player.system
        self.send = player.keep

    def close(self) -> None:
        pass
