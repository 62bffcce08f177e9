"""NumPy's archive: arrays of other shapes and types, entries that claim what they do not hold, and zip's own fields."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from random import Random
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from tests.fuzz.mutators.objects import OBJECT
from tests.fuzz.mutators.raw import flip
from tests.fuzz.mutators.values import NAMES

Entries = list[tuple[str, bytes]]
BOMB = 160_000_000  # bytes of zeros, which deflate makes a thousandth of
# What reading a damaged archive may raise: such a one is changed as bytes.
DAMAGE = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError),
    *(AttributeError, struct.error, TokenError, zipfile.BadZipFile, zlib.error),
)
LARGE = 5_000_000  # bytes of an archive that is not unpacked again
HUGE = (0, 1, 2**16, 2**31 - 1, 2**32 - 1, 2**63 - 1)
STRANGE = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e308, 1.8e308, 5e-324, 2.0**53, 2.0**63, 1e19, 0.5)
KINDS = (
    *("int8", "uint64", "int64", "float16", "float32", "longdouble", "complex128", "bool", ">f8", ">i8", "U8", "S8"),
    *("datetime64[s]", "timedelta64[ns]", "V16", "i4,f8"),
)
HEADERS = (
    *("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 4), }", "{'descr': '<f8'}", "{}", "", "1"),
    *("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 4), }", "[" * 9000, "(" * 100 + ")" * 100),
    *("{'descr': '|O', 'fortran_order': False, 'shape': (4,), }", "{'descr': '<f8', 'fortran_order': 1, 'shape': 4}"),
    *("{'descr': '<U1000000000', 'fortran_order': False, 'shape': (9,), }", "__import__('os')", "9" * 5000, "\0" * 90),
    *(
        "{'descr': '<f8', 'fortran_order': True, 'shape': (2,2), }",
        "{'descr': [('a', '<f8')], 'fortran_order': False, ",
    ),
    *("{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551616,), }", " " * 60_000),
    *("{'descr': '|V0', 'fortran_order': False, 'shape': (4611686018427387904,), }", "{'descr': '<f8', 'shape': True}"),
)


def _written(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array), allow_pickle=True)
    return buffer.getvalue()


def shape(array: NDArray[np.generic], rng: Random) -> NDArray[np.generic]:
    """The same values in another shape, or more or fewer of them."""
    forms: tuple[Callable[[], NDArray[np.generic]], ...] = (
        lambda: array.ravel(),
        lambda: array.T,
        lambda: array[np.newaxis],
        lambda: array[..., np.newaxis],
        lambda: array[:-1],
        lambda: array[:0],
        lambda: array[..., :1],
        lambda: array[..., :0],
        lambda: np.repeat(array, 3, axis=0),
        lambda: np.tile(array, 4),
        lambda: array.ravel()[0],
        lambda: np.repeat(array, 4000, axis=0),
        lambda: np.asfortranarray(array),
    )
    return np.asarray(rng.choice(forms)())


def kind(array: NDArray[np.generic], rng: Random) -> NDArray[np.generic]:
    """The same values in another dtype, and now and then Python objects."""
    if rng.random() < 0.15:
        return array.astype(object)
    with np.errstate(all="ignore"):
        return array.astype(rng.choice(KINDS))


def values(array: NDArray[np.generic], rng: Random) -> NDArray[np.generic]:
    changed = array.astype(np.float64) if rng.random() < 0.7 or array.dtype.kind != "i" else array.copy()
    strange = rng.choice(STRANGE) if changed.dtype.kind == "f" else rng.choice((-1, 2**62, 2**63 - 1, -(2**63), 0))
    if not changed.size or rng.random() < 0.4:
        changed[...] = strange
    else:
        changed.reshape(-1)[rng.randrange(changed.size)] = strange
    return changed


def head(array: NDArray[np.generic], rng: Random) -> NDArray[np.generic]:
    """The JSON in ``head``, or whatever array it is, as other JSON."""
    forms = (
        "[" * 100_000,
        '{"format": ' * 900,
        "null",
        "[]",
        "1",
        '""',
        "{}",
        "{",
        "NaN",
        "9" * 5000,
        "\x1b[31m",
        "\ud800",
    )
    text = str(array) if array.ndim == 0 else "{}"
    try:
        changed = json.dumps(rng.choice(OBJECT)(json.loads(text), rng)) if rng.random() < 0.8 else rng.choice(forms)
    except (ValueError, RecursionError):
        changed = rng.choice(forms)
    return np.array(changed)


ARRAYS = (shape, shape, kind, kind, values, values, head)


def changed_array(entries: Entries, rng: Random) -> Entries:
    at = rng.randrange(len(entries))
    name, content = entries[at]
    change = head if name.startswith("head") and rng.random() < 0.7 else rng.choice(ARRAYS)
    try:
        array = np.lib.format.read_array(io.BytesIO(content))
        entries[at] = (name, _written(change(array, rng)))
    except DAMAGE:
        entries[at] = (name, flip(content, rng))
    return entries


def header(entries: Entries, rng: Random) -> Entries:
    """An array whose own header says something else, in one of the format's three versions or in none."""
    at = rng.randrange(len(entries))
    name, content = entries[at]
    text = rng.choice(HEADERS).encode("latin-1")
    version = rng.choice((1, 1, 2, 3, 4, 0))
    length = struct.pack("<H" if version <= 1 else "<I", rng.choice((len(text), len(text), 0, 65535)))
    entries[at] = (name, b"\x93NUMPY" + bytes((version, 0)) + length + text + content[128:])
    return entries


def renamed(entries: Entries, rng: Random) -> Entries:
    at = rng.randrange(len(entries))
    strange = [name for name in NAMES if len(name) < 60_000]
    prefix = "metric/" if rng.random() < 0.6 else ""
    entries[at] = (prefix + rng.choice(strange) + rng.choice((".npy", "")), entries[at][1])
    return entries


def removed(entries: Entries, rng: Random) -> Entries:
    del entries[rng.randrange(len(entries))]
    return entries


def twice(entries: Entries, rng: Random) -> Entries:
    return [*entries, rng.choice(entries)]


def many(entries: Entries, rng: Random) -> Entries:
    _, content = rng.choice(entries)
    return entries + [(f"metric/{n}.npy", content) for n in range(300)]


def shuffled(entries: Entries, rng: Random) -> Entries:
    return rng.sample(entries, len(entries))


def torn(entries: Entries, rng: Random) -> Entries:
    at = rng.randrange(len(entries))
    name, content = entries[at]
    entries[at] = (name, rng.choice((content[: rng.randrange(len(content) + 1)], content + b"\0" * 999, b"", b"text")))
    return entries


ENTRIES = (
    changed_array,
    changed_array,
    changed_array,
    changed_array,
    header,
    renamed,
    removed,
    twice,
    many,
    shuffled,
    torn,
)


def npz(data: bytes, rng: Random) -> bytes:
    """One of ENTRIES, written with or without compression; or the zip's own fields."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > LARGE:
                return rng.choice((zip_field, with_comment))(data, rng)
            entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except DAMAGE:
        return flip(data, rng)
    if not entries or rng.random() < 0.2:
        return rng.choice(ZIP)(data, rng)
    return _zipped(rng.choice(ENTRIES)(entries, rng), rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def zip_field(data: bytes, rng: Random) -> bytes:
    """Sizes, offsets, flags and methods of one entry, in its local or its central header."""
    signature, fields = rng.choice(((b"PK\x03\x04", 30), (b"PK\x01\x02", 46), (b"PK\x05\x06", 22)))
    places = [at for at in range(len(data)) if data.startswith(signature, at)]
    if not places:
        return flip(data, rng)
    changed = bytearray(data)
    at, size = rng.choice(places) + rng.randrange(4, fields), rng.choice((2, 4))
    changed[at : at + size] = (rng.choice(HUGE) & (2 ** (8 * size) - 1)).to_bytes(size, "little")
    return bytes(changed)


def with_comment(data: bytes, rng: Random) -> bytes:
    return rng.randbytes(50) + data + b"\0" * rng.choice((1, 70_000))


def bomb(data: bytes, rng: Random) -> bytes:
    """An array that is a thousand times as large as the file, in place of one or beside it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    name = rng.choice(("norms.npy", "steps.npy", "gaps.npy", "metric/bomb.npy", "nothing.npy", "head.npy"))
    kept = [(other, content) for other, content in entries if other != name]
    return _with_raw(kept, name, *_bomb(rng.choice(("zeros", "true", "short"))))


ZIP = (zip_field, zip_field, zip_field, with_comment, bomb)


@cache
def _bomb(kind_: str) -> tuple[bytes, int, int]:
    """Deflated bytes, size and checksum of an array of zeros: one that keeps its promise, or claims less."""
    rows = BOMB // 32 if kind_ != "short" else 4
    dtype = "|b1" if kind_ == "true" else "<f8"
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({rows}, 4), }}\n".encode()
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    start = b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text
    packed, checksum, zeros = [packer.compress(start)], zlib.crc32(start), bytes(1_000_000)
    for _ in range(BOMB // len(zeros)):
        packed.append(packer.compress(zeros))
        checksum = zlib.crc32(zeros, checksum)
    return b"".join([*packed, packer.flush()]), len(start) + BOMB, checksum


def _zipped(entries: Entries, method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name.replace("\0", "?")), content, compress_type=method)
    return buffer.getvalue()


def _with_raw(entries: Entries, name: str, packed: bytes, size: int, checksum: int) -> bytes:
    """An archive with one more entry whose deflated bytes are given, not made again."""
    plain = io.BytesIO(_zipped([*entries, (name, packed)], zipfile.ZIP_STORED))
    with zipfile.ZipFile(plain) as archive:
        info = archive.infolist()[-1]
        central = archive.start_dir
    whole = bytearray(plain.getvalue())
    place = whole.rindex(b"PK\x01\x02")
    for at, fields in ((info.header_offset, (8, 14)), (place, (10, 16))):
        struct.pack_into("<H", whole, at + fields[0], zipfile.ZIP_DEFLATED)
        struct.pack_into("<III", whole, at + fields[1], checksum, len(packed), size)
    assert place >= central
    return bytes(whole)
