"""Lines that somebody types, each with the moment at which it came."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

POLL = 0.1  # s; a wait that can be interrupted on every system


class Line(NamedTuple):
    """What was typed, without the end of the line, and when it came, in s of the clock; None at the end of input."""

    text: str | None
    at: float


class Lines(Protocol):
    """Where answers come from."""

    def next(self, timeout: float | None = None) -> Line | None:
        """The next line, or None if none comes within ``timeout`` s."""

    def forget(self) -> None:
        """Discard what was typed before anything was asked."""


class TypedLines:
    """The lines of standard input.

    A thread waits for them, so that music can end and time can run meanwhile. It reads a line only when one is
    awaited: an answer that came through a pipe in advance counts from when it was asked for.

    Args:
        clock: s, from any beginning.
        number: the descriptor to read.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, number: int = 0) -> None:
        self._clock, self._number = clock, number
        self._wanted, self._came = threading.Semaphore(0), SimpleQueue[Line]()
        self._is_waiting = False
        # Not sys.stdin: Python would wait at its exit for a thread that reads it.
        self._file = open(number, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        threading.Thread(target=self._read, name="gradmidi quiz: answers", daemon=True).start()

    def next(self, timeout: float | None = None) -> Line | None:
        """The next line, or None if none comes within ``timeout`` s."""
        if not self._is_waiting:
            self._is_waiting = True
            self._wanted.release()
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = POLL if end is None else min(POLL, end - time.monotonic())
            with suppress(Empty):
                line = self._came.get(timeout=max(left, 0))
                self._is_waiting = False
                return line
            if end is not None and time.monotonic() >= end:
                return None

    def forget(self) -> None:
        """Discard what was typed in advance on a terminal; a pipe keeps its lines."""
        if not os.isatty(self._number):
            return
        try:
            import termios

            termios.tcflush(self._number, termios.TCIFLUSH)
        except ImportError:  # Windows
            import msvcrt

            while msvcrt.kbhit():  # type: ignore[attr-defined, unused-ignore]
                msvcrt.getwch()  # type: ignore[attr-defined, unused-ignore]
        except OSError:
            return

    def _read(self) -> None:
        while True:
            self._wanted.acquire()
            try:
                text = self._file.readline()
            except (OSError, ValueError):
                text = ""
            self._came.put(Line(text.strip() if text else None, self._clock()))
