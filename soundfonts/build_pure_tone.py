"""Build ``pure-tone.sf2``: one sine for every General MIDI program, so that pitch can be measured.

    python soundfonts/build_pure_tone.py [TARGET]

The layout follows the SoundFont Technical Specification 2.01. The sample is sampled at 44,000 Hz, so that one period
of 440 Hz is exactly 100 samples and the loop closes without an error.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).with_name("pure-tone.sf2")
RATE, PERIOD, ROOT_KEY = 44_000, 100, 69
LOOP_START, LOOP_END, SILENCE = 10 * PERIOD, 60 * PERIOD, 46
AMPLITUDE = 0.5 * 32767
# Generators of the specification, section 8.1.3; times in timecents (1200 × log2 of seconds).
ATTACK, RELEASE, INSTRUMENT, SAMPLE_ID, SAMPLE_MODES, ROOT = 34, 38, 41, 53, 54, 58
LOOPED = 1


def chunk(name: bytes, data: bytes) -> bytes:
    padded = data + b"\0" * (len(data) % 2)
    return name + struct.pack("<I", len(data)) + padded


def listing(kind: bytes, *chunks: bytes) -> bytes:
    return chunk(b"LIST", kind + b"".join(chunks))


def text(value: str, size: int = 20) -> bytes:
    return value.encode().ljust(size, b"\0")


def sample() -> bytes:
    wave = AMPLITUDE * np.sin(2 * np.pi * np.arange(LOOP_END + 10 * PERIOD) / PERIOD)
    return np.concatenate([np.round(wave), np.zeros(SILENCE)]).astype("<i2").tobytes()


def presets() -> list[tuple[str, int, int]]:
    """Name, bank and program; bank 128 is percussion."""
    return [(f"Sine {program}", 0, program) for program in range(128)] + [("Sine drums", 128, 0)]


def headers() -> bytes:
    rows = presets()
    phdr = b"".join(
        text(name) + struct.pack("<HHHIII", program, bank, i, 0, 0, 0) for i, (name, bank, program) in enumerate(rows)
    )
    phdr += text("EOP") + struct.pack("<HHHIII", 0, 0, len(rows), 0, 0, 0)
    pbag = b"".join(struct.pack("<HH", i, 0) for i in range(len(rows) + 1))
    pgen = struct.pack("<HH", INSTRUMENT, 0) * len(rows) + struct.pack("<HH", 0, 0)
    zone = ((ATTACK, -9600), (RELEASE, -5000), (SAMPLE_MODES, LOOPED), (ROOT, ROOT_KEY), (SAMPLE_ID, 0), (0, 0))
    igen = b"".join(struct.pack("<Hh", generator, amount) for generator, amount in zone)
    inst = text("Sine") + struct.pack("<H", 0) + text("EOI") + struct.pack("<H", 1)
    ibag = struct.pack("<HH", 0, 0) + struct.pack("<HH", len(zone) - 1, 0)
    end = LOOP_END + 10 * PERIOD
    shdr = text("Sine") + struct.pack("<IIIIIBbHH", 0, end, LOOP_START, LOOP_END, RATE, ROOT_KEY, 0, 0, 1)
    shdr += text("EOS") + struct.pack("<IIIIIBbHH", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    empty = struct.pack("<HHhHH", 0, 0, 0, 0, 0)
    parts = ((b"phdr", phdr), (b"pbag", pbag), (b"pmod", empty), (b"pgen", pgen), (b"inst", inst), (b"ibag", ibag))
    parts += ((b"imod", empty), (b"igen", igen), (b"shdr", shdr))
    return listing(b"pdta", *(chunk(name, data) for name, data in parts))


def build(target: Path = TARGET) -> None:
    info = listing(
        b"INFO",
        chunk(b"ifil", struct.pack("<HH", 2, 1)),
        chunk(b"isng", b"EMU8000\0"),
        chunk(b"INAM", b"gradmidi pure tone\0\0"),
    )
    data = listing(b"sdta", chunk(b"smpl", sample()))
    target.write_bytes(chunk(b"RIFF", b"sfbk" + info + data + headers()))


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:]))
