"""How late live notes are while MNIST trains on all cores, and what playing costs the training.

    python -m benchmarks live_lateness        (two minutes; a JACK server of its own is started if jackd is there)

Lateness: 1,000 notes, one every 20 ms, each way in a process of its own that trains all the while. A note's lateness is
the time from its deadline to the return of the MIDI library's send call, on one clock. The ways: gradmidi as it is,
gradmidi without the right to real-time priority, a thread that sleeps until each deadline and sends through mido, and
``mido.MidiFile.play`` in a thread.

Speed: the same training with and without live notes, in turns of 25 steps in one process; the recording is written in
both. The ratio is the median over the pairs of turns, with its quartiles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import mido
import numpy as np

from benchmarks.timing import table
from gradmidi.composition import Composer
from gradmidi.composition.timing import Timing
from gradmidi.experiments.digits import embedded_digits
from gradmidi.experiments.mnist import Step, train
from gradmidi.experiments.settings import LAYERS, preset_settings
from gradmidi.outputs.live import LiveOutput
from gradmidi.recording import Recording
from gradmidi.recording_csv import RecordingWriter

NOTES = 1000
EVERY = 0.02  # s
TURN = 25  # steps
SPEED_SECONDS = 45.0  # for each row
SERVER = f"gradmidi-benchmark-{os.getpid()}"
NO_REALTIME = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice")
ON, OFF = mido.Message("note_on", note=60), mido.Message("note_off", note=60)


class Enough(BaseException):
    """The notes are through and the training may end. No Exception, as the probe lets none of those through."""


def as_recording(step: Step) -> Recording:
    metrics = {"epoch": np.array([float(step.epoch)]), "loss": np.array([step.loss])}
    return Recording(LAYERS, np.array([step.step]), step.norms[None].astype(float), metrics, gaps=step.gaps[None])


def train_until_enough(on_step: Callable[[Step], None]) -> None:
    settings = preset_settings("sgd-lr0.01", seed=1, steps=10**6)
    try:
        train(settings, embedded_digits(), on_step)
    except Enough:
        return


def ours(port: str) -> dict[str, object]:
    """gradmidi: ten voices and no rest, so that a note is due every 20 ms and a step every 200 ms."""
    voices = tuple(f"voice{number}" for number in range(10))
    output = LiveOutput(Composer(voices, timing=Timing(EVERY, rest=0)), port, max_rate=2000)
    end = time.perf_counter() + NOTES * EVERY

    def on_step(step: Step) -> None:
        # Several at once, so that notes are due throughout even where a step takes longer than its notes.
        output.feed(Recording(voices, np.arange(5), np.resize(step.norms, (5, len(voices)))))
        if time.perf_counter() > end:
            raise Enough

    train_until_enough(on_step)
    return asdict(output.close())


def with_thread(play: Callable[[list[float]], None]) -> dict[str, object]:
    """A training beside which ``play`` runs in a thread and collects how late each note was."""
    delays: list[float] = []
    thread = threading.Thread(target=play, args=(delays,), daemon=True)

    def on_step(step: Step) -> None:
        if step.step == 10:
            thread.start()
        if step.step > 10 and not thread.is_alive():
            raise Enough

    train_until_enough(on_step)
    p50, p99 = np.quantile(delays, [0.5, 0.99]).tolist()
    return {"notes": len(delays), "late_p50": p50, "late_p99": p99, "late_max": max(delays), "realtime": False}


def plain_thread(port: str) -> dict[str, object]:
    with mido_port(port) as out:

        def play(delays: list[float]) -> None:
            start = time.perf_counter() + EVERY
            for number in range(NOTES):
                due = start + number * EVERY
                time.sleep(max(due - time.perf_counter(), 0))
                out.send(ON)
                delays.append(time.perf_counter() - due)
                out.send(OFF)

        return with_thread(play)


def midi_file_play(port: str) -> dict[str, object]:
    file = mido.MidiFile(ticks_per_beat=480)
    track = file.add_track()
    track.append(mido.MetaMessage("set_tempo", tempo=480_000))  # a tick is 1 ms
    for _ in range(NOTES):
        track.append(ON.copy(time=0))
        track.append(OFF.copy(time=round(EVERY * 1000)))
    with mido_port(port) as out:

        def play(delays: list[float]) -> None:
            start = time.perf_counter()
            for message in file.play():
                out.send(message)
                if message.type == "note_on":
                    delays.append(time.perf_counter() - start - len(delays) * EVERY)

        return with_thread(play)


@contextmanager
def mido_port(port: str) -> Iterator[mido.ports.BaseOutput]:
    if port.startswith("file:"):
        yield mido.ports.EchoPort("nowhere")
        return
    mido.set_backend("mido.backends.rtmidi/UNIX_JACK")
    with mido.open_output("out", virtual=True, client_name="peer") as out:
        yield out


WAYS = {"ours": ours, "thread": plain_thread, "file": midi_file_play}
ROWS = (
    ("gradmidi", "ours", ()),
    ("gradmidi, real-time priority not allowed", "ours", NO_REALTIME),
    ("thread beside the training, through mido", "thread", ()),
    ("mido.MidiFile.play in a thread", "file", ()),
)


def lateness_rows(port: str) -> Iterator[tuple[str, ...]]:
    for name, way, prefix in ROWS:
        command = [*prefix, sys.executable, "-m", "benchmarks.live_lateness", way, port]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            yield name, f"could not run: {done.stderr.strip().splitlines()[-1][:60]}", "", "", "", ""
            continue
        told = json.loads(done.stdout)
        times = (f"{1000 * told[key]:.2f}" for key in ("late_p50", "late_p99", "late_max"))
        yield name, "yes" if told["realtime"] else "no", str(told["notes"]), *times


def speed_row(port: str, unit: float) -> tuple[str, ...]:
    """Turns of training with and without live notes; which of a pair comes first changes from pair to pair."""
    output = LiveOutput(Composer(LAYERS, timing=Timing(unit)), port)
    durations: dict[bool, list[float]] = {True: [], False: []}
    marks = [time.perf_counter()]
    end = marks[0] + SPEED_SECONDS
    with tempfile.TemporaryDirectory() as folder, RecordingWriter(Path(folder) / "norms.csv", LAYERS) as writer:

        def on_step(step: Step) -> None:
            turn = step.step // TURN
            live = (turn % 4) in (1, 2)
            writer.append(step.step, step.norms, {"epoch": float(step.epoch), "loss": step.loss}, step.gaps)
            if live:
                output.feed(as_recording(step))
            if step.step % TURN == TURN - 1:
                now = time.perf_counter()
                durations[live].append(now - marks.pop())
                marks.append(now)
            if turn % 4 == 0 and time.perf_counter() > end:
                raise Enough

        train_until_enough(on_step)
    output.close()
    pairs = list(zip(durations[True], durations[False], strict=False))[2:]
    low, median, high = np.quantile([100 * (live / silent - 1) for live, silent in pairs], [0.25, 0.5, 0.75])
    step_ms = 1000 * float(np.median(durations[False])) / TURN
    return f"{1000 * unit:g} ms", str(len(pairs)), f"{step_ms:.2f}", f"{median:+.1f} %", f"{low:+.1f} … {high:+.1f} %"


@contextmanager
def jack_server() -> Iterator[str]:
    """The port to use: a virtual one on a JACK server without hardware, or a file where there is no jackd."""
    os.environ.update(JACK_DEFAULT_SERVER=SERVER, JACK_NO_AUDIO_RESERVATION="1")
    command = ["jackd", "--no-realtime", "-n", SERVER, "-d", "dummy", "-r", "48000", "-p", "256"]
    try:
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        yield f"file:{os.devnull}"
        return
    try:
        time.sleep(2)
        yield ""
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    with jack_server() as port:
        print(f"## Live notes: {NOTES:,} at {1000 * EVERY:g} ms while MNIST trains on {os.cpu_count()} cores\n")
        heads = ("way", "real-time", "notes", "p50 ms", "p99 ms", "max ms")
        print(table(heads, list(lateness_rows(port))))
        print(f"\n## Training with live notes (pace peak) against recording only, turns of {TURN} steps\n")
        heads = ("note length", "pairs of turns", "ms a step, recording", "live takes", "quartiles")
        print(table(heads, [speed_row(port, unit) for unit in (0.05, 0.01)]))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(WAYS[sys.argv[1]](sys.argv[2])))
    else:
        main()
