"""What a SoundFont demands of FluidSynth, computed from its tables before FluidSynth reads it.

FluidSynth refuses invalid indices, but accepts any number of entries. It multiplies each zone of a preset by
the zones of its instrument, and a minute of silence packs into six kilobytes: a file of 50 KB can ask for gigabytes,
and for minutes in C, where Ctrl-C has no effect. Source: SoundFont Technical Specification 2.04; the packed samples of
.sf3 files are Ogg Vorbis.
"""

from __future__ import annotations

import mmap
import struct
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError

HEADER = 12  # bytes: RIFF or LIST, a size, and the kind
LISTS = (b"INFO", b"sdta", b"pdta")
# The tables in their order, and the bytes of a row. The last row of each only says where the row before it ends.
ROW_BYTES = {"phdr": 38, "pbag": 4, "pmod": 10, "pgen": 4, "inst": 22, "ibag": 4, "imod": 10, "igen": 4, "shdr": 46}
INSTRUMENT, SAMPLE = 41, 53  # generators: what a preset's zone plays, and what an instrument's zone plays
PACKED = 0x10  # flag of a sample's type
PAGE, PAGE_HEAD = b"OggS", struct.Struct("<4sBBqI")  # version, type, number of the last frame, stream
SEGMENTS = 26  # byte of a page that counts its segments, whose lengths follow

# What FluidSynth 2.3 takes, measured: bytes of a zone, of a zone of a preset with one of its instrument, of a frame.
ZONE_BYTES, PAIR_BYTES, FRAME_BYTES = 1_700, 100, 2
MOST_BYTES, MOST_TIMES = 60_000_000, 15  # a constant, plus this many times the size of the file
# Each of these takes it about two seconds; real fonts come nowhere near.
MOST_PAIRS, MOST_LIST_STEPS, MOST_COMPARISONS, MOST_PAGES = 400_000, 500_000_000, 1_000_000_000, 400_000
TOO_MUCH = "reading it would take FluidSynth"

Table = NDArray[np.uint8]  # (rows, bytes of a row)


class Parts(NamedTuple):
    """The tables by name, and where the samples' data begin and end in the file."""

    tables: dict[str, Table]
    start: int
    end: int


class DamagedError(Exception):
    """What is wrong with a file, as the end of a sentence."""


def check_soundfont(path: Path) -> None:
    """Refuse a SoundFont that is damaged, or that would take FluidSynth excessive memory or time.

    Raises:
        InputError: names the file and what is wrong with it.
    """
    try:
        with path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as data:
            parts = _parts(data)
            _check_time(parts.tables)
            _check_memory(parts, data)
    except DamagedError as error:
        raise InputError(f"the SoundFont {path} cannot be used: {error}; give another one") from None
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise InputError(f"cannot read the SoundFont {path}: {error}; give another one") from None


def _parts(data: mmap.mmap) -> Parts:
    if data[:4] != b"RIFF" or data[8:HEADER] != b"sfbk":
        raise DamagedError("it does not begin as one does (RIFF, sfbk)")
    at, lists = HEADER, []
    for kind in LISTS:
        start, end = _chunk(data, at, len(data), b"LIST")
        if data[start : start + 4] != kind:
            raise DamagedError(f"its part {kind.decode()} is not where it should be")
        lists.append((start + 4, end))
        at = end + end % 2
    (_, (samples, samples_end), (at, end)) = lists
    tables = {}
    for name, size in ROW_BYTES.items():
        start, at = _chunk(data, at, end, name.encode())
        if at == start or (at - start) % size:
            raise DamagedError(f"its table {name} has {at - start} bytes, which is not a number of rows")
        tables[name] = np.frombuffer(data[start:at], np.uint8).reshape(-1, size)
    return Parts(tables, *(_chunk(data, samples, samples_end, b"smpl") if samples < samples_end else (0, 0)))


def _chunk(data: mmap.mmap, at: int, limit: int, name: bytes) -> tuple[int, int]:
    """Where the contents of the chunk at ``at`` begin and end."""
    if data[at : at + 4] != name:
        raise DamagedError(f"its part {name.decode()} is not where it should be")
    start = at + 8
    end = start + int.from_bytes(data[at + 4 : start], "little")
    if end > limit:
        raise DamagedError(
            f"its part {name.decode()} says that it ends at byte {end:,}, which is beyond byte {limit:,}"
        )
    return start, end


def _check_time(tables: dict[str, Table]) -> None:
    steps = sum(
        int(_played(tables, *place).sum()) for place in (("pgen", INSTRUMENT, "inst"), ("igen", SAMPLE, "shdr"))
    )
    # Each zone's modulators are compared with each other.
    comparisons = sum(int((_counts(tables[name], 2) ** 2).sum()) for name in ("pbag", "ibag"))
    if steps > MOST_LIST_STEPS or comparisons > MOST_COMPARISONS:
        raise DamagedError(f"{TOO_MUCH} minutes")


def _check_memory(parts: Parts, data: mmap.mmap) -> None:
    zones = len(parts.tables["pbag"]) + len(parts.tables["ibag"])
    zones_of = np.append(_counts(parts.tables["inst"], 20), 0)
    pairs = int(zones_of[_played(parts.tables, "pgen", INSTRUMENT, "inst")].sum())
    needed = ZONE_BYTES * zones + PAIR_BYTES * pairs + FRAME_BYTES * _packed_frames(parts, data)
    if pairs > MOST_PAIRS or needed > MOST_BYTES + MOST_TIMES * len(data):
        raise DamagedError(f"{TOO_MUCH} {needed / 1e6:,.0f} MB for a file of {len(data) / 1e6:,.1f} MB")


def _played(tables: dict[str, Table], generators: str, kind: int, target: str) -> NDArray[np.int64]:
    """The rows of ``target`` that generators of a kind name; what is beyond them is as far as the last."""
    numbers = _numbers(tables[generators], 2)[_numbers(tables[generators], 0) == kind]
    return np.asarray(np.minimum(numbers, len(tables[target]) - 1), dtype=np.int64)


def _counts(table: Table, column: int) -> NDArray[np.int64]:
    """How many rows of another table belong to each row, by the column that says at which they begin."""
    return np.asarray(np.maximum(np.diff(_numbers(table, column)), 0), dtype=np.int64)


def _numbers(table: Table, column: int, size: int = 2) -> NDArray[np.int64]:
    """(rows,) the unsigned integers of ``size`` bytes in a column."""
    column_bytes = np.ascontiguousarray(table[:, column : column + size])
    return np.asarray(column_bytes.view(f"<u{size}").ravel(), dtype=np.int64)


def _packed_frames(parts: Parts, data: mmap.mmap) -> int:
    """Frames that the packed samples unpack to: each stretch of data once, as FluidSynth keeps it."""
    samples = parts.tables["shdr"]
    packed = samples[_numbers(samples, 44) & PACKED != 0]
    places = set(zip(_numbers(packed, 20, 4).tolist(), _numbers(packed, 24, 4).tolist(), strict=True))
    frames, pages = 0, 0
    for start, end in places:
        streams: dict[int, int] = {}
        at, end = parts.start + start, min(parts.start + end, parts.end)
        if at < end and data[at : at + 4] != PAGE:
            raise DamagedError("it has packed samples that are not Ogg Vorbis")
        while -1 < at < end - SEGMENTS:
            _, _, _, last, stream = PAGE_HEAD.unpack_from(data, at)
            streams[stream] = max(streams.get(stream, 0), last)
            body = at + SEGMENTS + 1 + data[at + SEGMENTS]
            at = data.find(PAGE, body + sum(data[at + SEGMENTS + 1 : body]), end)
            pages += 1
            if pages > MOST_PAGES:
                raise DamagedError(f"{TOO_MUCH} minutes")
        frames += sum(streams.values())
    return frames
