"""100,000 steps past a receiver that cannot keep up: memory stays flat, and no alarm is lost."""

import os
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gradmidi.composition import Composer
from gradmidi.composition.timing import Timing
from gradmidi.outputs.live import LiveOutput
from tests.outputs.live.devices import is_note_on, one_row

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")

pytestmark = pytest.mark.slow

STEPS = 100_000
MEASURED_FROM = 20_000
ALARM_EVERY = 5_000
LAYERS = ("conv1", "conv2", "fc1", "fc2")


def memory(pid: int) -> int:
    """Resident memory of a process in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


class SlowReader:
    """Takes 4 KiB a second from a named pipe, until it may take all."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.text = b""
        self.hurry = False
        self._path = path
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._path.open("rb", buffering=0) as pipe:
            while piece := pipe.read(65536 if self.hurry else 80):
                self.text += piece
                time.sleep(0 if self.hurry else 0.02)

    def messages(self) -> list[bytes]:
        self._thread.join(10)
        return [bytes.fromhex(line.split(" ", 1)[1]) for line in self.text.decode().splitlines()]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux' /proc")
def test_memory_is_flat_and_no_alarm_is_lost(tmp_path):
    rng = np.random.default_rng(0)
    norms = rng.lognormal(0, 0.3, (1000, 4))
    reader = SlowReader(tmp_path / "pipe")
    fast = Timing(unit=0.001)  # 6 ms a step: some 27 KB of text a second for a reader of 4
    output = LiveOutput(Composer(LAYERS, timing=fast), f"file:{tmp_path / 'pipe'}", max_rate=10_000)
    player = output._link._process.pid
    begun = []
    alarms = 0
    for step in range(STEPS):
        row = norms[step % 1000].copy()
        if step % ALARM_EVERY == ALARM_EVERY - 1:
            row[alarms % 4] = np.nan
            alarms += 1
        output.feed(one_row(step, row))
        if step == MEASURED_FROM:
            begun = [memory(os.getpid()), memory(player)]
    grown = np.array([memory(os.getpid()), memory(player)]) - begun
    assert len(output._link._backlog) <= 1 << 18
    reader.hurry = True
    report = output.close()
    assert grown.max() < 3000, f"KiB: {grown}"
    assert report.failure == ""
    assert report.alarms == alarms == STEPS // ALARM_EVERY
    snares = [data for data in reader.messages() if is_note_on(data) and data[:2] == bytes((0x99, 38))]
    assert len(snares) >= alarms - report.merged > 0
    assert report.heard + report.skipped == STEPS
