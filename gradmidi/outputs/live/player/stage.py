"""What sounds at a target: every message goes through here, so that every note ends and the synth is left in tune."""

from __future__ import annotations

import signal
from collections import Counter
from typing import Any

from gradmidi.outputs.live.player.handback import Handback
from gradmidi.outputs.live.player.lateness import Lateness
from gradmidi.outputs.live.player.targets import Target
from gradmidi.outputs.live.player.time_source import REAL_TIME, TimeSource
from gradmidi.outputs.live.player.wire import Frame
from gradmidi.outputs.midi_numbers import ALL_NOTES_OFF, ALL_SOUND_OFF, SUSTAIN

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
OFF_VELOCITY = 64
PANIC = (SUSTAIN, ALL_NOTES_OFF, ALL_SOUND_OFF)  # controllers set to 0
STOP_BYTE = b"\xfc"
BURST = 24  # messages that may go out at once before the rate limit holds
FLUSH = 0.1  # s for the last messages to leave before the port closes: more than the longest usual JACK period
PANICS = 2  # an overloaded JACK server loses whole periods; the message that ends the notes must not be lost
HANG = 3.0  # s; a message that takes longer has met a dead device


class Stage:
    """Sends messages at a limited rate and knows which notes sound on which channel.

    Args:
        target: receives the messages.
        max_rate: average messages per second; short bursts are allowed.
        time: the clock of the frames' deadlines.
    """

    def __init__(self, target: Target, max_rate: float, time: TimeSource = REAL_TIME) -> None:
        self._target = target
        self._time = time
        self._spacing = 1 / max_rate
        self._free_at = 0.0
        self._sounding: Counter[tuple[int, int]] = Counter()
        self._handback = Handback()
        self._clock_runs = False
        self._lateness = Lateness()
        self._messages = 0
        self._dropped = 0

    def perform(self, frame: Frame, overdue: bool) -> None:
        """Send a frame's message; a note-on that is overdue is counted instead, and its note-off left out."""
        data = frame.data
        status, channel = data[0] & 0xF0, data[0] & 0x0F
        if status == NOTE_ON and data[2]:
            if overdue:
                self._dropped += 1
                return
            self._send(data)
            self._sounding[channel, data[1]] += 1
            self._lateness.add(self._time.now() - frame.deadline)
        elif status in (NOTE_OFF, NOTE_ON):
            if not self._sounding[channel, data[1]]:
                return
            self._send(data)
            self._sounding[channel, data[1]] -= 1
        else:
            self._send(data)

    def send_clock(self, byte: bytes) -> None:
        """Clock bytes keep their time whatever the rate."""
        self._clock_runs = True
        self._out(byte)

    def release_all(self) -> None:
        """A note-off for every note that sounds."""
        for (channel, key), count in self._sounding.items():
            for _ in range(count):
                self._out(bytes((NOTE_OFF | channel, key, OFF_VELOCITY)))
        self._sounding.clear()

    def fall_silent(self) -> None:
        """Note-offs, the panic controllers on every channel that was used, and the synth's own tuning back."""
        self.release_all()
        for channel in self._handback.channels:
            for controller in PANIC:
                self._out(bytes((CONTROL | channel, controller, 0)))
        # Retuned before, what still rings would be heard to glide.
        for data in self._handback.messages():
            self._out(data)
        if self._clock_runs:
            self._out(STOP_BYTE)

    def leave(self) -> None:
        """Fall silent, and give the messages that say so the time to go out."""
        for _ in range(PANICS):
            self.fall_silent()
            self._time.sleep(FLUSH)

    def report(self) -> dict[str, Any]:
        late = self._lateness
        return {
            "messages": self._messages,
            "notes": late.count,
            "late": late.late,
            "dropped": self._dropped,
            "late_p50": late.quantile(0.5),
            "late_p99": late.quantile(0.99),
            "late_max": late.largest,
        }

    def close(self) -> None:
        self._target.close()

    def _send(self, data: bytes) -> None:
        """Send one message, after waiting as the rate requires."""
        now = self._time.now()
        self._free_at = max(self._free_at, now - BURST * self._spacing) + self._spacing
        if self._free_at > now:
            self._time.sleep(self._free_at - now)
        self._handback.hear(data)
        self._out(data)

    def _out(self, data: bytes) -> None:
        """A library that hangs on a dead device holds the whole process: then the system's alarm ends it."""
        _watchdog(HANG)
        self._target.send(data)
        _watchdog(0)
        self._messages += 1


def _watchdog(seconds: float) -> None:
    """End this process in so many s by a signal that needs no Python to run; 0 takes that back."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
