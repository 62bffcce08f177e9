"""TensorBoard's event files: records whose lengths, messages, tags, steps or tensors are not as they should be."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.mutators.raw import flip
from tests.fuzz.mutators.values import NAMES

Records = list[bytes]
STEPS = (0, -1, 1, 5, 2**31, 2**53 + 1, 2**63 - 1, -(2**63))
VALUES = (float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 3e38, 1e-45)
SIZES = (0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def framed(records: Records) -> bytes:
    """Records in their frames. The checksums are zero: neither we nor TensorBoard's quick reader look at them."""
    return b"".join(struct.pack("<QI", len(record), 0) + record + bytes(4) for record in records)


def _unframed(data: bytes) -> Records:
    records, at = [], 0
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        if at + 16 + length > len(data):
            break
        records.append(data[at + 12 : at + 12 + length])
        at += 16 + length
    return records


def shuffled(records: Records, rng: Random) -> Records:
    return rng.sample(records, len(records))


def removed(records: Records, rng: Random) -> Records:
    del records[rng.randrange(len(records))]
    return records


def repeated(records: Records, rng: Random) -> Records:
    at = rng.randrange(len(records))
    return records[:at] + [records[at]] * rng.choice((1, 4000)) + records[at:]


def strange_record(records: Records, rng: Random) -> Records:
    at = rng.randrange(len(records))
    content = rng.choice((b"", rng.randbytes(40), flip(records[at], rng), records[at][: len(records[at]) // 2]))
    return [*records[:at], content, *records[at + 1 :]]


def step(event: Any, rng: Random) -> None:
    event.step = rng.choice(STEPS)


def tag(event: Any, rng: Random) -> None:
    if event.summary.value:
        rng.choice(event.summary.value).tag = rng.choice(NAMES)


def number(event: Any, rng: Random) -> None:
    if event.summary.value:
        rng.choice(event.summary.value).simple_value = rng.choice(VALUES)


def tensor(event: Any, rng: Random) -> None:
    """A tensor of a type, shape and content that do not fit each other."""
    value = rng.choice(event.summary.value) if event.summary.value else event.summary.value.add(tag="grad_norm/t")
    value.Clear() if rng.random() < 0.2 else value.ClearField("value")
    value.tag = value.tag or "grad_norm/t"
    value.tensor.dtype = rng.randrange(0, 25)
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        value.tensor.tensor_shape.dim.add(size=rng.choice((0, 1, 2, -1, 10**12, 2**62)))
    value.tensor.tensor_shape.unknown_rank = rng.random() < 0.2
    if rng.random() < 0.4:
        value.tensor.tensor_content = rng.randbytes(rng.choice((0, 1, 4, 8, 16)))
    for field in rng.sample(
        ("float_val", "double_val", "int_val", "int64_val", "bool_val", "half_val"), rng.randrange(3)
    ):
        getattr(value.tensor, field).extend([1] * rng.choice((1, 2, 1000)))
    if rng.random() < 0.2:
        value.tensor.string_val.append(rng.choice((b"", b"1.5", b"\xff\xfe")))


def restart(event: Any, rng: Random) -> None:
    event.Clear()
    event.step = rng.choice(STEPS)
    event.session_log.status = rng.choice((0, 1, 2, 3, 77))


def other_values(event: Any, rng: Random) -> None:
    value = event.summary.value.add(tag=rng.choice(NAMES))
    if rng.random() < 0.5:
        value.histo.num = rng.choice(VALUES)
    else:
        value.image.width = rng.choice((-1, 2**31 - 1))


def many_tags(event: Any, rng: Random) -> None:
    for n in range(2000):
        event.summary.value.add(tag=f"grad_norm/layer{n}", simple_value=n)


EVENT: tuple[Callable[[Any, Random], None], ...] = (
    *(step, step, tag, tag, number, number, tensor, tensor, tensor, restart, other_values, many_tags),
)


def changed_event(records: Records, rng: Random) -> Records:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    at = rng.randrange(len(records))
    try:
        event = Event.FromString(records[at])
        rng.choice(EVENT)(event, rng)
        content = event.SerializeToString()
    except (DecodeError, ValueError, TypeError):
        content = flip(records[at], rng)
    return records[:at] + [content] * rng.choice((1, 1, 1, 300 if len(content) < 200 else 1)) + records[at + 1 :]


RECORDS = (changed_event, changed_event, changed_event, changed_event, shuffled, removed, repeated, strange_record)


def events(data: bytes, rng: Random) -> bytes:
    """One of RECORDS; or a frame that claims another length."""
    records = _unframed(data)
    if not records:
        return framed([rng.randbytes(20)]) + data
    if rng.random() < 0.15:
        at = rng.choice([0, *(place for place in range(12, len(data) - 8, 16))])
        return data[:at] + struct.pack("<Q", rng.choice(SIZES)) + data[at + 8 :]
    return framed(rng.choice(RECORDS)(records, rng))
