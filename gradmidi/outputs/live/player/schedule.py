"""The player's schedule: frames in order of their deadlines, alarms that cut notes short, ticks of MIDI clock."""

from __future__ import annotations

import heapq
import math

from gradmidi.outputs.live.player.stage import Stage
from gradmidi.outputs.live.player.time_source import REAL_TIME, TimeSource
from gradmidi.outputs.live.player.wire import CLOCK, CLOCK_DATA, CUT, END, KEEP, NOTE, Frame

TICK = 255  # a frame of the player's own: one tick of MIDI clock
START_BYTE, TICK_BYTE = b"\xfa", b"\xf8"
OVERDUE = 1.0  # s after which a note is left out rather than sent


class Schedule:
    """Frames by deadline; frames of one deadline keep the order in which they came.

    Args:
        stage: where frames are performed.
        time: the clock of the deadlines.
    """

    def __init__(self, stage: Stage, time: TimeSource = REAL_TIME) -> None:
        self.over = False
        self._stage = stage
        self._time = time
        self._heap: list[tuple[float, int, Frame]] = []
        self._order = 0
        self._tick_every = 0.0
        self._acts = {NOTE: self._note, KEEP: self._keep, CUT: self._cut, CLOCK: self._clock, END: self._end}
        self._acts[TICK] = self._tick

    def __len__(self) -> int:
        return len(self._heap)

    def take(self, frames: list[Frame]) -> None:
        """Frames as they come from the training process."""
        for frame in frames:
            if frame.kind == CUT:
                self._forget_notes_from(frame.deadline)
            self._push(frame)

    def act(self) -> float:
        """Do all that is due; returns the seconds until the next deadline."""
        while self._heap and not self.over:
            wait = self._heap[0][0] - self._time.now()
            if wait > 0:
                return wait
            frame = heapq.heappop(self._heap)[2]
            self._acts[frame.kind](frame)
        return math.inf

    def _push(self, frame: Frame) -> None:
        heapq.heappush(self._heap, (frame.deadline, self._order, frame))
        self._order += 1

    def _forget_notes_from(self, deadline: float) -> None:
        self._heap = [item for item in self._heap if item[2].kind != NOTE or item[0] < deadline]
        heapq.heapify(self._heap)

    def _note(self, frame: Frame) -> None:
        self._stage.perform(frame, overdue=self._time.now() - frame.deadline > OVERDUE)

    def _keep(self, frame: Frame) -> None:
        self._stage.perform(frame, overdue=False)

    def _cut(self, frame: Frame) -> None:
        self._stage.release_all()

    def _clock(self, frame: Frame) -> None:
        first, self._tick_every = CLOCK_DATA.unpack(frame.data)
        self._stage.send_clock(START_BYTE)
        self._push(Frame(first, TICK, b""))

    def _tick(self, frame: Frame) -> None:
        """Send a tick and plan the next one; after a long delay the missed ones are left out, not sent in a burst."""
        self._stage.send_clock(TICK_BYTE)
        missed = max(int((self._time.now() - frame.deadline) / self._tick_every), 0)
        self._push(Frame(frame.deadline + (missed + 1) * self._tick_every, TICK, b""))

    def _end(self, frame: Frame) -> None:
        self.over = True
