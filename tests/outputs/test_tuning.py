"""How a pitch is brought to a key: when auto bends, where the range of MTS ends, and that each tuning is said once."""

from __future__ import annotations

import numpy as np
import pytest

from gradmidi.outputs.midi_events import note_events
from gradmidi.outputs.tuning import choose_tuning, pitch_report, sent_hz, to_keys
from gradmidi.score import Marks, Score, Voice
from gradmidi.theory.pitch import key_to_hz


def detuned(cents: float) -> np.ndarray:
    return key_to_hz(np.array([69.0, 60.0 + cents / 100]))


def one_after_another(keys: list[float]) -> Score:
    """Notes of one voice, a second each, at positions between the keys."""
    onset = np.arange(len(keys), dtype=np.float64)
    ones = np.ones(len(keys), dtype=np.int64)
    hz = key_to_hz(np.array(keys))
    voices = (Voice("a", 0),)
    return Score(onset, 0.5 + 0 * onset, hz, 0 * ones, 90 * ones, ones, ones == 0, voices, Marks.none(), len(keys))


@pytest.mark.parametrize("cents", [0.0, 0.009, -0.009])
def test_rounding_of_a_float_is_still_on_the_key(cents):
    assert choose_tuning("auto", detuned(cents)) == "12tet"


@pytest.mark.parametrize("cents", [0.011, -0.011, 0.1, 1.0, -1.0, 50.0])
def test_a_hundredth_of_a_cent_off_the_key_is_bent(cents):
    assert choose_tuning("auto", detuned(cents)) == "bend"


def test_no_notes_need_no_bend():
    assert choose_tuning("auto", np.empty(0)) == "12tet"


@pytest.mark.parametrize("key", [127.9999, 128.5, 300.0])
def test_the_top_of_mts_is_two_steps_below_the_next_semitone(key):
    """7F 7F 7F means "no change" in the MIDI Tuning Standard, so the highest pitch is 7F 7F 7E."""
    (tuning,) = (e.message for e in note_events(one_after_another([key]), "mts") if e.message.type == "sysex")
    assert tuning.data[-4:] == (127, 0x7F, 0x7F, 0x7E)


@pytest.mark.parametrize(
    ("key", "change"),
    [(127.0, (127, 127, 0, 0)), (127.25, (127, 127, 32, 0)), (0.0, (0, 0, 0, 0)), (-3.0, (0, 0, 0, 0))],
)
def test_the_keys_at_the_ends_of_mts(key, change):
    (tuning,) = (e.message for e in note_events(one_after_another([key]), "mts") if e.message.type == "sysex")
    assert tuning.data[-4:] == change


@pytest.mark.parametrize(
    ("key", "sent"), [(60.25, (60, 1024)), (60.75, (61, -1024)), (130.0, (127, 8191)), (-3.0, (0, -8192))]
)
def test_bends_in_steps_of_a_range_of_two_semitones(key, sent):
    keys = to_keys(key_to_hz(np.array([key])), "bend")
    assert (keys.key[0], keys.fine[0]) == sent


@pytest.mark.parametrize(("tuning", "said"), [("12tet", 0), ("bend", 3), ("mts", 3)])
def test_each_tuning_is_said_once(tuning, said):
    """Of six notes the second, fourth and sixth have the tuning that is already there."""
    events = note_events(one_after_another([60.25, 60.25, 60.5, 60.5, 60.25, 60.25]), tuning)
    kinds = [event.message.type for event in events]
    assert kinds.count("sysex") + kinds.count("pitchwheel") == said
    assert kinds.count("note_on") == kinds.count("note_off") == 6


def test_keys_that_mts_has_tuned_once_stay_tuned():
    events = note_events(one_after_another([60.25, 64.25, 60.25, 64.25]), "mts")
    assert [event.message.type for event in events].count("sysex") == 2


@pytest.mark.parametrize("tuning", ["auto", "12tet", "bend", "mts"])
def test_the_name_of_a_tuning_may_come_from_anywhere(tuning, tmp_path):
    """As a program reads it: equal to ours, and not the same object."""
    score, read = one_after_another([60.25, 64.0, 60.25]), "".join(list(tuning))
    assert score.save_midi(tmp_path / "a.mid", read) == score.save_midi(tmp_path / "b.mid", tuning)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_the_report_counts_what_lies_beyond_the_keys():
    report = pitch_report(key_to_hz(np.array([-0.6, -0.4, 60.0, 127.4, 127.6])), "12tet")
    assert report.out_of_range == 2
    assert report.largest_error == pytest.approx(60)


def test_the_hz_that_are_sent():
    sent = sent_hz(key_to_hz(np.array([60.3, 68.9])), "12tet")
    assert sent.tolist() == pytest.approx([261.6255653005986, 440.0])
