"""Events in the terminal as they happen: a line each, and never a flood of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gradmidi.printable import counted

if TYPE_CHECKING:
    from gradmidi.events import Event

AT_ONCE = 10  # lines
ONE_MORE_AFTER = 2.0  # s
ALARM, ALL_CLEAR = "bold red", "green"  # styles


class EventLines:
    """Prints onsets and recoveries.

    Args:
        say: prints a line in a style.
        now: a clock, s.
    """

    def __init__(self, say: Callable[[str, str], object], now: Callable[[], float] = time.monotonic) -> None:
        self._say, self._now = say, now
        self._left = float(AT_ONCE)
        self._before = now()
        self._hidden = 0

    def show(self, event: Event, prefix: str = "") -> None:
        """Print an event, or only count it if too many were printed lately."""
        from gradmidi.events import KINDS, ONGOING, ONSET

        if event.phase == ONGOING or not KINDS[event.kind].sick:
            return
        now = self._now()
        self._left = min(AT_ONCE, self._left + (now - self._before) / ONE_MORE_AFTER)
        self._before = now
        if self._left < 1:
            self._hidden += 1
            return
        self._left -= 1
        self.close()
        self._say(prefix + event.text, ALARM if event.phase == ONSET else ALL_CLEAR)

    def close(self) -> None:
        """Say how many were not printed."""
        if self._hidden:
            self._say(f"and {counted(self._hidden, 'more event')}, which events.csv lists", ALARM)
            self._hidden = 0
