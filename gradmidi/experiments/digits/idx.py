"""The IDX format of the MNIST distribution: magic, sizes as big-endian uint32, then the bytes; gzip or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError

UINT8 = 8  # the format's number for bytes
# Bytes that a packed file may claim to hold: MNIST's images are five times as large unpacked, a bomb a thousand times.
UNPACKED, TIMES_PACKED = 40_000_000, 15


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of bytes in ``path``, of so many ``dimensions``; gzip by the ending ``.gz``.

    Memory is taken for what the file can hold, whatever it claims.

    Raises:
        InputError: it cannot be read, is not such a file, or holds more or fewer bytes than its head says.
    """
    try:
        with _opened(path) as file:
            shape = _shape(file.read(4 + 4 * dimensions), dimensions)
            count, most = math.prod(shape), _most(path)
            if count > most:
                raise ValueError(f"its head claims {count:,} bytes, more than a file of this size holds")
            found = np.empty(count, dtype=np.uint8)
            read = _fill(file, found.data)
            if read < count or file.read(1):  # at the end gzip looks at its checksum
                raise ValueError(f"it holds {'fewer' if read < count else 'more'} than the {count:,} bytes of its head")
            return found.reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise InputError(f"cannot read {path}: {reason}; fetch it again, or move it away") from None


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _most(path: Path) -> int:
    size = path.stat().st_size
    return UNPACKED + TIMES_PACKED * size if path.suffix == ".gz" else size


def _shape(head: bytes, dimensions: int) -> tuple[int, ...]:
    zero, kind, count = struct.unpack(">HBB", head[:4])
    if zero != 0 or kind != UINT8:
        raise ValueError("its first bytes are not those of an IDX file of bytes")
    if count != dimensions:
        raise ValueError(f"it has {count} dimensions instead of {dimensions}")
    return struct.unpack(f">{dimensions}I", head[4:])


def _fill(file: BinaryIO, place: memoryview) -> int:
    """Read until ``place`` is full or the file ends; returns how many bytes that were."""
    at = 0
    while at < len(place) and (read := file.readinto(place[at:])):  # type: ignore[attr-defined]
        at += read
    return at
