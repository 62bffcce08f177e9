"""Writing SoundFont 2 files: samples, instruments of zones, and presets, as the specification 2.01 lays them out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

GUARD = 46  # frames of silence after each sample, which the specification asks for
TERMINAL = (0, 0)  # the row of generators that only ends its table
LOOPED = 1
MONO = 1


class Gen(IntEnum):
    """Generators (section 8.1.3): times in timecents, levels in centibels, pitches in cents, shares in 0.1 %."""

    MOD_ENVELOPE_TO_PITCH = 7
    FILTER = 8
    RESONANCE = 9
    VIBRATO_TO_PITCH = 6
    LFO_TO_PITCH = 5
    MOD_ENVELOPE_TO_FILTER = 11
    LFO_TO_VOLUME = 13
    PAN = 17
    LFO_DELAY = 21
    LFO_FREQUENCY = 22
    VIBRATO_DELAY = 23
    VIBRATO_FREQUENCY = 24
    MOD_ATTACK = 26
    MOD_DECAY = 28
    MOD_SUSTAIN = 29
    ATTACK = 34
    HOLD = 35
    DECAY = 36
    SUSTAIN = 37
    RELEASE = 38
    INSTRUMENT = 41
    KEYS = 43
    COARSE_TUNE = 51
    SAMPLE = 53
    SAMPLE_MODES = 54
    KEY_TRACKING = 56
    EXCLUSIVE = 57
    ROOT = 58


Settings = dict[Gen, int]


@dataclass(frozen=True)
class Sample:
    """Frames of one channel with the key at whose pitch they play at ``rate`` Hz; ``loop`` is a range of frames."""

    name: str
    frames: NDArray[np.float64]  # (n,) between −1 and 1
    rate: int
    root: int
    loop: tuple[int, int]


@dataclass(frozen=True)
class Zone:
    """Keys ``low`` to ``high`` of an instrument: the sample (by its position) and how it is played."""

    sample: int
    low: int
    high: int
    settings: Settings


@dataclass(frozen=True)
class Instrument:
    """Zones that sound together where their keys overlap."""

    name: str
    zones: list[Zone]


@dataclass(frozen=True)
class Preset:
    """What a program number of a bank plays; bank 128 is percussion."""

    name: str
    bank: int
    program: int
    instrument: int


def soundfont(name: str, samples: list[Sample], instruments: list[Instrument], presets: list[Preset]) -> bytes:
    """The bytes of a SoundFont; the same input gives the same bytes."""
    title = name.encode() + b"\0" * (2 - len(name) % 2)
    info = _list(
        b"INFO", _chunk(b"ifil", struct.pack("<HH", 2, 1)), _chunk(b"isng", b"EMU8000\0"), _chunk(b"INAM", title)
    )
    data = _list(b"sdta", _chunk(b"smpl", b"".join(map(_frames, samples))))
    tables = (*_preset_tables(presets), *_instrument_tables(instruments), (b"shdr", _sample_headers(samples)))
    return _chunk(b"RIFF", b"sfbk" + info + data + _list(b"pdta", *(_chunk(*table) for table in tables)))


def _preset_tables(presets: list[Preset]) -> list[tuple[bytes, bytes]]:
    headers = [_text(p.name) + struct.pack("<HHHIII", p.program, p.bank, i, 0, 0, 0) for i, p in enumerate(presets)]
    headers.append(_text("EOP") + struct.pack("<HHHIII", 0, 0, len(presets), 0, 0, 0))
    bags = [struct.pack("<HH", i, 0) for i in range(len(presets) + 1)]
    generators = [struct.pack("<HH", Gen.INSTRUMENT, preset.instrument) for preset in presets]
    generators.append(struct.pack("<HH", *TERMINAL))
    parts = (headers, bags, [_NO_MODULATOR], generators)
    return [(name, b"".join(part)) for name, part in zip((b"phdr", b"pbag", b"pmod", b"pgen"), parts, strict=True)]


def _instrument_tables(instruments: list[Instrument]) -> list[tuple[bytes, bytes]]:
    zones = [_generators(zone) for instrument in instruments for zone in instrument.zones]
    first = list(accumulate((len(instrument.zones) for instrument in instruments), initial=0))
    names = [*(instrument.name for instrument in instruments), "EOI"]
    headers = [_text(name) + struct.pack("<H", bag) for name, bag in zip(names, first, strict=True)]
    bags = [struct.pack("<HH", at, 0) for at in accumulate(map(len, zones), initial=0)]
    rows = [row for zone in zones for row in zone] + [TERMINAL]
    generators = [struct.pack("<Hh", generator, amount) for generator, amount in rows]
    parts = (headers, bags, [_NO_MODULATOR], generators)
    return [(name, b"".join(part)) for name, part in zip((b"inst", b"ibag", b"imod", b"igen"), parts, strict=True)]


def _generators(zone: Zone) -> list[tuple[int, int]]:
    """In the order that the specification prescribes: the keys first, where they are not all, and the sample last."""
    keys = [] if (zone.low, zone.high) == (0, 127) else [(Gen.KEYS, zone.low | zone.high << 8)]
    return [*keys, *sorted(zone.settings.items()), (Gen.SAMPLE, zone.sample)]


def _sample_headers(samples: list[Sample]) -> bytes:
    starts = accumulate((len(sample.frames) + GUARD for sample in samples), initial=0)
    rows = []
    for sample, start in zip(samples, starts, strict=False):
        places = (start, start + len(sample.frames), start + sample.loop[0], start + sample.loop[1])
        rows.append(_text(sample.name) + struct.pack("<IIIIIBbHH", *places, sample.rate, sample.root, 0, 0, MONO))
    rows.append(_text("EOS") + struct.pack("<IIIIIBbHH", 0, 0, 0, 0, 0, 0, 0, 0, 0))
    return b"".join(rows)


def _frames(sample: Sample) -> bytes:
    return np.concatenate([np.round(sample.frames * 32767), np.zeros(GUARD)]).astype("<i2").tobytes()


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(kind: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", kind + b"".join(chunks))


def _text(value: str, size: int = 20) -> bytes:
    return value.encode()[: size - 1].ljust(size, b"\0")


_NO_MODULATOR = struct.pack("<HHhHH", 0, 0, 0, 0, 0)
