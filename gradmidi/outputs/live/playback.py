"""play: a finished score, or a MIDI file, through a live port."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from gradmidi.errors import InputError, MissingPartError
from gradmidi.outputs.live.messages import TimedBytes, clean_slate, setup_bytes, timed_bytes, tuning_bytes
from gradmidi.outputs.live.midi_reader import MidiReader
from gradmidi.outputs.live.opening import DEFAULT_MAX_RATE, open_transport, settle_time
from gradmidi.outputs.live.player.wire import END, KEEP, NOTE, pack
from gradmidi.outputs.live.report import LiveReport
from gradmidi.outputs.live.transport import Transport
from gradmidi.outputs.midi_events import MidiStream
from gradmidi.outputs.tuning import choose_tuning
from gradmidi.score import Score

AHEAD = 0.5  # s that the player is given in advance
LOOK_EVERY = 0.05  # s
SPEEDS = (0.01, 100.0)
LONGEST = 30 * 86_400.0  # s; a damaged file can last for centuries
HANDED_OVER = 1 << 14  # bytes of frames, after which we check whether the player accepts more
AFTER_SETUP = 0.02  # s

Progress = Callable[[float, float], None]


class Piece(NamedTuple):
    """What is played: the setup, the messages of one round, and its length in s."""

    setup: list[bytes]
    messages: Callable[[], Iterable[TimedBytes]]
    length: float


def play(
    music: Score | str | Path,
    port: str | Transport | None = None,
    *,
    loop: bool = False,
    speed: float = 1.0,
    progress: Progress | None = None,
    tuning: str = "auto",
    max_rate: float = DEFAULT_MAX_RATE,
    backend: str | None = None,
    soundfont: str | Path | None = None,
) -> LiveReport:
    """Play to the end, in real time; Ctrl-C ends every note before ``KeyboardInterrupt`` is raised again.

    Args:
        music: a score, or the path of a Standard MIDI File.
        port: as for :class:`LiveOutput`.
        loop: start again at the end, until interrupted.
        speed: 2 plays twice as fast.
        progress: called twenty times per second with the seconds played and the total seconds.
        tuning: for a score: ``auto``, ``12tet``, ``bend`` or ``mts``.
        max_rate: MIDI messages per second, as for :class:`LiveOutput`.
        backend: a MIDI system, library or both, as for :class:`LiveOutput`.
        soundfont: for the port ``"fluidsynth"``.

    Returns:
        Counts and lateness.

    Raises:
        InputError: a file that is missing or is not MIDI, a speed out of range, an unknown port.
        MissingPartError: no MIDI library, port or synthesiser; or the port was lost while playing.
    """
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise InputError(f"a speed of {speed:g} cannot be played; use {SPEEDS[0]:g} to {SPEEDS[1]:g}")
    piece = _of_score(music, tuning) if isinstance(music, Score) else _of_file(Path(music))
    if piece.length / speed > LONGEST:
        days = f"{piece.length / speed / 86_400:,.0f} days"
        what = "the score" if isinstance(music, Score) else music
        raise InputError(f"{what} would play for {days}; the limit is {LONGEST / 86_400:g}: choose a higher speed")
    link = open_transport(port, backend=backend, soundfont=soundfont, max_rate=max_rate)
    try:
        first = link.time.now() + settle_time(link)
        link.send(b"".join(pack(first + i / max_rate, KEEP, data) for i, data in enumerate(piece.setup)))
        start = first + len(piece.setup) / max_rate + AFTER_SETUP
        while True:
            _perform(link, piece, start, speed, progress)
            start += piece.length / speed
            if not loop or not piece.length:
                break
        link.send(pack(start, END))
        told = link.close(max(start - link.time.now(), 0.0))
    except BaseException:
        link.hush()
        link.close(0.0)
        raise
    if link.failure:
        raise _lost(link)
    return LiveReport(port=link.port, system=link.system, realtime=link.realtime, **told)


def _perform(link: Transport, piece: Piece, start: float, speed: float, progress: Progress | None) -> None:
    """Hand one round over, half a second ahead of the music, and return when all of it is handed over."""
    end, waiting = start + piece.length / speed, iter(piece.messages())
    message = next(waiting, None)
    while True:
        now, frames = link.time.now(), bytearray()
        while message and len(frames) < HANDED_OVER and (due := start + message.time / speed) <= now + AHEAD:
            frames += pack(due, NOTE, message.data)
            message = next(waiting, None)
        behind = len(frames) >= HANDED_OVER
        while not link.send(bytes(frames)):
            if link.failure:
                raise _lost(link)
            link.time.sleep(LOOK_EVERY)  # too many messages at one time for the player's buffer
            behind = True
        if not link.ready() and link.failure:
            raise _lost(link)
        if progress:
            progress(min(max(now - start, 0.0) * speed, piece.length), piece.length)
        if not message and now + AHEAD >= end:
            return
        if not behind:
            link.time.sleep(LOOK_EVERY)


def _of_score(score: Score, tuning: str) -> Piece:
    pitched = score.frequency[score.pitched]
    chosen = choose_tuning(tuning, pitched)
    stream = MidiStream(chosen)

    def one_round() -> list[TimedBytes]:
        # By time, as what is held may end before the last note.
        return timed_bytes(sorted([*stream.events(score), *stream.end()], key=lambda event: event.time))

    return Piece(list(setup_bytes(score.voices, chosen)), one_round, score.length)


def _of_file(path: Path) -> Piece:
    """A file brings its own programs and controllers; its channels are only reset to standard tuning."""
    file = MidiReader(path)
    setup = [
        data
        for channel, bends in file.channels.items()
        for data in (*clean_slate(channel), *tuning_bytes(channel, "bend" if bends else "12tet"))
    ]
    return Piece(setup, file.messages, file.length)


def _lost(link: Transport) -> MissingPartError:
    return MissingPartError(f"the MIDI port {link.port} was lost: {link.failure}; see: gradmidi ports")
