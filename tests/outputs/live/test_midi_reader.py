"""Foreign .mid files: read as mido reads them where they are whole, refused in a line where they are not."""

import random
import tempfile
import tracemalloc
from functools import partial
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradmidi.composition import compose
from gradmidi.composition.timing import Timing
from gradmidi.errors import InputError
from gradmidi.outputs.live import midi_reader, play
from gradmidi.outputs.live.midi_reader import MidiReader
from tests.outputs.live.devices import is_note_on, read_file

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

HEADER = b"MThd\0\0\0\6\0\0\0\1\0\x60"  # type 0, one track, 96 ticks a quarter
NOTE = b"\x00\x90\x3c\x64" + b"\x60\x80\x3c\x40"  # middle C for a quarter
END = b"\0\xff\x2f\0"


def track(body: bytes) -> bytes:
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def write(tmp_path, data: bytes):
    path = tmp_path / "x.mid"
    path.write_bytes(data)
    return path


MALFORMED = {
    "nothing": (b"", "does not begin"),
    "text": (b"not a MIDI file at all, only text", "does not begin"),
    "a header alone": (HEADER, "after 0 of 1 tracks"),
    "no tracks": (HEADER[:10] + bytes(2) + HEADER[12:], "has 0 tracks"),
    "60,000 tracks": (HEADER[:10] + (60_000).to_bytes(2, "big") + HEADER[12:], "has 60,000 tracks"),
    "half a header": (HEADER[:12], "does not begin"),
    "type 2": (b"MThd\0\0\0\6\0\2\0\1\0\x60" + track(NOTE + END), "its type is 2"),
    "no ticks": (b"MThd\0\0\0\6\0\0\0\1\0\0" + track(NOTE + END), "0 ticks per quarter"),
    "a clock that is none": (b"MThd\0\0\0\6\0\0\0\1\x81\x28" + track(NOTE + END), "at 127 frames per second"),
    "frames of no ticks": (b"MThd\0\0\0\6\0\0\0\1\xe7\0" + track(NOTE + END), "0 ticks per frame"),
    "a track cut short": (HEADER + track(NOTE + END)[:-6], "breaks off"),
    "a track of 4 GB": (HEADER + b"MTrk\xff\xff\xff\xff" + NOTE, "breaks off"),
    "half an event": (HEADER + track(NOTE[:3]), "middle of an event"),
    "an endless number": (HEADER + track(b"\xff\xff\xff\xff\xff\x7f"), "more than four bytes"),
    "data first": (HEADER + track(b"\x00\x3c\x64"), "data without a status"),
    "data after a meta event": (
        HEADER + track(b"\x00\x90\x3c\x64\x00\xff\x01\x00\x00\x3c\x64"),
        "data without a status",
    ),
    "an undefined status": (HEADER + track(b"\x00\xf4"), "unknown status 0xf4"),
    "a text of 200 MB": (HEADER + track(b"\x00\xff\x01\xe4\x80\x80\x00abc"), "middle of an event"),
    "a tempo of 0": (HEADER + track(b"\x00\xff\x51\x03\0\0\0" + NOTE), "tempo"),
    "a tempo of one byte": (HEADER + track(b"\x00\xff\x51\x01\7" + NOTE), "tempo"),
    "thirteen sharps": (HEADER + track(b"\x00\xff\x59\x02\x0d\0" + NOTE), "key signature 0d 00"),
    "a key of no mode": (HEADER + track(b"\x00\xff\x59\x02\0\x07" + NOTE), "key signature 00 07"),
    "a key of no bytes": (HEADER + track(b"\x00\xff\x59\x00" + NOTE), "key signature of no bytes"),
    "a sysex of 70 KB": (HEADER + track(b"\x00\xf0\x84\xa2\x70" + b"\1" * 70_000), "system exclusive message"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_in_a_line(name, tmp_path):
    data, words = MALFORMED[name]
    with pytest.raises(InputError, match=r"x\.mid is not a MIDI file that can be played: .*" + words) as refused:
        play(write(tmp_path, data), f"file:{tmp_path / 'sent.txt'}")
    assert "\n" not in str(refused.value)


def test_a_bad_key_signature_is_one_line_and_exit_2(run_cli, tmp_path):
    write(tmp_path, MALFORMED["thirteen sharps"][0])
    done = run_cli("play", "x.mid", "--port", "file:sent.txt")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr


def test_ticks_of_a_second_are_read_too(tmp_path):
    """SMPTE division: 25 frames a second, 40 ticks a frame, so a tick is a millisecond, whatever the tempo."""
    tempo = b"\x00\xff\x51\x03\x01\x02\x03"
    path = write(tmp_path, b"MThd\0\0\0\6\0\0\0\1\xe7\x28" + track(tempo + NOTE + END))
    reader = MidiReader(path)
    assert [(round(m.time, 9), m.data) for m in reader.messages()] == [(0, b"\x90\x3c\x64"), (0.096, b"\x80\x3c\x40")]
    assert reader.length == pytest.approx(0.096)


def test_what_other_programs_write_is_read(tmp_path):
    """Running status, a sysex in two parts, a part of a kind of its own, a data byte out of range, a long header."""
    body = (
        b"\x00\x90\x3c\x64\x60\x3c\x00"
        + b"\0\xf0\3\x7e\x09\x01"
        + b"\0\xf7\2\x02\xf7"
        + b"\0\xb1\x07\xff"
        + b"\0\xfa"
        + END
    )
    path = write(tmp_path, b"MThd\0\0\0\x08\0\0\0\1\0\x60\0\0" + b"XFIH\0\0\0\2hi" + track(body))
    reader = MidiReader(path)
    sent = [m.data for m in reader.messages()]
    assert sent == [b"\x90\x3c\x64", b"\x90\x3c\0", b"\xf0\x7e\x09\x01\x02\xf7", b"\xb1\x07\x7f", b"\xfa"]
    assert reader.channels == {0: False, 1: False}


MESSAGES = st.one_of(
    st.builds(mido.Message, st.sampled_from(["note_on", "note_off"]), note=st.integers(0, 127)),
    st.builds(mido.Message, st.just("pitchwheel"), pitch=st.integers(-8192, 8191)),
    st.builds(mido.Message, st.just("sysex"), data=st.lists(st.integers(0, 127), max_size=9)),
    st.builds(mido.MetaMessage, st.just("set_tempo"), tempo=st.integers(1, 2**24 - 1)),
    st.builds(mido.MetaMessage, st.just("text"), text=st.text("ab", max_size=5)),
)
TIMED = st.builds(lambda message, time: message.copy(time=time), MESSAGES, st.integers(0, 300_000))
TRACKS = st.lists(st.lists(TIMED, max_size=12), min_size=1, max_size=4)


@settings(deadline=None)
@given(TRACKS, st.integers(1, 32767))
def test_a_whole_file_is_read_as_mido_reads_it(tracks, division):
    file = mido.MidiFile(ticks_per_beat=division, tracks=[mido.MidiTrack(messages) for messages in tracks])
    with tempfile.TemporaryDirectory() as folder:
        file.save(Path(folder) / "x.mid")
        reader = MidiReader(Path(folder) / "x.mid")
        found = list(reader.messages())
    now, expected = 0.0, []
    for message in file:
        now += message.time
        if not message.is_meta:
            expected.append((now, bytes(message.bytes())))
    assert [data for _, data in found] == [data for _, data in expected]
    np.testing.assert_allclose([time for time, _ in found], [time for time, _ in expected], rtol=1e-9, atol=1e-9)
    assert reader.length == pytest.approx(file.length)


def test_damaged_files_are_read_or_refused(sick, tmp_path):
    """Bytes changed, cut out and doubled: never anything but an InputError, and what is read can be sent."""
    compose(sick.rows(0, 90), scale=None, timing=Timing(0.01)).save_midi(tmp_path / "g.mid", tuning="mts")
    whole, rng, read = (tmp_path / "g.mid").read_bytes(), random.Random(1), 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at, size = rng.randrange(len(data)), rng.choice((1, 1, 2, 4, 50))
            data[at : at + size] = rng.choice((rng.randbytes(size), b"", data[at : at + size] * 2))
        path = write(tmp_path, bytes(data))
        try:
            sent = list(MidiReader(path).messages())
        except InputError:
            continue
        read += 1
        assert all(message.data[0] >= 0x80 and len(message.data) < 2**16 for message in sent)
        assert all(byte < 0x80 for message in sent for byte in message.data[1:-1])
    assert 0 < read < 300


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (HEADER + track(b"\x00\xc0\x01" + b"\x00\x01" * 60_000), 1),  # 2 bytes a message
        (HEADER[:10] + b"\x0f\xa0\0\x60" + track(b"\x00\xc0\x01") * 4_000, 8),  # 11 bytes a track
    ],
    ids=["messages", "tracks"],
)
def test_memory_stays_at_the_size_of_the_file(data, limit, tmp_path):
    """In MB beyond what reading takes at first; a list of messages would hold hundreds of bytes of each."""
    path = write(tmp_path, data)
    tracemalloc.start()
    count = sum(1 for _ in MidiReader(path).messages())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count >= 4_000
    assert most < midi_reader.LARGEST_FILE + (limit << 20)


def test_a_file_without_end_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x.mid").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="it is a device"):
        MidiReader(tmp_path / "x.mid")
    monkeypatch.setattr(midi_reader, "LARGEST_FILE", 20)
    with pytest.raises(InputError, match="larger than 20 bytes"):
        (tmp_path / "y.mid").write_bytes(HEADER + track(NOTE))
        MidiReader(tmp_path / "y.mid")


def test_what_would_play_for_years_is_refused(tmp_path):
    """The largest delta time at the slowest tempo and one tick a quarter: 143 years."""
    slow = b"MThd\0\0\0\6\0\0\0\1\0\1" + track(b"\0\xff\x51\x03\xff\xff\xff" + b"\xff\xff\xff\x7f\x90\x3c\x64" + END)
    with pytest.raises(InputError, match=r"x\.mid would play for 52,\d\d\d days"):
        play(write(tmp_path, slow), f"file:{tmp_path / 'sent.txt'}")


def test_a_crowd_of_messages_at_one_time_goes_out(tmp_path):
    """20,000 controller changes at once are more than the player's pipe and the backlog hold; none is lost."""
    body = b"".join(b"\0\xb0\x0b" + bytes([i % 128]) for i in range(20_000))
    path = write(tmp_path, HEADER + track(body + NOTE + END))
    play(path, f"file:{tmp_path / 'sent.txt'}", max_rate=10_000)
    sent = [heard.data for heard in read_file(tmp_path / "sent.txt")]
    assert sum(data[:2] == b"\xb0\x0b" for data in sent) == 20_000
    assert sum(map(is_note_on, sent)) in (0, 1)  # by then it may be overdue, which the report says
