"""What only the real child process, in real time, can show, read from the exact bytes that a ``file:`` port records."""

import fcntl
import os
import time
from functools import partial

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.timing import Timing
from gradmidi.errors import InputError, MissingPartError, TrainingWarning
from gradmidi.outputs.live import LiveOutput, play
from gradmidi.outputs.midi_events import note_events
from tests.outputs.live.devices import is_note_on, one_row, read_file
from tests.outputs.live.performances import by_voice, notes_after_the_setup

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")
compose = partial(compose, sound="post")

pytestmark = pytest.mark.slow


def test_the_player_sends_each_message_at_its_time(sick, tmp_path):
    """As ``test_live_sends_what_the_file_holds``, with the player that users have."""
    rows, options = sick.rows(10, 80), {"scale": None, "timing": Timing(unit=0.002)}
    composer = Composer(sick.layers, **options)
    with LiveOutput(composer, f"file:{tmp_path / 'sent.txt'}", pace="wait", max_rate=5000) as output:
        for step in range(len(rows)):
            output.feed(rows.rows(step, step + 1))
    expected = note_events(compose(rows, **options), "bend")
    notes = notes_after_the_setup(read_file(tmp_path / "sent.txt"))[: len(expected)]
    assert by_voice(heard.data for heard in notes) == by_voice(bytes(event.message.bytes()) for event in expected)
    shifts = [heard.at - event.time for heard, event in zip(notes, expected, strict=True)]
    assert np.ptp(shifts) < 0.1  # the machine may be busy
    assert np.median(np.abs(shifts - np.median(shifts))) < 0.001


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="the pipe's size can be set on Linux only")
def test_a_device_that_takes_nothing_any_more_is_given_up_with_one_warning(tmp_path):
    """The player hangs in its write; the training feeds on without waiting, and closing finds nobody to wait for."""
    os.mkfifo(tmp_path / "device")
    reader = os.open(tmp_path / "device", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    composer = Composer(("a", "b"), timing=Timing(unit=0.005))
    slowest = 0.0
    with pytest.warns(TrainingWarning, match="the player process is gone") as warned:
        output = LiveOutput(composer, f"file:{tmp_path / 'device'}")
        end = time.perf_counter() + 30
        while not warned and (asked := time.perf_counter()) < end:
            output.feed(one_row(0, (1.0, 2.0), ("a", "b")))
            slowest = max(slowest, time.perf_counter() - asked)
            time.sleep(0.004)
        for _ in range(50):
            output.feed(one_row(0, (1.0, 2.0), ("a", "b")))
        closing = time.perf_counter()
        report = output.close()
    assert time.perf_counter() - closing < 1
    assert len(warned) == 1 and report.failure
    assert slowest < 0.5
    os.close(reader)


def test_a_score_plays_itself(healthy, tmp_path):
    score = compose(healthy.rows(0, 3), unit="10ms", sound="post")
    report = score.play(f"file:{tmp_path / 'out.txt'}")
    assert report.notes == len(score) == sum(is_note_on(heard.data) for heard in read_file(tmp_path / "out.txt"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pace": "soon"}, "no pace is called 'soon'; there are latest, peak, mean, wait"),
        ({"cc": ["loss"]}, "write it as loss=74"),
        ({"cc": ["loss=7"]}, "controller 7 of 'loss=7' is not free"),
        ({"cc": ["loss=74", "accuracy=74"]}, "controller 74 of 'accuracy=74' is not free"),
        ({"max_rate": 0}, "0 messages per second"),
        ({"tuning": "just"}, "no tuning is called 'just'"),
        ({"backend": "oss", "port": ""}, "no MIDI backend is called 'oss'"),
        ({"port": "file:/dev/null/x"}, "cannot write /dev/null/x"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(options, words, tmp_path):
    given = {"port": f"file:{tmp_path / 'x'}"} | options
    with pytest.raises(InputError, match=words) as refused:
        LiveOutput(Composer(("a",)), **given)
    assert "\n" not in str(refused.value)


def test_without_a_midi_system_the_message_says_what_to_run(monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "gradmidi-nobody")
    with pytest.raises(MissingPartError, match="run: ") as refused:
        LiveOutput(Composer(("a",)), backend="jack")
    assert "\n" not in str(refused.value)


def test_play_refuses_what_is_not_midi(tmp_path):
    (tmp_path / "x.mid").write_text("not a MIDI file at all, only text")
    with pytest.raises(InputError, match="not a MIDI file"):
        play(tmp_path / "x.mid")
    with pytest.raises(InputError, match="no such file"):
        play(tmp_path / "nothing.mid")
