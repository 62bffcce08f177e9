"""Runs a program in our place: same terminal, same signals, same exit code."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from gradmidi.errors import InputError

PASSED_ON = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")  # those that the system has
FROM_KEYBOARD = ("SIGINT", "SIGQUIT")
KILLED = 128  # what shells add to the number of the signal that ended a program


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program to its end and return its exit code, or 128 + n if signal n ended it.

    Raises:
        InputError: there is no such program, or it may not be run.
    """
    try:
        # Whatever else the shell opened for the program (`<(…)`, `3<file`) is passed through as well.
        child = subprocess.Popen(command, env=environment, close_fds=False)
    except OSError as error:
        raise InputError(f"cannot run {command[0]}: {error.strerror}") from None
    before = _pass_on_signals(child)
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else KILLED - code


def _pass_on_signals(child: subprocess.Popen[bytes]) -> dict[int, Any]:
    """Pass signals on to the child instead of handling them; returns the earlier handlers."""
    keyboard = [getattr(signal, name) for name in FROM_KEYBOARD if hasattr(signal, name)]

    def pass_on(number: int, frame: FrameType | None) -> None:
        # A terminal has sent its Ctrl-C to both of us; a second one would interrupt the script's cleanup.
        if number not in keyboard or not _in_front_of_a_terminal():
            child.send_signal(number)

    before = {}
    for name in PASSED_ON:
        number = getattr(signal, name, None)
        # Signals that our caller had us ignore (nohup, a shell's &) are ignored by the child too; leave that as it is.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, pass_on)
    return before


def _in_front_of_a_terminal() -> bool:
    """Whether we are in the terminal's foreground process group."""
    if os.name == "nt":
        return True
    try:
        with open("/dev/tty") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
