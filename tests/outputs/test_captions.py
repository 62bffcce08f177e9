"""Captions: valid WebVTT by a second reader, and they say what happened when it did."""

from __future__ import annotations

import html
import itertools
import re

import numpy as np
import pytest
import webvtt

import gradmidi as gm
from gradmidi.composition.spoken import number_in_words, place_of, register_of
from gradmidi.events import KINDS
from gradmidi.outputs.captions import READ_PER_SECOND, captions_of
from gradmidi.outputs.webvtt import Caption, clock
from gradmidi.outputs.webvtt import webvtt as as_webvtt
from gradmidi.recording import Recording
from gradmidi.recording.companion import ENDED
from gradmidi.score import Marks, Score, Voice

LAYERS = ["conv1", "conv2", "fc1", "fc2"]
STEP = 0.3  # s, of four layers


def run(steps=400, layers=LAYERS, **meta):
    """Healthy norms with a falling loss; a NaN at step 230, in two layers."""
    random = np.random.default_rng(5)
    norms = np.exp(random.normal(0, 0.1, (steps, len(layers))))
    norms[230:231, 1:3] = np.nan
    loss = 2.0 * 0.99 ** np.arange(steps)
    rows = Recording.from_arrays(norms, layers, loss=loss, epoch=np.arange(steps) // 100)
    return Recording(rows.layers, rows.steps, rows.norms, rows.metrics, meta)


@pytest.fixture(scope="module")
def score():
    return gm.compose(run())


@pytest.fixture(scope="module")
def captions(score):
    return captions_of(score)


def saying(captions, words):
    found = [caption for caption in captions if words in caption.text]
    assert found, words
    return found


def test_a_second_reader_reads_the_same(score, captions, tmp_path):
    assert score.save_captions(tmp_path / "run.vtt") == captions
    read = webvtt.read(tmp_path / "run.vtt")
    assert [(cue.start, cue.end, cue.raw_text) for cue in read] == [
        (clock(one.start), clock(one.end), "\n".join(one.lines)) for one in captions
    ]


@pytest.mark.parametrize("sound", ["debug", "post", "ambient", "concert", "percussive"])
def test_captions_never_overlap_and_end_before_the_sound(sound):
    score = gm.compose(run(), sound=sound)
    said = captions_of(score)
    assert said[0].start == 0
    for now, then in zip(said, [*said[1:], Caption(int(1000 * score.length), 0, ())], strict=True):
        assert now.start < now.end <= then.start


def test_at_first_each_voice_with_its_instrument_and_place(captions):
    first = captions[0]
    assert first.text.startswith("gradmidi. conv1: Acoustic Grand Piano, left. conv2: Xylophone, right. fc1: Harpsi")
    assert "Besides these: the loss is a soft pad" in captions[1].text


def test_every_event_is_said_when_it_is_heard(score, captions):
    marks = [mark for mark in score.marks if mark.kind.removesuffix("-recovered") in KINDS]
    assert {mark.kind for mark in marks} >= {"nan", "nan-recovered"}
    for mark in marks:
        (caption,) = saying(captions, mark.text)
        assert caption.start <= 1000 * mark.time < caption.end
        assert caption.start > 1000 * mark.time - 1000
    (alarm,) = saying(captions, "Alarm: NaN in conv2 and 1 more layer at step 230")
    assert alarm.start == pytest.approx(1000 * (230 * STEP + 0.05), abs=1)  # in the second layer's slot


def test_what_lasts_is_said_with_each_reminder_and_not_after_its_end(captions):
    (begins,), (ends,) = saying(captions, "Alarm: NaN"), saying(captions, "Recovered: no NaN in conv2")
    between = [one for one in captions if begins.end <= one.start < ends.start]
    assert [one.text.split(".")[0] for one in between] == ["Still: NaN in conv2 and 1 more layer"]
    assert between[0].start == pytest.approx(begins.start + 10_000, abs=1000 * STEP)  # when it is struck again
    assert not [one for one in captions if one.start > ends.start and "Still" in one.text]
    assert not [one for one in captions if one.start < begins.start and "Still" in one.text]


def test_calm_is_said_every_ten_seconds_with_loss_and_pitches(captions):
    calm = saying(captions, "Healthy")
    number = r"Healthy\. Loss about [0-9.]+\. Pitches [a-z ]+, [A-G0-9sharpto ]+\."
    assert all(re.search(number, one.text) for one in calm)
    silences = [then.start - now.end for now, then in itertools.pairwise(captions)]
    assert max(silences) < 10_000 + 1000 * STEP
    # 2 · 0.99^n, of which the median over ten seconds before 20 s is that at 15 s, step 50
    (then,) = [one for one in calm if 24_000 <= one.start < 34_000]
    steps = (then.start / 1000 - 5) / STEP
    assert float(re.search(r"about ([0-9.]+)\.", then.text)[1]) == pytest.approx(2 * 0.99**steps, rel=0.05)


def test_epochs_are_said(captions):
    for epoch in range(1, 4):
        (caption,) = saying(captions, f"Epoch {epoch}.")
        assert caption.start == pytest.approx(1000 * 100 * STEP * epoch, abs=1000)


def test_fast_epochs_are_not_all_said():
    rows = Recording.from_arrays(np.ones((100, 1)), ["a"], epoch=np.arange(100))
    assert 2 <= len(saying(captions_of(gm.compose(rows)), "Epoch")) <= 5


def test_they_can_be_read(captions):
    free = [
        now
        for now, then in itertools.pairwise(captions)
        if then.start - now.start >= 1000 * len(now.text) / READ_PER_SECOND + 1
    ]
    assert len(free) >= 10
    assert all(len(one.text) / (one.end - one.start) * 1000 <= READ_PER_SECOND for one in free)


@pytest.mark.parametrize(("how", "said"), [("well", "The run ended well."), ("failed", "The run failed")])
def test_the_end_is_said_with_its_cadence(how, said):
    rows = run(100, **{ENDED: how})
    score = gm.compose(rows)
    (last,) = saying(captions_of(score), said)
    assert last.start == pytest.approx(1000 * (100 * STEP + 0.3), abs=1)
    assert last.end <= 1000 * score.length


def test_without_earcons_what_lasts_is_said_by_the_events():
    norms = np.ones((300, 2))
    norms[100:, 0] = 0
    said = captions_of(gm.compose(Recording.from_arrays(norms, ["a", "b"]), sound="post"))
    assert saying(said, "Alarm: gradients of exactly 0 in a")
    assert saying(said, "Still: exactly zero in a.")
    knocked = captions_of(gm.compose(Recording.from_arrays(norms, ["a", "b"])))
    assert "and knocks." in saying(knocked, "Still: exactly zero in a.")[0].text


def test_a_flood_of_events_stays_in_order():
    norms = np.ones((400, 3))
    norms[::2, 0], norms[::3, 1], norms[::7, 2] = np.nan, 0, 1e9
    score = gm.compose(Recording.from_arrays(norms, ["a", "b", "c"]))
    said = captions_of(score)
    assert all(now.start < now.end <= then.start for now, then in itertools.pairwise(said))
    everything = "\n".join(line for one in said for line in one.lines)
    assert all(mark.text in everything for mark in score.marks if mark.kind.removesuffix("-recovered") in KINDS)


HOSTILE = ["a --> b", "<b>&amp;", "x\n\n00:00:01.000 --> 00:00:02.000\ny", "\x1b[2J", "‮up", "NOTE"]


def test_names_are_text_and_have_no_effect(tmp_path):
    norms = np.ones((60, len(HOSTILE)))
    norms[40] = np.nan
    score = gm.compose(Recording.from_arrays(norms, HOSTILE))
    said = score.save_captions(tmp_path / "run.vtt")
    text = (tmp_path / "run.vtt").read_text(encoding="utf-8")
    assert text.count("-->") == len(said)
    assert "<" not in text and "\x1b" not in text and "‮" not in text
    read = webvtt.read(tmp_path / "run.vtt")
    assert len(read) == len(said)
    assert "a --&gt; b: Acoustic" in text and "&lt;b&gt;&amp;amp;: Xylophone" in text
    first = html.unescape(read[0].text)  # which this reader leaves to its user
    assert "a --> b: Acoustic" in first and "<b>&amp;: Xylophone" in first


def test_a_long_piece_has_hours_and_an_empty_line_is_no_cue():
    text = as_webvtt([Caption(3_723_004, 3_724_000, (" ", "x\ny"))])
    assert text == "WEBVTT\n\n01:02:03.004 --> 01:02:04.000\nx\\ny\n"


@pytest.mark.parametrize("steps", [0, 1])
def test_a_run_of_hardly_any_steps(steps, tmp_path):
    gm.compose(Recording.from_arrays(np.ones((steps, 2)))).save_captions(tmp_path / "run.vtt")
    assert len(webvtt.read(tmp_path / "run.vtt")) == steps


def test_words():
    assert [place_of(pan) for pan in (0, 40, 52, 64, 76, 88, 127)] == [
        "far left", "left", "slightly left", "in the middle", "slightly right", "right", "far right",
    ]  # fmt: skip
    assert [register_of(hz) for hz in (100, 200, 440, 600, 1100)] == ["very low", "low", "middle", "high", "very high"]
    assert [number_in_words(x) for x in (0.0, 0.0512, 1.0, 21.4, 9120, 3e-5, 9.12e12, np.inf)] == [
        "0", "0.051", "1.0", "21", "9100", "3.0 times 10 to the minus 5", "9.1 times 10 to the 12", "infinite",
    ]  # fmt: skip


def test_a_state_waits_until_what_happened_has_been_read():
    norms = np.ones((200, 4))
    norms[100:, 0] = np.nan
    norms[133:, 1] = np.inf  # 9.9 s later, just before the reminder of the first
    said = captions_of(gm.compose(Recording.from_arrays(norms, LAYERS)))
    (alarm,) = saying(said, "Alarm: Inf")
    (state,) = [one for one in said if alarm.end <= one.start < alarm.start + 6_000]
    assert state.text.startswith("Still: NaN in conv1; Inf in conv2.") and state.start == alarm.end
    assert len(alarm.text) <= READ_PER_SECOND * (alarm.end - alarm.start) / 1000
    assert all(one.end - one.start >= 1_000 for one in said if "Still" in one.text)


def test_what_lasts_is_what_is_held():
    """One event that names two layers ends in each on its own; and one mark ends what began as two."""
    norms = np.ones((400, 2))
    norms[100:110, 0] = norms[100:200, 1] = np.nan
    norms[300:, 1] = 0
    score = gm.compose(Recording.from_arrays(norms, ["a", "b"]))
    assert score.marks.of("nan").text.tolist() == ["NaN in a and 1 more layer at step 100"]
    first, last = score.marks.of("nan-recovered").time.tolist()
    (zero,) = score.marks.of("zero").time.tolist()
    said = captions_of(score)
    assert [one.text.split(".")[0] for one in said if 1000 * first + 4_000 < one.start < 1000 * last - 1000] == [
        "Still: NaN"
    ]
    after = [one.text for one in said if 1000 * last < one.start < 1000 * zero and "Recovered" not in one.text]
    assert after and all(text.startswith("Healthy") for text in after)
    assert saying(said, "Still: exactly zero in b.")


@pytest.mark.parametrize(
    ("held_until", "said_last"), [(100.0, "Still: NaN."), (30.0, "Healthy.")], ids=["held", "no longer held"]
)
def test_what_is_held_decides_where_marks_do_not(held_until, said_last):
    nan = [("nan", 10.0, "a"), ("nan", 11.0, "b"), ("nan-recovered", 30.0, "a")]
    kinds, times, layers = zip(*(nan if held_until < 100 else [*nan, ("nan-recovered", 31.0, "b")]), strict=True)
    held = np.full(1, 59)  # the tone of NaN
    score = Score(
        onset=np.array([10.0]),
        duration=np.array([held_until - 10.0]),
        frequency=np.array([1000.0]),
        layer=np.zeros(1, dtype=int),
        velocity=held,
        step=held,
        tied=np.zeros(1, dtype=bool),
        drum=held,
        voices=(Voice("state", 9, percussion=True, sustained=True),),
        marks=Marks(np.array(times), np.array(kinds), np.array(["said"] * len(times)), layer=np.array(layers)),
        length=100.0,
    )
    assert captions_of(score)[-1].text == f"{said_last} The layers are silent."
