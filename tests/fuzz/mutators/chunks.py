"""Formats of chunks in chunks: Standard MIDI Files, and SoundFonts, which are RIFF."""

from __future__ import annotations

import struct
from random import Random

from tests.fuzz.mutators.raw import cut, drop, flip, noise, repeat

Chunk = tuple[bytes, int, bytes]  # name, claimed length, content
LENGTHS = (0, 1, 3, 2**16, 2**31 - 1, 2**32 - 1)

META = (  # events of a track, after their delta time, that readers trip over
    *(
        b"\xff\x51\x03\0\0\0",
        b"\xff\x51\x03\xff\xff\xff",
        b"\xff\x51\x02\x07\xa1",
        b"\xff\x51\x00",
        b"\xff\x51\x04\0\x07\xa1\0",
    ),
    *(
        b"\xff\x59\x02\x80\0",
        b"\xff\x59\x02\0\x05",
        b"\xff\x59\x01\0",
        b"\xff\x58\x04\0\0\0\0",
        b"\xff\x58\x04\x04\xff\x18\x08",
    ),
    *(
        b"\xff\x58\x01\x04",
        b"\xff\x54\x05\xff\xff\xff\xff\xff",
        b"\xff\x54\x01\0",
        b"\xff\x00\x01\0",
        b"\xff\x00\x02\xff\xff",
    ),
    *(
        b"\xff\x20\x01\xff",
        b"\xff\x21\x00",
        b"\xff\x03\x05\xff\xfe\xe9\x00\x1b",
        b"\xff\x03\x8f\xff\xff\xff\x7f",
        b"\xff\x7f\x00",
    ),
    *(
        b"\xff\x2f\x00",
        b"\xff\x2f\x01\x00",
        b"\xff\x99\x01\x00",
        b"\xff",
        b"\xff\x03",
        b"\xf0\x01\xf7",
        b"\xf0\xff\xff\xff\x7f",
    ),
    *(
        b"\xf0\x03\x01\x02\x03",
        b"\xf7\x02\xf3\x01",
        b"\xf0\x02\xff\xff",
        b"\xf1\x00",
        b"\xf4",
        b"\xf6",
        b"\xf8",
        b"\xfd",
        b"\xf2\x01",
    ),
    *(
        b"\x90\xff\xff",
        b"\x90\x40",
        b"\x40\x40",
        b"\x80",
        b"\xc0\xff",
        b"\xe0\x00\x00",
        b"\xd0\x7f",
        b"\x99\x40\x00",
        b"\x00\x00\x00",
    ),
)
DELTAS = (
    b"\0",
    b"\0",
    b"\x7f",
    b"\x81\0",
    b"\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\0",
    b"\xff" * 30 + b"\x01",
)


def midi(data: bytes, rng: Random) -> bytes:
    """The header, the tracks, or events within a track."""
    if data[:4] != b"MThd" or len(data) < 22:
        return flip(data, rng)
    tracks = _chunks(data[14:], ">")
    match rng.randrange(9):
        case 0 | 1:
            fields = [
                rng.choice((value, value, 0, 1, 2, 3, 0x7FFF, 0xE728, 0x8000, 0xFFFF))
                for value in (1, len(tracks), 480)
            ]
            length = rng.choice((6, 6, 6, 5, 7, 0, 2**32 - 1))
            return b"MThd" + struct.pack(">I3H", length, *fields) + data[14:]
        case 2:
            return data[:14] + _joined(_changed_chunks(tracks, rng), ">")
        case 3:
            return data[:14] + _joined(tracks * rng.choice((2, 20, 300)), ">")
        case _:
            at = rng.randrange(len(tracks)) if tracks else 0
            if not tracks:
                return noise(data, rng)
            name, _, content = tracks[at]
            content = _changed_track(content, rng)
            tracks[at] = (name, len(content), content)
            return data[:14] + _joined(tracks, ">")


def _changed_track(content: bytes, rng: Random) -> bytes:
    event = rng.choice(DELTAS) + rng.choice(META)
    match rng.randrange(5):
        case 0:
            return event * rng.choice((1, 3, 2000)) + content
        case 1:
            return content[:-4] + event + content[-4:]
        case 2:
            place = rng.randrange(len(content) + 1)
            return content[:place] + event + content[place:]
        case 3:
            return content.replace(b"\0", rng.choice(DELTAS), rng.choice((1, 5)))
        case _:
            return rng.choice((cut, drop, flip, noise, repeat))(content, rng)


def riff(data: bytes, rng: Random) -> bytes:
    """Chunks at any depth: their sizes, order and presence, and the records that a SoundFont holds."""
    if data[:4] not in (b"RIFF", b"LIST") or len(data) < 20:
        return flip(data, rng)
    return _riff(data, rng)


def _riff(data: bytes, rng: Random) -> bytes:
    """One change in a chunk that holds chunks, or somewhere below it."""
    name, form, chunks = data[:4], data[8:12], _chunks(data[12:], "<", pad=True)
    if not chunks or rng.random() < 0.08:
        return (
            name
            + struct.pack("<I", rng.choice((*LENGTHS, len(data) - 8)))
            + rng.choice((form, b"sfbk", b"WAVE"))
            + data[12:]
        )
    lists = [n for n, (inner, _, _) in enumerate(chunks) if inner == b"LIST"]
    if lists and rng.random() < 0.85:
        at = rng.choice(lists)
        _, _, content = chunks[at]
        changed = _riff(b"LIST" + struct.pack("<I", len(content)) + content, rng)
        chunks[at] = (b"LIST", int.from_bytes(changed[4:8], "little"), changed[8:])
    elif rng.random() < 0.3:
        chunks = _changed_chunks(chunks, rng)
    else:
        at = rng.randrange(len(chunks))
        inner, _, content = chunks[at]
        content = _changed_records(content, RECORD_SIZES.get(inner, 2), rng)
        chunks[at] = (inner, len(content), content)
    body = form + _joined(chunks, "<", pad=True)
    return name + struct.pack("<I", len(body)) + body


# Bytes of one record of a SoundFont's tables: presets, bags, modulators, generators, instruments and samples.
RECORD_SIZES = {
    b"phdr": 38,
    b"pbag": 4,
    b"pmod": 10,
    b"pgen": 4,
    b"inst": 22,
    b"ibag": 4,
    b"imod": 10,
    b"igen": 4,
    b"shdr": 46,
}


def _changed_records(content: bytes, size: int, rng: Random) -> bytes:
    records = [content[at : at + size] for at in range(0, len(content), size)]
    if not records:
        return rng.randbytes(size)
    at = rng.randrange(len(records))
    match rng.randrange(7):
        case 0:
            del records[at]
        case 1:
            records.insert(at, records[at])
        case 2:
            records = rng.sample(records, len(records))
        case 3:
            records += [records[at]] * rng.choice((1, 200, 5000))
        case 4:
            records = records[:at]
        case _:
            record = bytearray(records[at])
            place, width = rng.randrange(0, max(1, size - 1)), rng.choice((1, 2, 4))
            record[place : place + width] = (
                rng.choice((0, 1, 2**15, 2**16 - 1, 2**31, 2**32 - 1)) % 2 ** (8 * width)
            ).to_bytes(width, "little")
            records[at] = bytes(record)
    return b"".join(records)


def _changed_chunks(chunks: list[Chunk], rng: Random) -> list[Chunk]:
    if not chunks:
        return chunks
    at = rng.randrange(len(chunks))
    name, length, content = chunks[at]
    match rng.randrange(6):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(at, chunks[at])
        case 2:
            chunks = rng.sample(chunks, len(chunks))
        case 3:
            chunks[at] = (rng.choice((b"\0\0\0\0", b"XXXX", b"MThd", b"LIST", name[::-1])), length, content)
        case 4:
            chunks[at] = (name, rng.choice((*LENGTHS, length - 1, length + 1)) % 2**32, content)
        case _:
            chunks[at] = (name, 0, b"")
    return chunks


def _chunks(data: bytes, order: str, pad: bool = False) -> list[Chunk]:
    found, at = [], 0
    while at + 8 <= len(data):
        length = struct.unpack_from(f"{order}I", data, at + 4)[0]
        found.append((data[at : at + 4], length, data[at + 8 : at + 8 + length]))
        at += 8 + length + (length % 2 if pad else 0)
    return found


def _joined(chunks: list[Chunk], order: str, pad: bool = False) -> bytes:
    return b"".join(
        name + struct.pack(f"{order}I", length) + content + (b"\0" * (len(content) % 2) if pad else b"")
        for name, length, content in chunks
    )
