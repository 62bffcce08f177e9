"""How late live notes are while MNIST trains on all cores, and what playing costs the training.

    python -m benchmarks live_lateness        (eight minutes; a JACK server of its own is started if jackd is there)

Lateness: 1,000 notes, one every 20 ms, each way in a process of its own that trains all the while. A note's lateness is
the time from its deadline to the return of the MIDI library's send call, on one clock. The ways: gradmidi as it is,
gradmidi without the right to real-time priority, a thread that sleeps until each deadline and sends through mido, and
``mido.MidiFile.play`` in a thread.

Speed: one training, which is recorded throughout, with live notes in one turn of each pair and without them in the
other, in a random order. A turn is as long as four notes of 50 ms and what goes before them, so that all that a heard
step takes falls into its own turn; between turns there is a pause in which the notes end. The port is open in both, so
the processor time that the player takes, waiting and playing, stands beside it.
"""

from __future__ import annotations

import json
import os
import random
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

from benchmarks.timing import median_and_doubt, table
from gradmidi.composition import Composer
from gradmidi.composition.timing import Timing
from gradmidi.experiments.digits import embedded_digits
from gradmidi.experiments.mnist import into, train
from gradmidi.experiments.settings import LAYERS, preset_settings
from gradmidi.outputs.live import LiveOutput
from gradmidi.recording import Recording
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.recording.row import Row

NOTES = 1000
EVERY = 0.02  # s
TURN, PAUSE = 0.26, 0.12  # s
PAIRS = 250  # of turns
SERVER = f"gradmidi-benchmark-{os.getpid()}"
NO_REALTIME = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice")
ON, OFF = mido.Message("note_on", note=60), mido.Message("note_off", note=60)


class Enough(BaseException):
    """The notes are through and the training may end. No Exception, as the probe lets none of those through."""


class Calling:
    """A sink that calls a function with each row."""

    def __init__(self, function: Callable[[Row], None]) -> None:
        self.append = function


def train_until_enough(on_step: Callable[[Row], None]) -> None:
    settings = preset_settings("sgd-lr0.01", seed=1, steps=10**6)
    try:
        train(settings, embedded_digits(), into(Calling(on_step)))
    except Enough:
        return


def ours(port: str) -> dict[str, object]:
    """gradmidi: ten voices and no rest, so that a note is due every 20 ms and a step every 200 ms."""
    voices = tuple(f"voice{number}" for number in range(10))
    output = LiveOutput(Composer(voices, timing=Timing(EVERY, rest=0)), port, max_rate=2000)
    end = time.perf_counter() + NOTES * EVERY

    def on_step(row: Row) -> None:
        # Several at once, so that notes are due throughout even where a step takes longer than its notes.
        output.feed(Recording(voices, np.arange(5), np.resize(row.norms, (5, len(voices)))))
        if time.perf_counter() > end:
            raise Enough

    train_until_enough(on_step)
    return asdict(output.close())


def with_thread(play: Callable[[list[float]], None]) -> dict[str, object]:
    """A training beside which ``play`` runs in a thread and collects how late each note was."""
    delays: list[float] = []
    thread = threading.Thread(target=play, args=(delays,), daemon=True)

    def on_step(row: Row) -> None:
        if row.step == 10:
            thread.start()
        if row.step > 10 and not thread.is_alive():
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


class Turns:
    """Gives each step of a training to its turn: ``"live"``, ``"recording"``, or ``""`` in the pauses."""

    def __init__(self, pairs: int) -> None:
        self.milliseconds: dict[str, list[float]] = {"live": [], "recording": []}
        self._plan = [way for _ in range(pairs) for way in random.sample(list(self.milliseconds), 2)]
        self._begun = time.perf_counter()
        self._steps = 0
        self.now = ""

    def step(self) -> None:
        """One more step is done."""
        self._steps += 1
        took = time.perf_counter() - self._begun
        if took < (TURN if self.now else PAUSE):
            return
        if self.now:
            self.milliseconds[self.now].append(1000 * took / self._steps)
        elif not self._plan:
            raise Enough
        self.now = "" if self.now else self._plan.pop()
        self._begun, self._steps = time.perf_counter(), 0


def speed_row(port: str, unit: float) -> tuple[str, ...]:
    """What live notes of ``unit`` s cost the training."""
    output = LiveOutput(Composer(LAYERS, timing=Timing(unit)), port)
    turns, inside = Turns(PAIRS), [0.0]  # s in our code, of the live turns
    begun, taken = time.perf_counter(), processor_time(output)
    with tempfile.TemporaryDirectory() as folder, RecordingWriter(Path(folder) / "norms.csv", LAYERS) as writer:

        def on_step(row: Row) -> None:
            writer.append(row)
            if turns.now == "live":
                start = time.perf_counter()
                output.append(row)
                inside[0] += time.perf_counter() - start
            turns.step()

        train_until_enough(on_step)
    player = (processor_time(output) - taken) / (time.perf_counter() - begun)
    output.close(drain=False)
    live, silent = turns.milliseconds["live"], turns.milliseconds["recording"]
    takes = [100 * (a / b - 1) for a, b in zip(live, silent, strict=True)]
    median, low, high = median_and_doubt(takes)
    return (
        f"{1000 * unit:g} ms",
        str(len(takes)),
        f"{np.median(silent):.2f}",
        f"{median:+.1f} %",
        f"{low:+.1f} … {high:+.1f} %",
        f"{100 * inside[0] / (len(live) * TURN):.1f} %",
        f"{100 * player:.1f} %",
    )


def processor_time(output: LiveOutput) -> float:
    """s of a processor that the player has had so far; nan where the system does not say (it is Linux that does)."""
    tasks = Path(f"/proc/{output._link._process.pid}/task")
    if not tasks.exists():
        return float("nan")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


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
        print("\n## Training with live notes (pace peak) against recording only\n")
        heads = ("note length", "pairs of turns", "ms a step, recording", "live takes", "95 % confidence")
        heads += ("of it in the training's thread", "player, of one core")
        print(table(heads, [speed_row(port, unit) for unit in (0.05, 0.01)]))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(WAYS[sys.argv[1]](sys.argv[2])))
    else:
        main()
