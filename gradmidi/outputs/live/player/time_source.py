"""The time by which music is played: the machine's, or one that a test lets pass."""

from __future__ import annotations

import time
from typing import Protocol


class TimeSource(Protocol):
    """A clock that only moves forward, and a way to wait on it.

    Both ends of a transport go by the same clock, as deadlines are its readings.
    """

    def now(self) -> float:
        """The reading in seconds; only differences have a meaning."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Return that much later; ``seconds`` is not negative."""
        ...


class RealTime:
    """``time.perf_counter``, which is one clock for all processes of a machine, and ``time.sleep``."""

    now = staticmethod(time.perf_counter)
    sleep = staticmethod(time.sleep)


REAL_TIME: TimeSource = RealTime()
