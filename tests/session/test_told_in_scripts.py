"""Being told in real scripts: sessions that are left open, exceptions, Ctrl-C, and workers that are forked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.warm import ROOT

pytestmark = pytest.mark.slow

BEGIN = """
import os, signal, sys, time
import torch
from torch.utils.data import DataLoader
from gradmidi.session import listen
from tests.session.test_told import nan_at, still, train

def note(event):
    with open("told.txt", "a") as file:
        file.write(f"{os.getpid() == main} {event.kind}: {event.text}\\n")

main = os.getpid()
model, optimizer = still()
session = listen(model, optimizer)
session.on_event(note)
"""
WORKERS = """
session.on_event(lambda event: time.sleep(60))
for x in DataLoader(torch.randn(24, 4), batch_size=2, num_workers=2):
    train(model, optimizer, 1, nan_at(0) if x is not None and len(session.telling.events) == 0 else lambda *_: None)
"""


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        ("train(model, optimizer, 4)", 0, ["the run ended well after 4 steps"]),
        ("train(model, optimizer, 4); raise ValueError", 1, ["the run ended with an exception after 4 steps"]),
        (
            "train(model, optimizer, 4); signal.raise_signal(signal.SIGINT)",
            -signal.SIGINT,
            ["the run ended early, stopped by a person, after 4 steps"],
        ),
        ("train(model, optimizer, 4); sys.exit(3)", 3, ["the run ended well after 4 steps"]),
        (
            WORKERS,
            0,
            ["NaN in 1 at step 0", "NaN in 1 at step 0", "the run ended well after 12 steps"],
        ),
    ],
    ids=["left open", "exception", "Ctrl-C", "exit", "workers, and a callback that hangs"],
)
def test_the_end_of_a_script_is_told(end, code, told, tmp_path) -> None:
    """By a Python of its own, as one that is forked does not end with the exception as such."""
    script = tmp_path / "script.py"
    script.write_text(BEGIN + end)
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert time.monotonic() - begun < 30, "the callback that hangs for 60 s was not waited for"
    lines = (tmp_path / "told.txt").read_text().splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == told
    assert all(line.startswith("True ") for line in lines), "no worker tells anything"
