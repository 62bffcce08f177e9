"""A file of sound or MIDI → the loudspeakers, through a program of the system; one that can be stopped at any time."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

from gradmidi.errors import InputError
from gradmidi.outputs.audio_file import CHANNELS, RATE

SILENCE = 0.2  # s, to find out whether a program can play
PATIENCE = 10.0  # s for that
WAV, MID, SOUNDFONT = "{wav}", "{mid}", "{soundfont}"
# Programs that play a file and then end, in the order in which they are tried; the last plays the notes themselves.
PROGRAMS = (
    ("pw-play", WAV),
    ("paplay", WAV),
    ("aplay", "-q", WAV),
    ("afplay", WAV),
    ("powershell", "-NoProfile", "-Command", "(New-Object Media.SoundPlayer '{wav}').PlaySync()"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error", WAV),
    ("play", "-q", WAV),
    ("mpv", "--no-video", "--really-quiet", WAV),
    ("fluidsynth", "-i", "-q", SOUNDFONT, MID),
)


class SoundPlayer:
    """Plays one file at a time.

    Args:
        words: the program and its arguments; ``{wav}`` or ``{mid}`` stands for the file, ``{soundfont}`` for the
            SoundFont. Without either of the first two the file is the last argument.
        soundfont: as for :func:`gradmidi.outputs.soundfont_choice.find_soundfont`.

    Attributes:
        name: of the program, for people to read.
        ending: of the files that it plays, ``.wav`` or ``.mid``.

    Raises:
        InputError: the program is not there.
    """

    def __init__(self, words: Sequence[str], soundfont: str | Path | None = None) -> None:
        if not words or shutil.which(words[0]) is None:
            raise InputError(f"there is no program {words[0] if words else ''!r} to play sound with; check --player")
        self.name = Path(words[0]).stem
        self.ending = ".mid" if any(MID in word for word in words) else ".wav"
        self._words = list(words) if any(mark in word for word in words for mark in (WAV, MID)) else [*words, WAV]
        self._soundfont = soundfont
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, path: Path) -> None:
        """Begin to play a file; one that still plays is stopped."""
        self.stop()
        words = [_filled(word, path, self._soundfont) for word in self._words]
        # The program must not read the answers that are typed meanwhile, nor write between the questions.
        quiet = subprocess.DEVNULL
        self._child = subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet)

    @property
    def is_playing(self) -> bool:
        """Whether the file that was begun is not over."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """Fall silent."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def can_play(self) -> bool:
        """Whether the program plays a moment of silence to its end; it cannot where there is no sound device."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"silence{self.ending}"
            (_silent_wav if self.ending == ".wav" else _silent_mid)(path)
            self.start(path)
            assert self._child is not None
            try:
                return self._child.wait(timeout=PATIENCE) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                self.stop()


def given_player(command: str, soundfont: str | Path | None = None) -> SoundPlayer:
    """The player that a command line names.

    Raises:
        InputError: it cannot be understood, or the program is not there.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--player {command!r}: {error}") from None
    return SoundPlayer(words, soundfont)


def find_player(soundfont: str | Path | None = None) -> SoundPlayer | None:
    """The first program of :data:`PROGRAMS` that is there and can play here; None without one."""
    for words in PROGRAMS:
        if shutil.which(words[0]) is not None:
            try:
                player = SoundPlayer(words, soundfont)
                if player.can_play():
                    return player
            except OSError:
                continue
    return None


def _filled(word: str, path: Path, soundfont: str | Path | None = None) -> str:
    if SOUNDFONT in word:
        return word.replace(SOUNDFONT, _soundfont(soundfont))
    quoted = str(path).replace("'", "''")  # as PowerShell writes an apostrophe between apostrophes
    return word.replace("'{wav}'", f"'{quoted}'").replace(WAV, str(path)).replace(MID, str(path))


def _soundfont(soundfont: str | Path | None) -> str:
    from gradmidi.outputs.soundfont_choice import find_soundfont

    return str(find_soundfont(soundfont))


def _silent_wav(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(CHANNELS)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(2 * CHANNELS * round(SILENCE * RATE)))


def _silent_mid(path: Path) -> None:
    import mido

    beat = mido.MetaMessage("end_of_track", time=round(SILENCE * 960))  # ticks at the 120 BPM of a file without tempo
    mido.MidiFile(tracks=[mido.MidiTrack([beat])]).save(str(path))
