"""A Standard MIDI File → timed bytes, one event after the other: memory stays at the file's size, whatever it holds.

Source: Standard MIDI Files 1.0. Of the meta events, tempo and end of track are heeded and key signatures checked.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gradmidi.errors import InputError
from gradmidi.files.small import read_bytes
from gradmidi.outputs.live.messages import TimedBytes

LARGEST_FILE = 16 << 20  # bytes; all sixteen channels busy for an hour take two million
MOST_TRACKS = 4096  # played together; each of them costs time at every event
LONGEST_MESSAGE = 0xFFFF  # bytes that a frame to the player holds
LONGEST_NUMBER = 4  # bytes of a variable-length quantity
DEFAULT_TEMPO = 500_000  # microseconds per quarter note, if a file does not set a tempo
SMPTE_RATES = {24: 24.0, 25: 25.0, 29: 30_000 / 1001, 30: 30.0}  # frames per second by the rate's name

SYSEX, END_OF_SYSEX, META = 0xF0, 0xF7, 0xFF
END_OF_TRACK, SET_TEMPO, KEY_SIGNATURE = 0x2F, 0x51, 0x59
END = bytes((META,))
PITCH_BEND = 0xE0
MOST_SHARPS = 7
STATUS = [bytes((byte,)) for byte in range(256)]
SEVEN_BITS = bytes(min(byte, 127) for byte in range(256))  # data that are too large, as the largest there is
# Status byte → data bytes that follow; what is not here is not defined.
DATA_BYTES = {
    **{kind | channel: 2 for kind in (0x80, 0x90, 0xA0, 0xB0, 0xE0) for channel in range(16)},
    **{kind | channel: 1 for kind in (0xC0, 0xD0) for channel in range(16)},
    **dict.fromkeys((0xF1, 0xF3), 1),
    0xF2: 2,
    **dict.fromkeys((0xF6, 0xF8, 0xFA, 0xFB, 0xFC, 0xFE), 0),
}


class Event(NamedTuple):
    """At a tick of a track: a message, a tempo (``META`` and three bytes), or the end of the track (``END``)."""

    tick: int
    track: int
    data: bytes


class Division(NamedTuple):
    """The length of a tick: a fraction of a quarter note, or else of a second."""

    ticks: float
    of_quarter: bool

    def seconds(self, tempo: int) -> float:
        """s per tick at a tempo in microseconds per quarter note."""
        return tempo / 1_000_000 / self.ticks if self.of_quarter else 1 / self.ticks


class MalformedError(Exception):
    """What is wrong with a file, as the end of a sentence."""


class MidiReader:
    """A file that was looked through once, so that what it holds can be played to its end.

    Args:
        path: a Standard MIDI File of type 0 or 1.

    Attributes:
        length: s, from the beginning to the end of the longest track.
        channels: those that are used (0–15), each with whether it bends.

    Raises:
        InputError: the file cannot be read, is not a MIDI file, or breaks off or goes wrong at some place.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._division, self._tracks = _chunks(read_bytes(path, "a .mid file", LARGEST_FILE))
            self.length, self.channels = self._look_through()
        except MalformedError as error:
            raise InputError(f"{path} is not a MIDI file that can be played: {error}") from None

    def messages(self) -> Iterator[TimedBytes]:
        """Every message but meta events, of all tracks in order."""
        return (TimedBytes(time, data) for time, data in self._timed() if data[0] != META)

    def _look_through(self) -> tuple[float, dict[int, bool]]:
        end, channels = 0.0, dict[int, bool]()
        for time, data in self._timed():
            end = time
            if data[0] < SYSEX:
                channel = data[0] & 0x0F
                channels[channel] = channels.get(channel, False) or data[0] & 0xF0 == PITCH_BEND
        return end, dict(sorted(channels.items()))

    def _timed(self) -> Iterator[tuple[float, bytes]]:
        """All events and their times in s: integer ticks since the last tempo, so rounding does not accumulate."""
        begun, first_tick, each = 0.0, 0, self._division.seconds(DEFAULT_TEMPO)
        for tick, _, data in heapq.merge(*(_Track(track).events(i) for i, track in enumerate(self._tracks))):
            now = begun + (tick - first_tick) * each
            if data[0] == META and len(data) > 1:
                begun, first_tick = now, tick
                each = self._division.seconds(int.from_bytes(data[1:], "big"))
            yield now, data


def _chunks(data: bytes) -> tuple[Division, list[bytes]]:
    """What the header says of ticks, and the tracks' bytes; chunks of other kinds are skipped, as the format asks.

    What follows the last track that the header counts belongs to something else.
    """
    if data[:4] != b"MThd" or len(data) < 14:
        raise MalformedError("it does not begin as one does (MThd)")
    size, kind, count = (int.from_bytes(data[place], "big") for place in (slice(4, 8), slice(8, 10), slice(10, 12)))
    if kind > 1:
        raise MalformedError(f"its type is {kind}, independent patterns; save it as type 0 or 1")
    if not 0 < count <= MOST_TRACKS:
        raise MalformedError(f"it has {count:,} tracks; {MOST_TRACKS:,} can be played")
    division, tracks, at = _division(data[12:14]), list[bytes](), 8 + max(size, 6)
    while len(tracks) < count:
        if at >= len(data):
            raise MalformedError(f"it breaks off after {len(tracks):,} of {count:,} tracks")
        size, start = int.from_bytes(data[at + 4 : at + 8], "big"), at + 8
        if start + size > len(data):
            raise MalformedError(f"it breaks off at byte {len(data)}, in a part that continues to {start + size}")
        if data[at : at + 4] == b"MTrk":
            tracks.append(data[start : start + size])
        at = start + size
    return division, tracks


def _division(field: bytes) -> Division:
    coarse, ticks = int.from_bytes(field[:1], "big", signed=True), field[1]
    if coarse >= 0:
        ticks_a_quarter = int.from_bytes(field, "big")
        if not ticks_a_quarter:
            raise MalformedError("its division is 0 ticks per quarter note, so that nothing in it has a time")
        return Division(ticks_a_quarter, of_quarter=True)
    if -coarse not in SMPTE_RATES or not ticks:
        raise MalformedError(
            f"its division is {ticks} ticks per frame at {-coarse} frames per second, not a valid rate"
        )
    return Division(SMPTE_RATES[-coarse] * ticks, of_quarter=False)


class _Track:
    """The bytes of one track, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._status = 0  # the running status: it stays in force until another one comes
        self._parts = b""  # of a system exclusive message that comes in several events

    def events(self, index: int) -> Iterator[Event]:
        """The events in order, with the track's number; the last one is its end.

        Raises:
            MalformedError: at the place where it goes wrong.
        """
        tick = 0
        try:
            while self._at < len(self._data):
                tick += self._number()
                message = self._message()
                if message == END:
                    break
                if message:
                    yield Event(tick, index, message)
        except IndexError:
            raise MalformedError(f"track {index + 1} ends in the middle of an event") from None
        except MalformedError as error:
            raise MalformedError(f"track {index + 1} has {error} before byte {self._at}") from None
        yield Event(tick, index, END)

    def _message(self) -> bytes:
        """The bytes of the next event; empty if it is not meant for a synth."""
        if self._data[self._at] >= 0x80:
            self._status = self._data[self._at]
            self._at += 1
        status = self._status
        if status >= SYSEX:
            self._status = 0
        if status == META:
            return self._meta()
        if status in (SYSEX, END_OF_SYSEX):
            return self._exclusive(status)
        if status not in DATA_BYTES:
            raise MalformedError(f"the unknown status {status:#x}" if status else "data without a status")
        return STATUS[status] + self._take(DATA_BYTES[status]).translate(SEVEN_BITS)

    def _meta(self) -> bytes:
        kind = self._take(1)[0]
        body = self._take(self._number())
        if kind == END_OF_TRACK:
            return END
        if kind == SET_TEMPO:
            if len(body) != 3 or not any(body):
                raise MalformedError("a tempo that is not valid")
            return END + body
        if kind == KEY_SIGNATURE:
            sharps = int.from_bytes(body[:1], "big", signed=True)
            if len(body) != 2 or abs(sharps) > MOST_SHARPS or body[1] > 1:
                raise MalformedError(f"the key signature {body[:2].hex(' ') or 'of no bytes'}, which is not a key,")
        return b""

    def _exclusive(self, status: int) -> bytes:
        """A complete message; bytes to be sent by themselves (an escape) are left out."""
        body = self._take(self._number())
        if status == END_OF_SYSEX and not self._parts:
            return b""
        self._parts = bytes((SYSEX,)) + body if status == SYSEX else self._parts + body
        if len(self._parts) > LONGEST_MESSAGE:
            raise MalformedError(f"a system exclusive message of {len(self._parts)} bytes, which cannot be sent,")
        if self._parts[-1] != END_OF_SYSEX:
            return b""
        inside = self._parts[1:-1].translate(SEVEN_BITS)
        self._parts = b""
        return STATUS[SYSEX] + inside + STATUS[END_OF_SYSEX]

    def _number(self) -> int:
        """A variable-length quantity."""
        byte = self._data[self._at]
        self._at += 1
        if byte < 0x80:  # nearly all of them
            return byte
        value = byte & 0x7F
        for _ in range(LONGEST_NUMBER - 1):
            byte = self._data[self._at]
            self._at += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise MalformedError("a number of more than four bytes")

    def _take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise IndexError
        self._at += size
        return part
