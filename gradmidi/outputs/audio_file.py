"""Blocks of stereo samples → a sound file: WAV directly, the rest through libsndfile."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.files.destination import is_stream
from gradmidi.requirements import require

RATE = 44_100  # Hz
CHANNELS = 2
FULL_SCALE = 32_767  # of 16 bits
SOUNDFILE_FORMATS = (".flac", ".ogg", ".mp3")
FORMATS = (".wav", *SOUNDFILE_FORMATS)

Block = NDArray[np.float32]


class AudioReport(NamedTuple):
    """What was written.

    Attributes:
        seconds: of sound.
        engine: what made it.
        notice: lines about what was missing or had to be changed, or "".
        gain: dB that were added to what the engine plays, so that healthy notes have −20 LUFS.
        limited: seconds in which the limiter made something softer.
        reduction: dB that it took at most.
    """

    seconds: float
    engine: str
    notice: str = ""
    gain: float = 0.0
    limited: float = 0.0
    reduction: float = 0.0


def check_format(path: Path) -> None:
    """Check the extension of a sound file; a device gets WAV.

    Raises:
        InputError: an extension not in :data:`FORMATS`.
    """
    if path.suffix.lower() not in FORMATS and not is_stream(path):
        raise InputError(f"{path}: sound is written as {', '.join(FORMATS)}, not as {path.suffix or 'a bare name'!r}")


def write_audio(path: Path, blocks: Iterable[Block]) -> float:
    """Write blocks (n, 2) float32 at 44.1 kHz as they come; returns the seconds written.

    What lies beyond full scale is clipped; :mod:`gradmidi.outputs.levels` sees to it that nothing does. ``.wav`` is
    16-bit.

    Raises:
        InputError: an unknown ending, or the file cannot be written.
        MissingPartError: soundfile is needed for this ending.
    """
    check_format(path)
    with whole_file(path) as file:
        ending = path.suffix.lower()
        if ending in SOUNDFILE_FORMATS:
            return _write_soundfile(file, ending[1:], blocks) / RATE
        return _write_wav(file, blocks) / RATE


def _write_wav(file: BinaryIO, blocks: Iterable[Block]) -> int:
    """Write all blocks; returns how many frames they have."""
    frames = 0
    with wave.open(file, "wb") as wav:
        wav.setnchannels(CHANNELS)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        for block in blocks:
            frames += len(block)
            wav.writeframes(np.round(np.clip(block, -1, 1) * FULL_SCALE).astype("<i2").tobytes())
    return frames


def _write_soundfile(file: BinaryIO, kind: str, blocks: Iterable[Block]) -> int:
    """Write all blocks; returns how many frames they have."""
    soundfile = require("soundfile", "soundfile")
    frames = 0
    try:
        # By file descriptor: when libsndfile writes through Python, errors are printed instead of raised.
        number = file.fileno()
        with soundfile.SoundFile(number, "w", RATE, CHANNELS, format=kind.upper(), closefd=False) as sound:
            for block in blocks:
                frames += len(block)
                sound.write(block)
        return frames
    except soundfile.LibsndfileError as error:
        # libsndfile does not say why; in practice the disk is full.
        raise OSError(f"libsndfile says {error}") from error
