"""The head of a WAV file, for sounds whose length is known before the first sample is written."""

from __future__ import annotations

import struct

IEEE_FLOAT = 3
INTEGER_PCM = 1
LARGEST_RIFF = 2**32 - 1


def float_wav_head(frames: int, rate: int, channels: int = 1) -> bytes:
    """RIFF head of 32-bit IEEE float samples; beyond 4 GiB the RF64 form of EBU Tech 3306."""
    align = 4 * channels
    size = frames * align
    fmt = struct.pack("<4sIHHIIHHH", b"fmt ", 18, IEEE_FLOAT, channels, rate, rate * align, align, 32, 0)
    fact = struct.pack("<4sII", b"fact", 4, min(frames, LARGEST_RIFF))
    inner = b"WAVE" + fmt + fact
    riff = len(inner) + 8 + size
    if riff <= LARGEST_RIFF:
        return struct.pack("<4sI", b"RIFF", riff) + inner + struct.pack("<4sI", b"data", size)
    large = struct.pack("<4sIQQQI", b"ds64", 28, riff + 36, size, frames, 0)
    head = struct.pack("<4sI", b"RF64", LARGEST_RIFF) + b"WAVE" + large + fmt + fact
    return head + struct.pack("<4sI", b"data", LARGEST_RIFF)


def integer_wav_head(frames: int, rate: int, width: int, channels: int = 1) -> bytes:
    """The 44 bytes that Python's ``wave`` module writes before ``frames`` samples of ``width`` bytes.

    Raises:
        ValueError: more than a RIFF file can count (4 GiB).
    """
    align = width * channels
    size = frames * align
    if size + 36 > LARGEST_RIFF:
        raise ValueError("more than 4 GiB of samples")
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, INTEGER_PCM, channels, rate, rate * align, align, 8 * width)
    return struct.pack("<4sI", b"RIFF", 36 + size) + b"WAVE" + fmt + struct.pack("<4sI", b"data", size)
