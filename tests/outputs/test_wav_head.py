"""The heads of WAV files, field by field as RIFF and EBU Tech 3306 describe them, and against Python's ``wave``."""

from __future__ import annotations

import io
import struct
import wave

import pytest

from gradmidi.outputs.wav import float_wav_head, integer_wav_head


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("frames", [0, 1, 441])
def test_the_integer_head_is_that_of_pythons_wave_module(frames, width, channels):
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((channels, width, 48_000, 0, "NONE", ""))
        written.writeframes(bytes(frames * width * channels))
    assert integer_wav_head(frames, 48_000, width, channels) == file.getvalue()[:44]


def test_a_riff_counts_just_below_4_gib():
    frames = 2**32 - 1 - 36  # 36 bytes of head come after the size
    assert integer_wav_head(frames, 8000, width=1)[4:8] == b"\xff\xff\xff\xff"
    with pytest.raises(ValueError, match="more than 4 GiB"):
        integer_wav_head(frames + 1, 8000, width=1)


def chunks(head: bytes) -> dict[bytes, bytes]:
    """The chunks of a head by name; the last one, ``data``, is only its size."""
    assert head[8:12] == b"WAVE"
    found, at = {}, 12
    while at < len(head) - 8:
        size = int.from_bytes(head[at + 4 : at + 8], "little")
        found[head[at : at + 4]] = head[at + 8 : at + 8 + size]
        at += 8 + size
    found[head[at : at + 4]] = head[at + 4 :]
    return found


@pytest.mark.parametrize(("frames", "channels"), [(0, 1), (441, 1), (441, 2), (1_073_741_811, 1), (536_870_905, 2)])
def test_the_fields_of_a_float_head(frames, channels):
    """Up to the most that a RIFF can count: 2**32 - 2 bytes after its size, as samples have four."""
    head = float_wav_head(frames, 48_000, channels)
    assert head[:4] == b"RIFF"
    assert int.from_bytes(head[4:8], "little") == len(head) - 8 + 4 * frames * channels
    found = chunks(head)
    assert list(found) == [b"fmt ", b"fact", b"data"]
    # Kind 3 is float; bytes a second, bytes a frame, bits a sample, and no further fields.
    assert struct.unpack("<HHIIHHH", found[b"fmt "]) == (3, channels, 48_000, 192_000 * channels, 4 * channels, 32, 0)
    assert found[b"fact"] == struct.pack("<I", frames)
    assert found[b"data"] == struct.pack("<I", 4 * frames * channels)


@pytest.mark.parametrize(("frames", "channels"), [(1_073_741_812, 1), (536_870_906, 2), (2**32 - 1, 1), (2**32, 1)])
def test_the_fields_of_a_head_beyond_4_gib(frames, channels):
    head = float_wav_head(frames, 48_000, channels)
    assert head[:8] == b"RF64\xff\xff\xff\xff"
    found = chunks(head)
    assert list(found) == [b"ds64", b"fmt ", b"fact", b"data"], "ds64 comes first"
    size = 4 * frames * channels
    assert struct.unpack("<QQQI", found[b"ds64"]) == (len(head) - 8 + size, size, frames, 0)
    assert struct.unpack("<HHIIHHH", found[b"fmt "]) == (3, channels, 48_000, 192_000 * channels, 4 * channels, 32, 0)
    assert found[b"fact"] == struct.pack("<I", min(frames, 0xFFFF_FFFF))
    assert found[b"data"] == b"\xff\xff\xff\xff"
