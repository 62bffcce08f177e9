"""The .mid against midicsv and four independent readers."""

import subprocess
from functools import partial

import miditoolkit
import mido
import numpy as np
import pretty_midi
import pytest
import symusic

from gradmidi.composition import compose
from gradmidi.composition.timing import Timing
from gradmidi.errors import InputError
from gradmidi.outputs.tuning import to_keys
from gradmidi.recording import Recording
from gradmidi.theory.pitch import key_to_hz

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")


@pytest.fixture
def midi(healthy, tmp_path):
    score = compose(healthy)
    score.save_midi(tmp_path / "g.mid")
    return score, tmp_path / "g.mid"


def expected_onsets(unit=0.05):
    """Four notes a step, then two units of rest, in exact milliseconds."""
    return np.array([[step * 6 + slot for slot in range(4)] for step in range(201)]) * round(unit * 1000)


def by_mido(path):
    file = mido.MidiFile(path, charset="utf-8")
    assert (file.type, file.ticks_per_beat) == (1, 480)
    found = {}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                found.setdefault(message.channel, []).append((tick, message.note))
    return found


def by_pretty_midi(path):
    notes = [[(n.start, n.pitch) for n in i.notes] for i in pretty_midi.PrettyMIDI(str(path)).instruments]
    return dict(enumerate([[(round(s * 1000, 6), p) for s, p in part] for part in notes]))


def by_symusic(path):
    score = symusic.Score(str(path)).to("second")
    return {i: [(round(float(n.time) * 1000, 3), n.pitch) for n in t.notes] for i, t in enumerate(score.tracks)}


def by_miditoolkit(path):
    file = miditoolkit.MidiFile(str(path))
    assert file.tempo_changes[0].tempo == pytest.approx(125)
    return {i: [(n.start, n.pitch) for n in t.notes] for i, t in enumerate(file.instruments)}


@pytest.mark.parametrize("reader", [by_mido, by_pretty_midi, by_symusic, by_miditoolkit])
@pytest.mark.parametrize("unit", [0.05, 0.01])
def test_readers_find_every_note_at_its_millisecond(reader, unit, healthy, tmp_path):
    score = compose(healthy, timing=Timing(unit))
    score.save_midi(tmp_path / "g.mid")
    found = reader(tmp_path / "g.mid")
    keys = to_keys(score.frequency, "12tet").key.reshape(201, 4)
    assert len(found) == 4
    for slot, part in enumerate(found.values()):
        onsets, pitches = zip(*sorted(part), strict=True)
        assert np.allclose(onsets, expected_onsets(unit)[:, slot], atol=1e-2)
        assert np.array_equal(np.round(onsets), expected_onsets(unit)[:, slot])
        assert list(pitches) == keys[:, slot].tolist()


def test_midicsv_round_trips_to_identical_bytes(midi, tmp_path, need_program):
    need_program("midicsv", "csvmidi")
    _, path = midi
    subprocess.run(["midicsv", path, tmp_path / "g.csv"], check=True)
    subprocess.run(["csvmidi", tmp_path / "g.csv", tmp_path / "again.mid"], check=True)
    assert path.read_bytes() == (tmp_path / "again.mid").read_bytes()


def test_channels_programs_and_names(midi):
    _, path = midi
    file = mido.MidiFile(path)
    programs = {m.channel: m.program for track in file.tracks for m in track if m.type == "program_change"}
    assert 9 not in programs
    assert len(set(programs.values())) == 4
    assert [track.name for track in file.tracks] == ["a healthy run", "conv1", "conv2", "fc1", "fc2"]


def test_the_conductor_track_tells_the_story(sick, tmp_path):
    compose(sick).save_midi(tmp_path / "g.mid")
    track = mido.MidiFile(tmp_path / "g.mid", charset="utf-8").tracks[0]
    markers = [m.text for m in track if m.type == "marker"]
    texts = [m.text for m in track if m.type == "text"]
    assert [m for m in markers if m.startswith("step")] == [f"step {n}" for n in range(0, 201, 10)]
    assert [m for m in markers if m.startswith("epoch")] == ["epoch 1", "epoch 2"]
    assert "Inf in conv1 at step 30" in markers
    assert "NaN in fc1 at step 40" in markers
    assert any(m.startswith("spike in conv2 at step 20: 1e+07, ") for m in markers)
    assert any("gradients of exactly 0 in fc2 from step 50" in m for m in markers)
    assert len(texts) == 201
    assert texts[0] == "loss 2.3"


def test_names_and_marks_are_cut_at_a_thousand_characters(tmp_path):
    recording = Recording(("w" * 2000, "b"), [0], [[np.nan, 1.0]], {}, {"title": "t" * 1000})
    compose(recording).save_midi(tmp_path / "g.mid")
    conductor, first, *_ = mido.MidiFile(tmp_path / "g.mid", charset="utf-8").tracks
    assert conductor.name == "t" * 1000
    assert len(first.name) == 1000
    assert first.name.startswith("w" * 100)
    assert max(len(m.text) for m in conductor if m.type == "marker") == 1000


def test_nonfinite_norms_are_percussion(sick, tmp_path):
    compose(sick).save_midi(tmp_path / "g.mid")
    found = by_mido(tmp_path / "g.mid")
    assert found[9] == [((30 * 6 + 0) * 50, 49), ((40 * 6 + 2) * 50, 38)]
    assert len(found[0]) == 199, "conv1 has an Inf and a gap"


def test_no_note_hangs_and_none_overlaps(sick, tmp_path):
    compose(sick).save_midi(tmp_path / "g.mid")
    for track in mido.MidiFile(tmp_path / "g.mid").tracks:
        sounding = set()
        for message in track:
            if message.type == "note_on":
                assert not sounding
                sounding.add(message.note)
            elif message.type == "note_off":
                sounding.remove(message.note)
        assert not sounding


def test_bend_brings_any_pitch_within_a_hundredth_of_a_cent(healthy, tmp_path):
    score = compose(healthy, scale=None)
    report = score.save_midi(tmp_path / "g.mid")
    assert report.tuning == "bend"
    bend, heard = {}, []
    for message in mido.MidiFile(tmp_path / "g.mid"):
        if message.type == "pitchwheel":
            bend[message.channel] = message.pitch
        elif message.type == "note_on":
            heard.append(key_to_hz(message.note + 2 * bend.get(message.channel, 0) / 8192))
    cents = 1200 * np.log2(np.array(heard) / score.frequency)
    assert np.abs(cents).max() == pytest.approx(report.largest_error)
    assert report.largest_error < 0.0123  # half a step of 200 / 16384 cents


def test_a_tempo_keeps_the_times(healthy, tmp_path):
    compose(healthy, timing=Timing(0.05, tempo=97)).save_midi(tmp_path / "g.mid")
    notes = pretty_midi.PrettyMIDI(str(tmp_path / "g.mid")).instruments[0].notes
    assert np.allclose([note.start for note in notes], expected_onsets()[:, 0] / 1000, atol=0.0015)


def test_bad_tuning_and_place(healthy, tmp_path):
    with pytest.raises(InputError, match="no tuning is called 'just'"):
        compose(healthy).save_midi(tmp_path / "g.mid", tuning="just")
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        compose(healthy).save_midi(tmp_path / "f" / "g.mid")


def test_a_drone_counts_the_notes_that_are_struck(tmp_path):
    """Three steps on one tone and one on another are two notes, and so many note-ons are in the file."""
    report = compose(Recording.from_arrays([[1.0], [1.0], [1.0], [4.0]]), style="drone").save_midi(tmp_path / "g.mid")
    assert report.notes == len(by_mido(tmp_path / "g.mid")[0]) == 2


def test_drums_are_counted_apart(sick, tmp_path):
    report = compose(sick).save_midi(tmp_path / "g.mid")
    assert (report.notes, report.drums) == (sum(len(found) for found in by_mido(tmp_path / "g.mid").values()) - 2, 2)


@pytest.fixture
def week_of_rest(tmp_path):
    """Two layers that have a gradient in the first and the last of 2,500 steps only, at a minute a note."""
    norms = np.full((2500, 2), np.nan)
    norms[[0, -1]] = 1.0
    recording = Recording(("a", "b"), np.arange(2500), norms, gaps=np.isnan(norms))
    compose(recording, timing=Timing(60.0)).save_midi(tmp_path / "g.mid")
    return tmp_path / "g.mid"


@pytest.mark.parametrize("reader", [by_mido, by_symusic, by_miditoolkit])
def test_rests_longer_than_the_format_holds_are_divided(reader, week_of_rest):
    """A delta time has 28 bits; from note to note here are 2,499 steps of 4 minutes, 599,760,000 ticks of 1 ms."""
    for part in reader(week_of_rest).values():
        first, last = (onset for onset, _ in part)
        assert last - first == 2499 * 4 * 60_000


def test_no_delta_time_is_longer_than_four_bytes(week_of_rest, tmp_path, need_program):
    assert max(message.time for track in mido.MidiFile(week_of_rest).tracks for message in track) < 2**28
    need_program("midicsv", "csvmidi")
    subprocess.run(["midicsv", week_of_rest, tmp_path / "g.csv"], check=True)
    subprocess.run(["csvmidi", tmp_path / "g.csv", tmp_path / "again.mid"], check=True)
    assert week_of_rest.read_bytes() == (tmp_path / "again.mid").read_bytes()
