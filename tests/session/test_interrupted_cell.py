"""A notebook's cell, interrupted at random moments and run again: never an unreadable or mixed file, no step lost."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gradmidi.recording import Recording
from tests.session.test_forked_child import ENVIRONMENT
from tests.warm import ColdPython, WarmPython

pytestmark = pytest.mark.slow

RUNS = int(os.environ.get("GRADMIDI_INTERRUPTS", "50"))

# What a notebook does: one process, one set of globals, and Ctrl-C (the stop button) as a signal. A hook behind ours
# writes down the steps that are really made; it comes after ours, so what it has seen must be in the recording.
NOTEBOOK = """
import json, random, signal, sys, time, warnings
import torch
import gradmidi
from tests.measure.nets import small_net, weight_norms

runs, options = int(sys.argv[1]), json.loads(sys.argv[3])
cell = compile(sys.argv[2], "cell", "exec")
signal.signal(signal.SIGALRM, signal.default_int_handler)
warnings.simplefilter("ignore")
random.seed(3)
made = []
model = small_net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)

def count(optimizer, args, kwargs):
    made.append(weight_norms(model))

def seconds():
    begin = time.perf_counter()
    exec(cell, globals())
    return time.perf_counter() - begin

seconds()  # what is slow the first time only
usual = max(seconds() for _ in range(3))
for run in range(runs):
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0, 1.1) * usual + 1e-6)
            seconds()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt as error:
        sys.last_value = error  # which IPython keeps, and with it every frame of ours
seconds()
json.dump(made, open("made.json", "w"))
"""

# An interrupt within optimizer.step may leave torch without gradients; that is torch's own, with or without us.
LOOP = """
    torch.set_grad_enabled(True)
    counter = optimizer.register_step_pre_hook(count)
    for step in range(12):
        optimizer.zero_grad()
        loss = model(torch.randn(5, 6)).square().mean()
        loss.backward()
        session.log(loss=loss)
        optimizer.step()
"""
WITH = f"""
try:
  with gradmidi.listen(model, optimizer, path="norms.csv", **options) as session:
{LOOP}
finally:
    counter.remove()
"""
WITHOUT = f"""
model = small_net(len(made))
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
session = gradmidi.listen(model, optimizer, path="norms.csv", **options)
if True:
{LOOP}
"""


def interrupted(python: WarmPython | ColdPython, folder: Path, cell: str, **options: object) -> list[list[float]]:
    """Run the cell again and again; the norms of the steps that were made."""
    words = ["-c", NOTEBOOK, str(RUNS), textwrap.dedent(cell), json.dumps(options)]
    done = python.run(words, cwd=folder, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    made: list[list[float]] = json.loads((folder / "made.json").read_text())
    return made


def number(path: Path) -> int:
    """Of a recording that was kept; the newest one comes last."""
    return int(path.name.split(".")[1]) if path.name != "norms.csv" else sys.maxsize


def in_order(folder: Path) -> list[Recording]:
    return [Recording.load(path) for path in sorted(folder.glob("norms*.csv"), key=number)]


def assert_nothing_is_lost(made: list[list[float]], recordings: list[Recording], most_more: int) -> None:
    """Every step that was made is there, in order; between them stand only steps that Ctrl-C stopped at the last."""
    rows = np.concatenate([recording.norms for recording in recordings])
    at = 0
    for norms in made:
        while not np.allclose(rows[at], norms, rtol=1e-5):
            at += 1
        at += 1
    assert len(made) <= len(rows) <= len(made) + most_more


@pytest.mark.skipif(os.name == "nt", reason="POSIX timers")
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("cell", [WITH, WITHOUT], ids=["with", "without"])
def test_a_cell_that_is_interrupted_and_run_again(cell, late, warm_python, tmp_path):
    made = interrupted(warm_python, tmp_path, cell, late=late)
    recordings = in_order(tmp_path)
    assert len(recordings) > RUNS / 5  # how many hold a step depends on how busy the machine is
    assert any(len(recording) < 12 for recording in recordings)
    for recording in recordings:
        assert recording.steps.tolist() == list(range(len(recording)))
    assert_nothing_is_lost(made, recordings, most_more=RUNS)


@pytest.mark.skipif(os.name == "nt", reason="POSIX timers")
def test_a_cell_that_continues_its_file(warm_python, tmp_path):
    made = interrupted(warm_python, tmp_path, WITHOUT, existing="append")
    (recording,) = in_order(tmp_path)
    assert recording.steps.tolist() == list(range(len(recording)))
    assert_nothing_is_lost(made, [recording], most_more=RUNS)
    assert len(recording.seams()) > RUNS / 5
