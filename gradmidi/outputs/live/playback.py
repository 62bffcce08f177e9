"""play: a finished score, or a MIDI file, through a live port."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import mido

from gradmidi.errors import InputError, MissingPartError
from gradmidi.outputs.live.link import Link
from gradmidi.outputs.live.messages import TimedBytes, clean_slate, setup_bytes, timed_bytes
from gradmidi.outputs.live.opening import DEFAULT_MAX_RATE, open_link, settle_time
from gradmidi.outputs.live.report import LiveReport
from gradmidi.outputs.live.wire import END, KEEP, NOTE, pack
from gradmidi.outputs.midi_events import MidiStream
from gradmidi.outputs.tuning import choose_tuning
from gradmidi.score import Score

AHEAD = 0.5  # s that the player is given in advance
LOOK_EVERY = 0.05  # s
SPEEDS = (0.01, 100.0)
AFTER_SETUP = 0.02  # s

Progress = Callable[[float, float], None]


class Piece(NamedTuple):
    """What is played: the set-up, the messages of one round, and its length in s."""

    setup: list[bytes]
    messages: Callable[[], list[TimedBytes]]
    length: float


def play(
    music: Score | str | Path,
    port: str | None = None,
    *,
    loop: bool = False,
    speed: float = 1.0,
    progress: Progress | None = None,
    tuning: str = "auto",
    max_rate: float = DEFAULT_MAX_RATE,
    backend: str | None = None,
    soundfont: str | Path | None = None,
) -> LiveReport:
    """Play to the end, in real time; Ctrl-C ends every note before it goes on as ``KeyboardInterrupt``.

    Args:
        music: a score, or the path of a Standard MIDI File.
        port: as for :class:`LiveOutput`.
        loop: begin again at the end, until interrupted.
        speed: 2 plays twice as fast.
        progress: told twenty times a second the s that were played and the s that there are.
        tuning: of a score: ``auto``, ``12tet``, ``bend`` or ``mts``.
        max_rate, backend, soundfont: as for :class:`LiveOutput`.

    Returns:
        Counts and lateness.

    Raises:
        InputError: a file that is missing or is not MIDI, a speed out of range, an unknown port.
        MissingPartError: no MIDI library, port or synthesiser; or the port has gone in mid-play.
    """
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise InputError(f"a speed of {speed:g} cannot be played; take {SPEEDS[0]:g} to {SPEEDS[1]:g}")
    piece = _of_score(music, tuning) if isinstance(music, Score) else _of_file(Path(music))
    link = open_link(port, backend=backend, soundfont=soundfont, max_rate=max_rate)
    try:
        first = time.perf_counter() + settle_time(link)
        link.send(b"".join(pack(first + i / max_rate, KEEP, data) for i, data in enumerate(piece.setup)))
        start = first + len(piece.setup) / max_rate + AFTER_SETUP
        while True:
            _perform(link, piece, start, speed, progress)
            start += piece.length / speed
            if not loop or not piece.length:
                break
        link.send(pack(start, END))
        told = link.close(max(start - time.perf_counter(), 0.0))
    except BaseException:
        link.hush()
        link.close(0.0)
        raise
    if link.failure:
        raise _lost(link)
    return LiveReport(port=link.port, system=link.system, realtime=link.realtime, **told)


def _perform(link: Link, piece: Piece, start: float, speed: float, progress: Progress | None) -> None:
    """Hand one round over, half a second ahead of the music, and return when all of it is handed over."""
    messages, at, end = piece.messages(), 0, start + piece.length / speed
    while True:
        now = time.perf_counter()
        frames = []
        while at < len(messages) and (due := start + messages[at].time / speed) <= now + AHEAD:
            frames.append(pack(due, NOTE, messages[at].data))
            at += 1
        if not link.send(b"".join(frames)) or (not link.ready() and link.failure):
            raise _lost(link)
        if progress:
            progress(min(max(now - start, 0.0) * speed, piece.length), piece.length)
        if at == len(messages) and now + AHEAD >= end:
            return
        time.sleep(LOOK_EVERY)


def _of_score(score: Score, tuning: str) -> Piece:
    pitched = score.frequency[[not score.voices[i].percussion for i in score.layer]]
    chosen = choose_tuning(tuning, pitched)
    stream = MidiStream(chosen)

    def one_round() -> list[TimedBytes]:
        return timed_bytes([*stream.events(score), *stream.end()])

    return Piece(list(setup_bytes(score.voices, chosen)), one_round, score.length)


def _of_file(path: Path) -> Piece:
    """A file brings its own programs and controllers; the channels only get a clean slate."""
    try:
        file = mido.MidiFile(str(path), clip=True)
        messages, length = list(_timed(file)), file.length
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; give a .mid file") from None
    except (EOFError, ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(f"{path} is not a MIDI file that can be played: {error or type(error).__name__}") from None
    used = sorted({message.data[0] & 0x0F for message in messages if message.data[0] < 0xF0})
    setup = [data for channel in used for data in clean_slate(channel)]
    return Piece(setup, lambda: messages, length)


def _timed(file: mido.MidiFile) -> Iterator[TimedBytes]:
    """The messages of all tracks in order; the file's tempo changes are in their times."""
    now = 0.0
    for message in file:
        now += message.time
        if not message.is_meta:
            yield TimedBytes(now, bytes(message.bytes()))


def _lost(link: Link) -> MissingPartError:
    return MissingPartError(f"the MIDI port {link.port} was lost: {link.failure}; see: gradmidi ports")
