"""A command on a terminal of its own, as far as its output tells one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def said_on_a_terminal(arguments: Sequence[str | Path], cwd: Path, **environment: str) -> bytes:
    """What ``gradmidi`` with these arguments writes to a terminal with colours."""
    leader, follower = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "gradmidi", *arguments],
        cwd=cwd,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        check=False,
    )
    os.close(follower)
    text = b""
    try:
        while part := os.read(leader, 65536):
            text += part
    except OSError:  # Linux answers so when the other end is closed
        pass
    os.close(leader)
    return text
