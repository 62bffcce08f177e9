"""When each played step begins in real time: one after the other without a gap, or at once if training is slower."""

from __future__ import annotations

import math
from typing import NamedTuple

LATENCY = 0.05  # s from handing a step over to its first note: what the player needs to be on time whatever happens
LONGEST_LEAD = 1.0  # s
WAIT_LEAD = 0.25  # s that a training which waits for the music may be ahead of it
SMOOTHING = 0.1  # of the newest interval between steps, in their running mean


class Grid(NamedTuple):
    """Ticks of MIDI clock: the time of the first one and the interval, s."""

    first: float
    interval: float

    def at_or_after(self, time: float) -> float:
        # A step that lies on a tick but for rounding is not pushed to the next one.
        return self.first + math.ceil((time - self.first) / self.interval - 1e-6) * self.interval


class Timeline:
    """Maps the piece's time (s from its first note) to the clock's.

    Args:
        start: earliest time of the first note, on the clock of the deadlines.
        waits: the training waits for the music, so that steps are given with a constant lead.
        grid: steps begin on its ticks.
    """

    def __init__(self, start: float, waits: bool = False, grid: Grid | None = None) -> None:
        self._origin = grid.at_or_after(start) if grid else start
        self._grid = grid
        self._waits = waits
        self._end = 0.0  # piece time at which the last given step is over
        self._interval = 0.0
        self._last: float | None = None

    @property
    def free_at(self) -> float:
        """When the last given step is over."""
        return self._origin + self._end

    @property
    def lead(self) -> float:
        """How long before that the next step is due: twice the interval between steps, so that none is missing."""
        return WAIT_LEAD if self._waits else min(LATENCY + 2 * self._interval, LONGEST_LEAD)

    def hear(self, now: float, steps: int) -> None:
        """So many training steps were made since the last call."""
        if self._last is not None:
            # As if each had been reported separately, one interval after the other.
            share = 1 - (1 - SMOOTHING) ** steps
            self._interval += share * ((now - self._last) / steps - self._interval)
        self._last = now

    def wanting(self, now: float) -> float:
        """s until the next step has to be given; not positive where it is time."""
        return self.free_at - self.lead - now

    def cut(self, now: float) -> float | None:
        """Let the next step begin in place of what is still to come; when, or None if it begins soon anyway."""
        if self.free_at <= now + 2 * LATENCY:
            return None
        self._origin = now + LATENCY - self._end
        self._snap()
        return self.free_at

    def place(self, now: float, end: float, least: float) -> float:
        """Give the next step, which lasts to ``end`` in piece time, and at least ``least`` s; returns the origin."""
        self._origin = max(self._origin, now + LATENCY - self._end)
        self._snap()
        origin, length = self._origin, end - self._end
        self._origin += max(least - length, 0)
        self._end = end
        return origin

    def _snap(self) -> None:
        if self._grid:
            self._origin = self._grid.at_or_after(self.free_at) - self._end
