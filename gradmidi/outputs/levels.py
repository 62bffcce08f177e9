"""How loud a piece becomes: healthy notes of its voices have −20 LUFS, nothing exceeds −1 dB, silence stays silence."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gradmidi.files import spool as spooled
from gradmidi.outputs.audio_file import CHANNELS, RATE, AudioReport, Block, write_audio
from gradmidi.outputs.limiter import CEILING, Limiter
from gradmidi.outputs.loudness import LoudnessMeter
from gradmidi.outputs.reference_phrase import reference_phrase
from gradmidi.score import Score

TARGET = -20.0  # LUFS, integrated
TOLD = 3.0  # dB; if the limiter takes more, that is said
CHUNK_FRAMES = 65_536

Play = Callable[[Score], Generator[Block, None, None]]


def reference_gain(score: Score, play: Play) -> float | None:
    """dB that bring the score's reference phrase, as ``play`` renders it, to :data:`TARGET`.

    Returns:
        None if there is no phrase (see :func:`gradmidi.outputs.reference_phrase.reference_phrase`), or it is silent.
    """
    phrase = reference_phrase(score)
    if phrase is None:
        return None
    # The first step has nothing before it that still sounds, and after the last one nothing follows.
    skip, rest = round(phrase.step_length * RATE), round(phrase.length * RATE)
    meter = LoudnessMeter()
    with closing(play(phrase)) as blocks:
        for block in blocks:
            meter.feed(block[skip:rest])
            skip, rest = max(skip - len(block), 0), rest - len(block)
            if rest <= 0:
                break
    return _gain(meter)


def write_levelled(path: Path, blocks: Iterable[Block], gain: float | None, engine: str) -> AudioReport:
    """Write blocks (n, 2) float32, louder by ``gain`` dB and limited.

    Args:
        path: the file, see :func:`gradmidi.outputs.audio_file.write_audio`.
        blocks: the sound.
        gain: dB; None brings the integrated loudness of the whole to :data:`TARGET`. The blocks then wait in a
            temporary file until they are all known.
        engine: what made the sound.
    """
    level = _Level(gain)
    seconds = write_audio(path, level.through(blocks, path))
    limiter = level.limiter
    return AudioReport(seconds, engine, _notice(limiter), level.gain or 0.0, limiter.seconds, limiter.most)


class _Level:
    """Makes sound louder by ``gain`` dB, which is found if it is None, and limits it."""

    def __init__(self, gain: float | None) -> None:
        self.gain, self.limiter = gain, Limiter()

    def through(self, blocks: Iterable[Block], path: Path) -> Iterator[Block]:
        if self.gain is not None:
            yield from self._louder(blocks, self.gain)
            return
        with spooled(path) as spool:
            meter = LoudnessMeter()
            for block in blocks:
                meter.feed(block)
                spool.write(np.ascontiguousarray(block, dtype=np.float32).tobytes())
            self.gain = _gain(meter) or 0.0
            spool.seek(0)
            yield from self._louder(_spooled_blocks(spool), self.gain)

    def _louder(self, blocks: Iterable[Block], gain: float) -> Iterator[Block]:
        factor = np.float32(10 ** (gain / 20))
        return self.limiter.through(block * factor for block in blocks)


def _spooled_blocks(spool: BinaryIO) -> Iterator[Block]:
    while chunk := spool.read(CHUNK_FRAMES * CHANNELS * 4):
        yield np.frombuffer(chunk, dtype=np.float32).reshape(-1, CHANNELS)


def _gain(meter: LoudnessMeter) -> float | None:
    """dB from what was measured to :data:`TARGET`; None for silence."""
    loudness = meter.integrated()
    return TARGET - loudness if np.isfinite(loudness) else None


def _notice(limiter: Limiter) -> str:
    if limiter.most <= TOLD:
        return ""
    lowered = f"{limiter.seconds:.1f} s of it, by up to {limiter.most:.1f} dB"
    return f"the limiter lowered {lowered}, to keep the true peak at {CEILING:g} dB"
