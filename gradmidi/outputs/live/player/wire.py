"""Frames from the training process to the player: a deadline, a kind and MIDI bytes."""

from __future__ import annotations

import struct
from typing import NamedTuple

HEAD = struct.Struct("<dBH")  # deadline in s of time.perf_counter, which is one clock for all processes; kind; bytes
CLOCK_DATA = struct.Struct("<dd")  # first tick and interval, s

NOTE = 0  # a note-on may be dropped when it is long overdue, or cut by an alarm
KEEP = 1  # is sent however late: setup, controllers, alarms
CUT = 2  # from the deadline on, drop the notes sent before this frame and release what sounds
CLOCK = 3  # start MIDI clock; the data are CLOCK_DATA
END = 4  # play what is due until the deadline, then fall silent and leave


class Frame(NamedTuple):
    """What the player does at ``deadline``."""

    deadline: float
    kind: int
    data: bytes


def pack(deadline: float, kind: int, data: bytes = b"") -> bytes:
    return HEAD.pack(deadline, kind, len(data)) + data


class Unpacker:
    """Cuts a stream of bytes, which comes in pieces of any size, into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that are complete with this piece."""
        stream, at, frames = self._rest + piece, 0, []
        while len(stream) - at >= HEAD.size:
            deadline, kind, size = HEAD.unpack_from(stream, at)
            start = at + HEAD.size
            if len(stream) - start < size:
                break
            frames.append(Frame(deadline, kind, stream[start : start + size]))
            at = start + size
        self._rest = stream[at:]
        return frames
