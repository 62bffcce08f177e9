"""Blocks of stereo samples → a sound file: normalised without clipping; WAV directly, the rest through libsndfile."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import spool as spooled
from gradmidi.files import whole_file
from gradmidi.files.destination import is_stream
from gradmidi.requirements import require

RATE = 44_100  # Hz
CHANNELS = 2
PEAK_LEVEL = 10 ** (-1 / 20)  # the loudest sample, −1 dB of full scale
CHUNK_FRAMES = 65_536
SOUNDFILE_FORMATS = (".flac", ".ogg", ".mp3")
FORMATS = (".wav", *SOUNDFILE_FORMATS)

Block = NDArray[np.float32]


class AudioReport(NamedTuple):
    """What was written: seconds, the engine that made the sound, and a line about what was missing, or ""."""

    seconds: float
    engine: str
    notice: str = ""


def check_format(path: Path) -> None:
    """Check the extension of a sound file; a device gets WAV.

    Raises:
        InputError: an extension not in :data:`FORMATS`.
    """
    if path.suffix.lower() not in FORMATS and not is_stream(path):
        raise InputError(f"{path}: sound is written as {', '.join(FORMATS)}, not as {path.suffix or 'a bare name'!r}")


def write_audio(path: Path, blocks: Iterable[Block]) -> float:
    """Write blocks (n, 2) float32 at 44.1 kHz, scaled so that the peak is −1 dB; returns the seconds written.

    The blocks wait in a temporary file until the peak is known, so memory stays flat. ``.wav`` is 16-bit.

    Raises:
        InputError: an unknown ending, or the file cannot be written.
        MissingPartError: soundfile is needed for this ending.
    """
    check_format(path)
    with whole_file(path) as file, spooled(path) as spool:
        frames, peak = _spool(blocks, spool)
        scaled = _scaled(spool, PEAK_LEVEL / peak if peak > 0 else 1.0)
        ending = path.suffix.lower()
        if ending in SOUNDFILE_FORMATS:
            _write_soundfile(file, ending[1:], scaled)
        else:
            _write_wav(file, scaled)
    return frames / RATE


def _spool(blocks: Iterable[Block], spool: BinaryIO) -> tuple[int, float]:
    frames, peak = 0, 0.0
    for block in blocks:
        frames += len(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        spool.write(np.ascontiguousarray(block, dtype=np.float32).tobytes())
    return frames, peak


def _scaled(spool: BinaryIO, gain: float) -> Iterator[Block]:
    spool.seek(0)
    while chunk := spool.read(CHUNK_FRAMES * CHANNELS * 4):
        yield np.frombuffer(chunk, dtype=np.float32).reshape(-1, CHANNELS) * np.float32(gain)


def _write_wav(file: BinaryIO, blocks: Iterable[Block]) -> None:
    with wave.open(file, "wb") as wav:
        wav.setnchannels(CHANNELS)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        for block in blocks:
            wav.writeframes(np.round(block * 32767).astype("<i2").tobytes())


def _write_soundfile(file: BinaryIO, kind: str, blocks: Iterable[Block]) -> None:
    soundfile = require("soundfile", "soundfile")
    try:
        # By file descriptor: when libsndfile writes through Python, errors are printed instead of raised.
        number = file.fileno()
        with soundfile.SoundFile(number, "w", RATE, CHANNELS, format=kind.upper(), closefd=False) as sound:
            for block in blocks:
                sound.write(block)
    except soundfile.LibsndfileError as error:
        # libsndfile does not say why; in practice the disk is full.
        raise OSError(f"libsndfile says {error}") from error
