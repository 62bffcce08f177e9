"""MNIST's IDX files, packed or not: magic numbers, claimed sizes, labels that are none, gzip that unpacks to much."""

from __future__ import annotations

import gzip
import struct
import zlib
from functools import cache
from random import Random

from tests.fuzz.mutators.raw import cut, cut_last, flip

SIZES = (0, 1, 9, 27, 28, 60_000, 2**31 - 1, 2**31, 2**32 - 1)
BOMB = 200_000_000
LARGE = 100_000


def idx(data: bytes, rng: Random) -> bytes:
    """One change inside, packed again if it was; or the gzip itself."""
    if len(data) > LARGE:  # a bomb already
        return data
    packed = data[:2] == b"\x1f\x8b"
    if packed and rng.random() < 0.4:
        return rng.choice((_flip_end, _flip_end, cut, cut_last, _two_members, _two_members, _gzip_bomb, _claimed_bomb))(
            data, rng
        )
    try:
        inner = _inside(gzip.decompress(data) if packed else data, rng)
    except (OSError, EOFError, zlib.error):
        return flip(data, rng)
    return gzip.compress(inner, 1) if packed else inner


def _inside(data: bytes, rng: Random) -> bytes:
    dimensions = data[3] if len(data) > 3 else 0
    match rng.randrange(7):
        case 0:
            return (
                struct.pack(">HBB", rng.choice((0, 0, 1)), rng.choice((8, 9, 0x0B, 0x0D, 0x0E, 0)), rng.randrange(256))
                + data[4:]
            )
        case 1 | 2 if dimensions:
            at = 4 + 4 * rng.randrange(dimensions)
            return data[:at] + struct.pack(">I", rng.choice(SIZES)) + data[at + 4 :]
        case 3:
            return data + b"\0" * rng.choice((1, 784))
        case 4:
            return data[: 4 + 4 * dimensions] + bytes(
                rng.choice((rng.randrange(256), 10, 255)) for _ in data[4 + 4 * dimensions :]
            )
        case 5:
            count = rng.choice((0, 1, 2))
            if dimensions == 3:
                return struct.pack(">HBB3I", 0, 8, 3, count, 28, 28) + data[16 : 16 + 784 * count]
            return struct.pack(">HBBI", 0, 8, 1, count) + data[8 : 8 + count]
        case _:
            return rng.choice((cut, cut_last, flip))(data, rng)


def _flip_end(data: bytes, rng: Random) -> bytes:
    """Checksum or length of what was packed."""
    return data[:-8] + flip(data[-8:], rng)


def _two_members(data: bytes, rng: Random) -> bytes:
    return data + rng.choice((data, b"\0" * 20, b"junk"))


def _gzip_bomb(data: bytes, rng: Random) -> bytes:
    """The file, then zeros without end."""
    return data + _zeros(b"")


def _claimed_bomb(data: bytes, rng: Random) -> bytes:
    """Zeros that are as many as the head claims."""
    count = BOMB // 784 if rng.random() < 0.7 else BOMB
    if count == BOMB:
        return _zeros(struct.pack(">HBBI", 0, 8, 1, count))
    return _zeros(struct.pack(">HBB3I", 0, 8, 3, count, 28, 28))


@cache
def _zeros(begin: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    zeros = bytes(1_000_000)
    return b"".join(
        [packer.compress(begin), *(packer.compress(zeros) for _ in range(BOMB // len(zeros))), packer.flush()]
    )
