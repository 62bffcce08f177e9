"""Listener: calls somebody else's function with events, in a thread of its own, so that the training never waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from gradmidi.events import Event
from gradmidi.printable import counted
from gradmidi.saying import warn

MOST_WAITING = 256  # events; further ones are dropped
PATIENCE = 2.0  # s that the end of a session waits for what is waiting

Hear = Callable[[Event], object]
Say = Callable[[str], object]


def warn_of(what: str) -> None:
    """A warning."""
    warn(f"gradmidi: {what}")


class Listener:
    """Hands events to a callback, one after another.

    The thread starts with the first event. It is a daemon, so that a callback that never returns does not keep the
    process alive. A callback that raises is not called again, with one warning.

    Args:
        callback: called with each event.
        name: what it is called in a warning.
        patience: s that :meth:`close` waits.
        say: says what went wrong.
    """

    def __init__(self, callback: Hear, name: str, patience: float = PATIENCE, say: Say = warn_of) -> None:
        self._callback, self._name, self._patience, self._say = callback, name, patience, say
        self._waiting: SimpleQueue[Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._deadline: float | None = None
        self._dropped = 0
        self._failed = False

    def hear(self, event: Event) -> None:
        """Hand over an event; never waits."""
        if self._failed:
            return
        if self._waiting.qsize() >= MOST_WAITING:  # only this thread puts anything there
            self._dropped += 1
            return
        self._waiting.put(event)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait for what is waiting, but not for long, and say once what has been dropped."""
        thread = self._thread
        if thread is None:
            return
        self._waiting.put(None)
        self._deadline = self._deadline or time.monotonic() + self._patience  # a Ctrl-C does not begin it anew
        thread.join(max(self._deadline - time.monotonic(), 0))
        self._thread = self._deadline = None
        lost, stuck = self._dropped + self._left(), thread.is_alive()
        if (lost or stuck) and not self._failed:
            hangs = f" and has not returned {self._patience:g} s after the end" if stuck else ""
            self._say(f"{self._name} is too slow{hangs}; {counted(lost, 'event')} not handed to it")
        self._dropped = 0
        if stuck:
            self._failed = True
            self._waiting.put(None)  # for a callback that returns after all

    def _left(self) -> int:
        """Empty the queue, and return how many events were in it."""
        left = 0
        with suppress(Empty):
            while True:
                left += self._waiting.get_nowait() is not None
        return left

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._callback(event)
            except BaseException as error:
                self._failed = True
                self._say(f"{self._name} stopped, the training continues: {type(error).__name__}: {error}")
                return
