"""The player process: takes frames on stdin and sends each at its deadline; when the stream ends, it falls silent.

Started by :mod:`gradmidi.outputs.live.link` as ``python -m gradmidi.outputs.live.player``. It loads neither numpy nor
torch, shares no lock with the training process and survives whatever happens to it, long enough to end every note.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from gradmidi.errors import InputError, MissingPartError
from gradmidi.outputs.live.player.libraries import FAREWELLS
from gradmidi.outputs.live.player.schedule import Schedule
from gradmidi.outputs.live.player.stage import Stage
from gradmidi.outputs.live.player.targets import open_target
from gradmidi.outputs.live.player.wire import Frame, Unpacker

LOOK_EVERY = 0.1  # s between looks at whether the training process still lives
PIECE = 65536  # bytes read at once
FULL_FRAMES, FULL_PIECES = 20_000, 16  # held at most; beyond that the pipe fills up
REALTIME_PRIORITY = 20
SWITCH_INTERVAL = 0.0005  # s the reading thread may keep the sending thread waiting

Inbox = SimpleQueue[list[Frame] | str | None]


def main() -> None:
    """Open the port that the first argument (JSON) names, say so on stdout, play until stdin ends."""
    options = json.loads(sys.argv[1])
    say = _Speaker()
    inbox: Inbox = SimpleQueue()
    stderr = _catch_stderr()
    try:
        target = open_target(options["port"], options["backend"], options["soundfont"])
    except (InputError, MissingPartError) as error:
        say(error=type(error).__name__, message=str(error))
        return
    except Exception as error:  # whatever the library raises, the user gets one line
        say(error="MissingPartError", message=f"the MIDI port cannot be opened: {type(error).__name__}: {error}")
        return
    stage = Stage(target, options["max_rate"])
    schedule = Schedule(stage)
    _start_thread(_read_frames, inbox, schedule)
    _start_thread(_read_stderr, inbox, stderr, FAREWELLS.get(target.system, ()))
    _take_signals(inbox)
    say(ready=True, port=target.name, system=target.system, realtime=_raise_priority())
    failure = _play(schedule, inbox, options["parent"])
    say(**stage.report(), failure=failure)
    with suppress(Exception):
        stage.leave()
        if not failure:
            stage.close()
    # Closing a client of a dead server can hang, and so can the interpreter's shutdown.
    os._exit(0)


def _play(schedule: Schedule, inbox: Inbox, parent: int) -> str:
    """Process frames until one marks the end or the sender is gone; returns why it failed, or ""."""
    try:
        while not schedule.over:
            wait = schedule.act()
            try:
                item = inbox.get(timeout=max(min(wait, LOOK_EVERY), 0))
            except Empty:
                if _orphaned(parent):
                    return ""
                continue
            if item is None:
                return ""
            if isinstance(item, str):
                return item
            schedule.take(item)
    except Exception as error:  # the receiver is gone
        return f"{type(error).__name__}: {error}"
    return ""


def _orphaned(parent: int) -> bool:
    """A killed process whose forked workers live on leaves the pipe open, so its end alone would not be noticed."""
    return os.name == "posix" and os.getppid() != parent


def _read_frames(inbox: Inbox, schedule: Schedule) -> None:
    unpacker = Unpacker()
    while piece := os.read(0, PIECE):
        inbox.put(unpacker.feed(piece))
        while inbox.qsize() > FULL_PIECES or len(schedule) > FULL_FRAMES:
            time.sleep(LOOK_EVERY)
    inbox.put(None)


def _catch_stderr() -> int:
    """Libraries write to stderr freely: keep it off the user's screen, and read it ourselves."""
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    return reading


def _read_stderr(inbox: Inbox, stderr: int, farewells: tuple[bytes, ...]) -> None:
    while piece := os.read(stderr, PIECE):
        if any(words in piece for words in farewells):
            inbox.put("the server that carries the port is gone")


def _start_thread(work: Any, *args: Any) -> None:
    threading.Thread(target=work, args=args, daemon=True).start()


def _take_signals(inbox: Inbox) -> None:
    """Fall silent before being terminated by a signal; only the watchdog's alarm ends it immediately."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: inbox.put(None))
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _raise_priority() -> bool:
    """Real-time priority for this thread if allowed, else a higher one if possible; returns whether it was allowed."""
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL)
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))
        return True
    with suppress(AttributeError, OSError):
        os.nice(-10)
    return False


class _Speaker:
    """Lines of JSON to the training process; stdout is set aside for them, so that nothing else can get in between."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def __call__(self, **fields: Any) -> None:
        with suppress(OSError):
            print(json.dumps(fields), file=self._out, flush=True)


if __name__ == "__main__":
    main()
