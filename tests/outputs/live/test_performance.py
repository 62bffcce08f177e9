"""What is sent when, read from the exact bytes that a ``file:`` port records."""

import fcntl
import os
import time

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.timing import Timing
from gradmidi.errors import InputError, MissingPartError, TrainingWarning
from gradmidi.outputs.live import LiveOutput, play
from gradmidi.outputs.midi_events import note_events
from gradmidi.outputs.tuning import choose_tuning
from gradmidi.recording.row import Row
from tests.outputs.live.devices import is_note_off, is_note_on, is_panic, one_row, read_file

pytestmark = pytest.mark.slow

FAST = Timing(unit=0.002)
SNARE, CRASH = 38, 49
QUIET = (0.4, 1.8, 3.3, 2.4)


@pytest.fixture
def file_port(tmp_path):
    """A port that records; call it for what it has recorded."""
    path = tmp_path / "sent.txt"

    def read():
        return read_file(path)

    read.port = f"file:{path}"
    return read


def feed_for(output, seconds, row=lambda step: one_row(step, QUIET, loss=1.0), pause=0.004):
    """Feed steps as a training does; returns how many."""
    end, step = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        output.feed(row(step))
        step += 1
        time.sleep(pause)
    return step


@pytest.mark.parametrize("scale", ["A minor pentatonic", None])
@pytest.mark.parametrize("style", ["sequence", "drone"])
def test_live_sends_what_the_file_holds(scale, style, sick, file_port):
    """Pace ``wait``: the same messages in the same order at the same times, NaN, Inf, gap and bends included."""
    rows = sick.rows(10, 80)
    options = {"scale": scale, "style": style, "timing": FAST}
    with LiveOutput(Composer(sick.layers, **options), file_port.port, pace="wait", max_rate=5000) as output:
        for step in range(len(rows)):
            output.feed(rows.rows(step, step + 1))
    score = compose(rows, **options)
    expected = note_events(score, "bend" if scale is None else "12tet")
    sent = file_port()
    struck = next(i for i, heard in enumerate(sent) if is_note_on(heard.data))
    first = max(i for i, heard in enumerate(sent[:struck]) if heard.data[1:] == bytes((100, 127))) + 1  # RPNs closed
    first += sum(heard.data[0] == 0xB9 for heard in sent[first:struck])  # the percussion's set-up, which has none
    notes = sent[first : first + len(expected)]
    assert by_voice(heard.data for heard in notes) == by_voice(bytes(event.message.bytes()) for event in expected)
    if style == "sequence":
        shifts = [heard.at - event.time for heard, event in zip(notes, expected, strict=True)]
        assert np.ptp(shifts) < 0.1  # the machine may be busy
        assert np.median(np.abs(shifts - np.median(shifts))) < 0.001


def test_two_alarms_in_one_voice_are_both_heard(file_port):
    """NaN in one layer and Inf in another that share a voice: the snare in its place, the crash beside it."""
    grouped = Composer(("a", "b"), groups={"both": ["a", "b"]}, timing=FAST)
    with LiveOutput(grouped, file_port.port, pace="wait") as output:
        output.append(Row.of(0, np.array([np.nan, np.inf], dtype=np.float32)))
    drums = {heard.data[1] for heard in file_port() if is_note_on(heard.data) and heard.data[0] == 0x99}
    assert drums == {SNARE, CRASH}


def by_voice(messages):
    """Messages of each channel in order; the order of simultaneous ones on different channels is nobody's business."""
    found = {}
    for data in messages:
        if not is_panic(data):
            found.setdefault(data[0] & 0x0F, []).append(data)
    return found


def test_peak_plays_the_spike_between_two_heard_steps(file_port):
    def row(step):
        return one_row(step, (0.4, 1.8, 3.3, 10.0 if step == 50 else 2.4))

    with LiveOutput(Composer(("a", "b", "c", "d"), scale=None), file_port.port, tuning="12tet") as output:
        steps = feed_for(output, 1.2, lambda step: one_row(step, row(step).norms[0], ("a", "b", "c", "d")))
        report = output.close()
    assert steps > 50 and report.heard < steps / 10
    # log mapping: norm 2.4 is C4 + 12·log10(2.4) = key 65; norm 10 an octave above C4, key 72
    assert {heard.data[1] for heard in file_port() if is_note_on(heard.data) and heard.data[0] & 0x0F == 3} == {65, 72}


def test_an_alarm_cuts_the_step_that_sounds(file_port):
    slow = Timing(unit=0.5)  # 3 s a step
    with LiveOutput(Composer(("conv1", "conv2", "fc1", "fc2"), timing=slow), file_port.port) as output:
        feed_for(output, 0.4)
        asked = time.perf_counter()
        output.feed(one_row(1000, (0.4, np.nan, np.nan, 2.4)))
        time.sleep(1.3)  # nothing more is fed: whoever stops at a NaN hears it
        began = asked - time.perf_counter()
        report = output.close(drain=False)
    now = file_port()
    end = next(heard.at for heard in now if heard.data == bytes((0xB0, 64, 0)))  # the panic's first, sent at closing
    snare = [heard.at - end for heard in now if is_note_on(heard.data) and heard.data[:2] == bytes((0x99, SNARE))]
    # layer 2's place in the step is 0.5 s after its beginning, which follows within LATENCY
    assert snare[0] - began == pytest.approx(0.55, abs=0.1)
    assert report.alarms == 1
    assert most_at_once(now) == 1  # the note that was cut has ended, and those after it never began


def test_an_explosion_is_played_at_once(file_port):
    """A long note sounds and nobody looks at the steps, but one over twenty times its usual is heard within 0.2 s."""
    slow = Timing(unit=0.5)
    with LiveOutput(Composer(("conv1", "conv2", "fc1", "fc2"), timing=slow, scale=None), file_port.port) as output:
        steps = feed_for(output, 1.5)
        asked = time.perf_counter()
        output.append(Row.of(1000, np.array([4000.0, 1.8, 3.3, 2.4], dtype=np.float32)))
        time.sleep(0.3)
        began = asked - time.perf_counter()
        report = output.close(drain=False)
    now = file_port()
    end = next(heard.at for heard in now if heard.data == bytes((0xB0, 64, 0)))
    # log mapping: norm 4000 is 12·log10(4000) = 43 keys above C4
    high = [heard.at - end for heard in now if is_note_on(heard.data) and heard.data[:2] == bytes((0x90, 103))]
    assert report.alarms == 1
    assert report.steps == report.heard + report.skipped == steps + 1
    assert high[0] - began == pytest.approx(0.05, abs=0.1)


def most_at_once(sent):
    """Notes that sounded together."""
    changes = [is_note_on(heard.data) - is_note_off(heard.data) for heard in sent]
    return max(np.cumsum(changes))


def test_clock_ticks_24_a_quarter_with_steps_on_the_ticks(file_port):
    timing = Timing(unit=0.033, tempo=125)  # 198 ms a step, which is no multiple of a tick
    with LiveOutput(Composer(("conv1", "conv2", "fc1", "fc2"), timing=timing), file_port.port, clock=True) as output:
        feed_for(output, 1.5)
    sent = file_port()
    clock = [heard for heard in sent if heard.data[0] >= 0xF8]
    assert (clock[0].data, clock[-1].data) == (b"\xfa", b"\xfc")
    ticks = np.array([heard.at for heard in clock if heard.data == b"\xf8"])
    assert len(ticks) > 50
    assert np.median(np.diff(ticks)) == pytest.approx(60 / 125 / 24, abs=0.0005)  # 20 ms
    steps = [heard.at for heard in sent if is_note_on(heard.data) and heard.data[0] == 0x90]
    assert len(steps) >= 5
    from_tick = [np.abs(ticks - at).min() for at in steps]
    assert np.median(from_tick) < 0.002


def test_a_metric_moves_a_controller_on_change_at_most_50_times_a_second(file_port):
    def row(step):
        return one_row(step, QUIET, loss=2.0 * 0.99**step)

    with LiveOutput(Composer(("conv1", "conv2", "fc1", "fc2")), file_port.port, cc=["loss=74:0..2"]) as output:
        feed_for(output, 1.5, row)
    *sent, back, again = [heard for heard in file_port() if heard.data[:2] == bytes((0xB0, 74))]
    assert back.data[2] == again.data[2] == 64  # the synth is handed back as it was, said twice
    values = [heard.data[2] for heard in sent]
    assert len(values) > 20 and values == sorted(set(values), reverse=True)
    assert np.diff([heard.at for heard in sent]).min() > 0.015
    first_note = next(heard.at for heard in file_port() if is_note_on(heard.data))
    assert sent[0].at > first_note - 0.1  # after the set-up, which resets controllers


def test_an_interrupted_performance_counts_the_steps_that_waited(file_port):
    with LiveOutput(Composer(("conv1", "conv2", "fc1", "fc2"), timing=Timing(unit=0.5)), file_port.port) as output:
        steps = feed_for(output, 0.6)
        report = output.close(drain=False)
    assert report.steps == steps and report.skipped == steps - report.heard


def test_the_rate_limit_holds(file_port):
    with LiveOutput(Composer(("a", "b", "c")), file_port.port, max_rate=100) as output:
        feed_for(output, 0.8, lambda step: one_row(step, (1.0, 2.0, 3.0), ("a", "b", "c")))
    times = np.array([heard.at for heard in file_port() if not is_panic(heard.data)])
    in_a_second = [np.sum((times >= at) & (times < at + 1)) for at in times]
    assert max(in_a_second) <= 100 + 24 + 1  # the short burst that is let through


def test_feeding_never_raises_and_warns_once(file_port):
    output = LiveOutput(Composer(("a", "b")), file_port.port)
    with pytest.warns(TrainingWarning, match="the training continues") as warned:
        for step in range(3):
            output.feed(one_row(step, (1.0, 2.0, 3.0), ("a", "b", "c")))
    assert len(warned) == 1
    assert "goes on" not in output.close().failure


@pytest.mark.filterwarnings("error")
def test_a_training_that_makes_warnings_errors_goes_on_too(file_port, capsys):
    output = LiveOutput(Composer(("a", "b")), file_port.port)
    output.feed(one_row(0, (1.0, 2.0, 3.0), ("a", "b", "c")))
    assert "the training continues" in capsys.readouterr().err
    output.close()


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
        end = time.perf_counter() + 4.5
        while time.perf_counter() < end:
            asked = time.perf_counter()
            output.feed(one_row(0, (1.0, 2.0), ("a", "b")))
            slowest = max(slowest, time.perf_counter() - asked)
            time.sleep(0.004)
        closing = time.perf_counter()
        report = output.close()
    assert time.perf_counter() - closing < 1
    assert len(warned) == 1 and report.failure
    assert slowest < 0.5
    os.close(reader)


def test_drones_end_when_the_performance_ends(file_port):
    with LiveOutput(Composer(("a", "b"), style="drone"), file_port.port) as output:
        feed_for(output, 0.5, lambda step: one_row(step, (1.0, 2.0), ("a", "b")))
    sent = [heard.data for heard in file_port()]
    ons = sum(map(is_note_on, sent))
    assert ons == sum(data[0] & 0xF0 == 0x80 for data in sent) == 2


def test_a_midi_file_is_played_as_its_tempo_says(healthy, tmp_path, file_port):
    rows = healthy.rows(0, 20)
    score = compose(rows, timing=FAST)
    score.save_midi(tmp_path / "run.mid")
    told = []
    report = play(
        tmp_path / "run.mid", file_port.port, speed=0.5, progress=lambda done, total: told.append((done, total))
    )
    notes = [heard for heard in file_port() if is_note_on(heard.data)]
    assert [heard.data[1] for heard in notes] == [
        event.message.note
        for event in note_events(score, choose_tuning("auto", score.frequency))
        if event.message.type == "note_on"
    ]
    assert notes[-1].at - notes[0].at == pytest.approx(2 * (score.onset[-1] - score.onset[0]), abs=0.05)
    assert told[-1][1] == pytest.approx(score.length) and report.notes == 80


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


def test_a_score_plays_itself(healthy, tmp_path):
    score = compose(healthy.rows(0, 3), unit="10ms")
    report = score.play(f"file:{tmp_path / 'out.txt'}")
    assert report.notes == len(score)
