"""Starting the processes in which MIDI libraries run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import gradmidi

WINDOWS_FLAGS = ("HIGH_PRIORITY_CLASS", "CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW")


def start_player(module: str, argument: str, stdin: IO[bytes] | int) -> subprocess.Popen[str]:
    """``python -m gradmidi.outputs.live.MODULE ARGUMENT`` in a separate session, which Ctrl-C does not reach."""
    root = str(Path(gradmidi.__file__).parent.parent)
    search = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    process = subprocess.Popen(
        # -P: a queue.py or signal.py in the folder of the training must not replace Python's own.
        [sys.executable, "-P", "-m", f"gradmidi.outputs.live.{module}", argument],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": search},
        start_new_session=True,
        creationflags=sum(getattr(subprocess, name, 0) for name in WINDOWS_FLAGS),
    )
    if not isinstance(stdin, int):
        stdin.close()
    return process
