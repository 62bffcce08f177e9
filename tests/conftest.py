"""What tests of all rooms share: recordings of a size that runs fast, and parts of the system that may be missing."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# Nets of tests are too small for threads, and threads of several processes would wait for each other. Before torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell's background jobs ignore Ctrl-C, and so would the processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from gradmidi.recording import Recording
from tests.warm import start_python

# Machines that run several things at once are slow now and then.
settings.register_profile("gradmidi", deadline=None)
settings.load_profile("gradmidi")

ROOT = Path(__file__).parents[1]
PURE_TONE = ROOT / "soundfonts" / "pure-tone.sf2"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of slow tests come first: the quick ones at the end keep every worker busy until all are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def nothing_is_left_outside():
    """No test that runs as root leaves a file at the root of the machine; what it makes is below ``tmp_path``."""
    before = set(Path("/").iterdir())
    yield
    left = set(Path("/").iterdir()) - before
    assert not left, f"left by a test: {', '.join(sorted(map(str, left)))}"


def needs(condition: bool, part: str) -> None:
    """Skip a test that misses a part of the system, with the reason; fail it where CI says that nothing may miss."""
    if condition:
        return
    if os.environ.get("GRADMIDI_REQUIRE_PARTS"):
        pytest.fail(f"{part} is missing, and nothing may be in CI")
    pytest.skip(f"{part} is not installed")


@pytest.fixture
def need_program():
    """Call with the names of programs that the test runs."""

    def check(*names: str) -> None:
        for name in names:
            needs(shutil.which(name) is not None, name)

    return check


@pytest.fixture
def need_fluidsynth() -> None:
    from gradmidi.errors import MissingPartError
    from gradmidi.outputs.fluid import Fluid

    try:
        Fluid(PURE_TONE).close()
    except MissingPartError:
        needs(False, "libfluidsynth")


@pytest.fixture
def pure_tone() -> Path:
    """The SoundFont whose only sound is a sine."""
    return PURE_TONE


@pytest.fixture
def pitch_of():
    """Call with samples and their rate: Hz of the strongest peak of a long spectrum, refined by a parabola."""

    def strongest(samples: np.ndarray, rate: int) -> float:
        size = 2**19
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
        spectrum[: int(20 * size / rate)] = 0
        peak = int(spectrum.argmax())
        a, b, c = np.log(spectrum[peak - 1 : peak + 2])
        return (peak + 0.5 * (a - c) / (a - 2 * b + c)) * rate / size

    return strongest


@pytest.fixture(scope="session")
def warm_python():
    """Processes that need not import torch; see :mod:`tests.warm`."""
    python = start_python()
    yield python
    python.close()


@pytest.fixture
def run_cli(tmp_path, warm_python):
    """Run the real command in a separate process, in an empty folder; returns the finished process.

    With options that only a new process can have, such as other streams, it is a new Python.
    """

    def run(*args: object, **options) -> subprocess.CompletedProcess:
        words = ["-m", "gradmidi", *map(str, args)]
        if options.keys() <= {"cwd", "text", "check"}:
            return warm_python.run(words, **{"cwd": tmp_path} | options)
        options = {"cwd": tmp_path, "text": True, "capture_output": True, "timeout": 300, "check": False} | options
        return subprocess.run([sys.executable, *words], **options)

    return run


@pytest.fixture
def healthy() -> Recording:
    """201 steps of four layers with norms as the post's network has them."""
    rng = np.random.default_rng(7)
    norms = np.float32(np.array([0.44, 1.84, 3.35, 2.36]) * np.exp(rng.normal(0, 0.4, (201, 4))))
    return Recording(
        ("conv1", "conv2", "fc1", "fc2"),
        np.arange(201),
        norms,
        {"epoch": np.repeat([1.0, 2.0], [150, 51]), "loss": np.linspace(2.3, 0.2, 201)},
        {"title": "a healthy run", "seed": "7"},
    )


@pytest.fixture
def sick(healthy: Recording) -> Recording:
    """The healthy run with an explosion, Inf, NaN, zeros and a gap."""
    norms, gaps = healthy.norms.copy(), healthy.gaps.copy()
    norms[20, 1] = 1e7
    norms[30, 0] = np.inf
    norms[40, 2] = np.nan
    norms[50:60, 3] = 0.0
    norms[70, 0], gaps[70, 0] = np.nan, True
    return Recording(healthy.layers, healthy.steps, norms, healthy.metrics, healthy.meta, gaps)


def pytest_terminal_summary(terminalreporter):
    """The counts of the fuzz room; here, as its own conftest is read by the workers of xdist only."""
    from tests.fuzz.room import COUNTS, as_table

    reports = [one for outcome in ("passed", "failed") for one in terminalreporter.stats.get(outcome, ())]
    counts = [value for report in reports for name, value in report.user_properties if name == COUNTS]
    if counts:
        terminalreporter.section("fuzz")
        terminalreporter.write_line(as_table(counts))
