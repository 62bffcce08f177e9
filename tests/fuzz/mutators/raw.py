"""Bytes of any format, torn apart without knowing what they mean."""

from __future__ import annotations

from random import Random

LARGE = 300_000  # bytes: far above any buffer, and still quick to write


def flip(data: bytes, rng: Random) -> bytes:
    """A few bytes are others."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def cut(data: bytes, rng: Random) -> bytes:
    """The end is missing."""
    return data[: rng.randrange(len(data) + 1)]


def cut_last(data: bytes, rng: Random) -> bytes:
    """The last few bytes are missing, as after a crash."""
    return data[: -rng.randrange(1, 9)]


def behead(data: bytes, rng: Random) -> bytes:
    return data[rng.randrange(len(data) + 1) :]


def drop(data: bytes, rng: Random) -> bytes:
    begin, end = _slice(data, rng)
    return data[:begin] + data[end:]


def repeat(data: bytes, rng: Random) -> bytes:
    begin, end = _slice(data, rng)
    return data[:end] + data[begin:end] * rng.choice((1, 1, 3, 50)) + data[end:]


def swap(data: bytes, rng: Random) -> bytes:
    (a, b), (c, d) = sorted((_slice(data, rng), _slice(data, rng)))
    c, d = max(b, c), max(b, d)
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def blank(data: bytes, rng: Random) -> bytes:
    """A stretch of zeros or of ones, as a disk leaves it."""
    begin, end = _slice(data, rng)
    return data[:begin] + rng.choice((b"\0", b"\xff")) * (end - begin) + data[end:]


def noise(data: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.choice((1, 4, 64))) + data[place:]


def append(data: bytes, rng: Random) -> bytes:
    return data + rng.choice((b"\0" * 512, rng.randbytes(64), data, b"\n" * 99))


def padded(data: bytes, rng: Random) -> bytes:
    return data + rng.choice((b"\0", b" ", b"\n", b"9", b"\xff")) * LARGE


def nothing(data: bytes, rng: Random) -> bytes:
    return rng.choice((b"", b"\0", b"\n", b" ", b"\xef\xbb\xbf"))


def foreign(data: bytes, rng: Random) -> bytes:
    """Another kind of file under this name."""
    return rng.choice(
        (
            b"PK\x03\x04" + rng.randbytes(60),
            b"\x1f\x8b\x08\x00" + rng.randbytes(60),
            b"\x89PNG\r\n\x1a\n" + rng.randbytes(60),
            b"MThd\0\0\0\x06\0\1\0\1\1\xe0",
            b"RIFF\x24\0\0\0WAVEfmt ",
            b"<!DOCTYPE html><html><body>404</body></html>\n",
            b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
            rng.randbytes(2000),
        )
    )


RAW = (flip, flip, cut, cut_last, behead, drop, repeat, swap, blank, noise, append, padded, nothing, foreign)


def _slice(data: bytes, rng: Random) -> tuple[int, int]:
    begin = rng.randrange(len(data) + 1)
    return begin, min(len(data), begin + rng.choice((1, 2, 4, 30, 400)))
