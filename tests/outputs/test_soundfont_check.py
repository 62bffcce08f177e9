"""SoundFonts that would take FluidSynth gigabytes or minutes are refused before it reads them; sound ones are not."""

import io
import os
import re
import struct
import time
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gradmidi.composition import compose
from gradmidi.errors import InputError
from gradmidi.outputs.fluid import Fluid
from gradmidi.outputs.soundfont import render_wav
from gradmidi.outputs.soundfont_check import check_soundfont
from gradmidi.outputs.soundfont_choice import find_soundfont, is_soundfont, own_soundfont

ROOT = Path(__file__).parents[2]
SAMPLE_BYTES, INSTRUMENT, SAMPLE = 4_000, 41, 53
MONO, PACKED = 1, 0x11


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listing(kind: bytes, *chunks: bytes) -> bytes:
    return chunk(b"LIST", kind + b"".join(chunks))


def font(
    preset_zones=1,
    instruments=1,
    zones=1,
    samples=1,
    modulators=0,
    data=bytes(SAMPLE_BYTES),
    kind=MONO,
    ends=None,
    starts=None,
    plays=None,
) -> bytes:
    """A SoundFont of one preset; what is played is the last instrument, and by each of its zones the last sample."""
    count = instruments * zones
    of_zone = modulators if isinstance(modulators, tuple) else (0,) * (count - 1) + (modulators,)
    sums = [0, *accumulate(of_zone)]
    modulators = sums[-1]
    words, doubles = struct.Struct("<HH").pack, struct.Struct("<IIIIIBbHH").pack
    name = bytes(20)
    ends = ends or [len(data) if kind == PACKED else len(data) // 2] * samples
    tables = {
        b"phdr": name
        + struct.pack("<HHHIII", 0, 0, 0, 0, 0, 0)
        + name
        + struct.pack("<HHHIII", 0, 0, preset_zones, 0, 0, 0),
        b"pbag": b"".join(words(i, 0) for i in range(preset_zones + 1)),
        b"pmod": bytes(10),
        b"pgen": words(INSTRUMENT, instruments - 1) * preset_zones + bytes(4),
        b"inst": b"".join(name + struct.pack("<H", i * zones) for i in range(instruments + 1)),
        b"ibag": b"".join(words(i, sums[i]) for i in range(count + 1)),
        b"imod": b"".join(struct.pack("<HHhHH", 0x502, 48, i % 30_000, 0, 0) for i in range(modulators)) + bytes(10),
        b"igen": words(SAMPLE, samples - 1 if plays is None else plays) * count + bytes(4),
        b"shdr": b"".join(
            name + doubles(start, end, 8, 100, 44_100, 60, 0, 0, kind)
            for start, end in zip(starts or [0] * len(ends), ends, strict=True)
        )
        + bytes(46),
    }
    info = listing(
        b"INFO", chunk(b"ifil", words(3 if kind == PACKED else 2, 1)), chunk(b"isng", b"x\0"), chunk(b"INAM", b"x\0")
    )
    body = listing(b"pdta", *(chunk(name, rows) for name, rows in tables.items()))
    return chunk(b"RIFF", b"sfbk" + info + listing(b"sdta", chunk(b"smpl", data)) + body)


def silence(seconds: int) -> bytes:
    """Ogg Vorbis, about a hundred bytes a second."""
    packed = io.BytesIO()
    with soundfile.SoundFile(packed, "w", samplerate=44_100, channels=1, format="OGG", subtype="VORBIS") as file:
        for _ in range(seconds):
            file.write(np.zeros(44_100, dtype=np.float32))
    return packed.getvalue()


@pytest.fixture
def refused(tmp_path):
    """Call with a SoundFont's bytes: the message with which it is refused, within a second."""

    def message(data: bytes) -> str:
        (tmp_path / "x.sf2").write_bytes(data)
        begun = time.process_time()
        with pytest.raises(InputError) as error:
            find_soundfont(tmp_path / "x.sf2")
        assert time.process_time() - begun < 1
        assert "\n" not in str(error.value)
        assert "x.sf2" in str(error.value)
        return str(error.value)

    return message


ENDLESS = {
    "zones times zones": ({"preset_zones": 6_000, "zones": 6_000}, "3,620 MB"),  # 120 KB
    "zones times zones in a bit less": ({"preset_zones": 700, "zones": 700}, "MB"),
    "instruments looked up one by one": ({"preset_zones": 60_000, "instruments": 60_000}, "minutes"),
    "samples looked up one by one": ({"zones": 20_000, "samples": 60_000}, "minutes"),
    "modulators compared with each other": ({"modulators": 60_000}, "minutes"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_would_take_gigabytes_or_minutes_is_refused(name, refused):
    options, words = ENDLESS[name]
    assert f"reading it would take FluidSynth {'' if words == 'MB' else words}" in refused(font(**options))


def test_packed_samples_count_with_what_they_unpack_to(refused):
    """Ten stretches of one minute of silence each, which FluidSynth unpacks one by one: 106 MB out of a few KB."""
    minute = silence(60)
    ends = [len(minute) - i for i in range(20)]
    assert "would take FluidSynth 106 MB for" in refused(font(data=minute, samples=20, zones=1, kind=PACKED, ends=ends))
    assert "not Ogg Vorbis" in refused(font(data=b"fLaC" + bytes(500), kind=PACKED))


def pages(count: int) -> bytes:
    """Ogg pages without any sound, 27 bytes each."""
    return struct.pack("<4sBBqIIIB", b"OggS", 0, 0, 0, 1, 0, 0, 0) * count


# For each limit a font that just meets it, and one that exceeds it by as little as the format allows.
EDGES: dict[str, tuple[dict, dict, str]] = {
    "400,000 zones of zones": ({"preset_zones": 400, "zones": 1_000}, {"preset_zones": 703, "zones": 569}, "MB"),
    "500,000,000 steps through lists": (
        {"preset_zones": 25_000, "instruments": 20_001},  # 25,000 · 20,000
        {"preset_zones": 24_999, "instruments": 20_001, "samples": 2},  # 24,999 · 20,000 + 20,001 · 1
        "minutes",
    ),
    # 31,622² + 221² + 16² + 4² + 3 are 10⁹.
    "1,000,000,000 comparisons": (
        {"zones": 7, "modulators": (31_622, 221, 16, 4, 1, 1, 1)},
        {"zones": 8, "modulators": (31_622, 221, 16, 4, 1, 1, 1, 1)},
        "minutes",
    ),
    "400,000 pages": (
        {"data": pages(16_012), "ends": [27 * (16_012 - i) for i in range(25)], "samples": 25, "kind": PACKED},
        {"data": pages(28_578), "ends": [27 * (28_578 - i) for i in range(14)], "samples": 14, "kind": PACKED},
        "minutes",
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_what_is_just_small_enough_is_not_refused(name, tmp_path):
    allowed, refused, words = EDGES[name]
    # The file is large enough for the memory of the lists not to matter.
    padded = {"data": bytes(3_000_000)}
    (tmp_path / "x.sf2").write_bytes(font(**padded | allowed))
    check_soundfont(tmp_path / "x.sf2")
    (tmp_path / "x.sf2").write_bytes(font(**padded | refused))
    with pytest.raises(InputError, match=f"reading it would take FluidSynth .*{words}"):
        check_soundfont(tmp_path / "x.sf2")


@pytest.mark.parametrize("sound", ["none", "packed"])
def test_memory_may_be_60_mb_and_15_times_the_file(sound, tmp_path):
    """1,700 bytes a zone, of which there are 36,003 with the last of each table; 100 for each that a preset plays; and
    two for each of three times 44,100 frames that the packed samples hold.
    """
    options = {"zones": 36_000}
    data, frames = b"", 0
    if sound == "packed":
        data, frames = silence(1), 3 * 44_100
        options |= {"kind": PACKED, "samples": 3, "ends": [len(data) - i for i in range(3)]}
    size = (1_700 * 36_003 + 100 * 36_000 + 2 * frames - 60_000_000) // 15
    data += bytes(size - len(font(data=data, **options)))
    for short, refused in ((0, False), (2, True)):
        made = font(data=data[: len(data) - short], **options)
        assert len(made) == size - short
        (tmp_path / "x.sf2").write_bytes(made)
        if refused:
            with pytest.raises(InputError, match=r"FluidSynth 65 MB for a file of 0\.3 MB"):
                check_soundfont(tmp_path / "x.sf2")
        else:
            check_soundfont(tmp_path / "x.sf2")


def test_packed_samples_that_share_their_data_count_once(tmp_path):
    minute = silence(60)
    shared = font(data=minute, samples=20, kind=PACKED)
    beyond = font(data=minute, samples=3, kind=PACKED, ends=[len(minute), len(minute) + 1, 2**31])
    nothing = font(data=b"fLaC" + bytes(500), kind=PACKED, ends=[0])
    for data in (shared, beyond, nothing):
        (tmp_path / "x.sf3").write_bytes(data)
        check_soundfont(tmp_path / "x.sf3")


def test_packed_samples_one_after_another_count_each(refused):
    minute = silence(60)
    places = [i * len(minute) for i in range(21)]
    data = font(data=minute * 20, samples=20, kind=PACKED, starts=places[:-1], ends=places[1:])
    assert "would take FluidSynth 106 MB for" in refused(data)


def test_a_sample_beyond_the_table_is_looked_for_to_its_end(tmp_path, refused):
    """The last row of the table, which ends it, is the 50,000th or the 50,001st, counted from 0."""
    (tmp_path / "y.sf2").write_bytes(font(zones=10_000, samples=50_000, ends=[9] * 50_000, plays=65_535))
    check_soundfont(tmp_path / "y.sf2")
    assert "minutes" in refused(font(zones=10_000, samples=50_001, ends=[9] * 50_001, plays=65_535))


def test_the_streams_of_packed_data_are_added_up(refused):
    """Twenty minutes of silence in one stretch, as a chain of streams of a minute each; every page names its stream."""
    minute = silence(60)
    pages = [page.start() for page in re.finditer(b"OggS", minute)]
    chain = bytearray()
    for stream in range(20):
        part = bytearray(minute)
        for page in pages:
            part[page + 14 : page + 18] = struct.pack("<I", stream)
        chain += part
    assert "would take FluidSynth 106 MB for" in refused(font(data=bytes(chain), kind=PACKED))


def test_parts_of_odd_length_are_filled_up_to_an_even_one(tmp_path):
    name = b"INAM" + struct.pack("<I", 1) + b"x"
    odd = font().replace(listing_of_info(), chunk(b"LIST", b"INFO" + name))
    assert odd != font()
    (tmp_path / "x.sf2").write_bytes(odd)
    check_soundfont(tmp_path / "x.sf2")


def test_a_font_without_samples_is_one(tmp_path):
    data = font().replace(listing(b"sdta", chunk(b"smpl", bytes(SAMPLE_BYTES))), listing(b"sdta"))
    assert len(data) == len(font()) - SAMPLE_BYTES - 8
    (tmp_path / "x.sf2").write_bytes(data)
    check_soundfont(tmp_path / "x.sf2")


@pytest.mark.parametrize("size", [0, 9, 11])
def test_a_table_has_whole_rows_and_at_least_one(size, refused):
    data = font().replace(chunk(b"imod", bytes(10)), b"imod" + struct.pack("<I", size) + bytes(max(size, 10)))
    assert f"its table imod has {size} bytes, which is not a number of rows" in refused(data)


@pytest.mark.parametrize("part", ["RIFF", "sfbk", "LIST", "INFO", "sdta", "pdta", "smpl", "phdr", "igen", "shdr"])
@pytest.mark.parametrize("letter", ["!", "~"])
def test_every_part_has_its_name(part, letter, tmp_path):
    """Another name before or behind it in the alphabet is not it."""
    kind = PACKED if part == "smpl" else MONO
    data = font(kind=kind, data=silence(1)).replace(part.encode(), letter.encode() + part[1:].encode(), 1)
    (tmp_path / "x.sf2").write_bytes(data)
    words = "does not begin as one does" if part in ("RIFF", "sfbk") else f"its part {part} is not where it should be"
    with pytest.raises(InputError, match=words):
        check_soundfont(tmp_path / "x.sf2")
    assert not is_soundfont(tmp_path / "x.sf2") or part not in ("RIFF", "sfbk")


def test_a_part_that_ends_beyond_its_list_says_where(refused):
    data = font()
    at = data.index(b"shdr")
    end = at + 8 + 1000
    grown = data[: at + 4] + struct.pack("<I", 1000) + data[at + 8 :]
    assert f"its part shdr says that it ends at byte {end:,}, which is beyond byte {len(data):,}" in refused(grown)


def listing_of_info() -> bytes:
    data = font()
    return data[12 : 20 + int.from_bytes(data[16:20], "little")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:200], "ends at byte"),
        (lambda data: data[:12], "INFO is not where it should be|LIST is not where it should be"),
        (lambda data: data.replace(b"ibag", b"xbag"), "ibag is not where it should be"),
        (lambda data: data.replace(b"sdta", b"pdta", 1), "sdta is not where it should be"),
        (lambda data: data.replace(b"shdr\x5c", b"shdr\x5d"), "shdr"),
        (lambda data: data.replace(b"smpl" + struct.pack("<I", SAMPLE_BYTES), b"smpl\xff\xff\xff\xff"), "smpl"),
    ],
)
def test_what_is_damaged_is_refused(change, words, refused):
    assert re.search(words, refused(change(font())))


def test_what_people_use_is_not_refused(tmp_path, need_fluidsynth):
    """Also a font without samples of its own, packed ones, and one with as many layers as a grand piano."""
    for data in (font(), font(preset_zones=4, zones=3_000), font(data=silence(1), kind=PACKED, samples=3)):
        (tmp_path / "x.sf2").write_bytes(data)
        check_soundfont(tmp_path / "x.sf2")
        Fluid(tmp_path / "x.sf2").close()
    check_soundfont(find_soundfont("gm"))
    check_soundfont(own_soundfont())
    check_soundfont(ROOT / "soundfonts" / "pure-tone.sf2")


def test_a_name_that_is_not_utf_8_is_played(healthy, tmp_path, need_fluidsynth, pure_tone):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/t\xf6ne.sf2"))
    path.write_bytes(pure_tone.read_bytes())
    report = render_wav(compose(healthy.rows(0, 2)), tmp_path / "g.wav", path)
    assert report.engine.startswith("FluidSynth")
