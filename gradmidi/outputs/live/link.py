"""The training process's side of the player: starts it, sends frames without ever waiting, and receives its report."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from gradmidi.errors import InputError, MissingPartError
from gradmidi.forking import keep_from_children, turn_to_nothing
from gradmidi.outputs.live.pipe import open_pipe
from gradmidi.outputs.live.player.time_source import REAL_TIME, TimeSource
from gradmidi.outputs.live.process import start_player

START_LIMIT = 20.0  # s for the player to open its port
BACKLOG = 1 << 18  # bytes kept for a player that does not accept them
STUCK = 10.0  # s without accepting a byte after which the player is abandoned
PIECE = 1 << 16  # bytes of the player's output read at once
END_LIMIT = 2.0  # s for the player to leave once it has nothing more to play
ERRORS = {"InputError": InputError, "MissingPartError": MissingPartError}
NO_ANSWER = "the MIDI port does not answer"
GONE = "the player process is gone"


class Link:
    """A running player; see :class:`gradmidi.outputs.live.transport.Transport`.

    Args:
        port: where it sends to, as for :func:`gradmidi.outputs.live.player.targets.open_target`.
        backend: a MIDI library or system, or ``None`` for the first that works.
        soundfont: for FluidSynth.
        max_rate: messages per second.
        time: by which it is decided that the player takes too long; the player itself plays in real time.

    Raises:
        InputError: the port is unknown.
        MissingPartError: the port cannot be opened here; the message says what to install or start.
    """

    def __init__(
        self,
        port: str,
        *,
        backend: str | None,
        soundfont: str | None,
        max_rate: float,
        time: TimeSource = REAL_TIME,
    ) -> None:
        options = {"port": port, "backend": backend, "soundfont": soundfont, "max_rate": max_rate}
        self.time = time
        self._pipe = open_pipe()
        self._process = start_player("player", json.dumps({**options, "parent": os.getpid()}), self._pipe.theirs)
        self._said: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._backlog = bytearray()
        self._taken_at = self.time.now()
        self._report: dict[str, Any] = {}
        self._closing = False
        self.failure = ""
        keep_from_children(self)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        opened = self._opened()
        self.port: str = opened["port"]
        self.system: str = opened["system"]
        self.realtime: bool = opened["realtime"]

    def ready(self) -> bool:
        """Whether frames would go out at once: False while earlier ones wait, and after a failure."""
        self._flush()
        self._look()
        return not self.failure and not self._backlog

    def send(self, frames: bytes) -> bool:
        """Send frames, or keep them until the player accepts them; False if there is no room for them."""
        if self.failure or len(self._backlog) + len(frames) > BACKLOG:
            return False
        self._backlog += frames
        self._flush()
        return not self.failure

    def close(self, patience: float) -> dict[str, Any]:
        """Wait for the player, which was told to end within ``patience`` s, and end it if it does not."""
        deadline = self.time.now() + patience + END_LIMIT
        self._closing = True
        try:
            while self._backlog and not self.failure and self.time.now() < deadline:
                self._flush()
                self.time.sleep(0.01)
            if self.failure:
                self.hush()
            self._process.wait(max(deadline - self.time.now(), 0))
        except subprocess.TimeoutExpired:
            self.failure = self.failure or NO_ANSWER
            self._process.kill()
        finally:
            self._end()
        self._look()
        return self._report

    def leave_to_parent(self) -> None:
        """See :class:`gradmidi.forking.Inherited`; if the child kept the pipe open, our end would go unnoticed."""
        self.failure = self.failure or "it is played by the parent of this process"
        self._backlog.clear()
        self._process.returncode = 0  # nothing to wait for, and nothing to kill
        self._pipe.close()
        if self._process.stdout is not None:
            turn_to_nothing(self._process.stdout.fileno())

    def hush(self) -> None:
        """End the stream of frames: the player falls silent immediately and exits."""
        self._pipe.close()

    def _opened(self) -> dict[str, Any]:
        """The player's first line, which says what it opened."""
        try:
            opened = self._said.get(timeout=START_LIMIT)
        except BaseException as error:
            self._end()
            if isinstance(error, Empty):
                raise MissingPartError(_silent_start()) from None
            raise
        if not opened.get("ready"):
            self._end()
            raise ERRORS.get(opened.get("error", ""), MissingPartError)(opened.get("message") or _silent_start())
        return opened

    def _flush(self) -> None:
        try:
            while self._backlog:
                del self._backlog[: self._pipe.send(self._backlog)]
                self._taken_at = self.time.now()
        except (BlockingIOError, InterruptedError):
            if self.time.now() - self._taken_at > STUCK:
                self.failure = self.failure or NO_ANSWER
        except OSError:
            self._look()
            self.failure = self.failure or GONE
        else:
            self._taken_at = self.time.now()

    def _look(self) -> None:
        """Read what the player has written since, which can only be its final report."""
        with suppress(Empty):
            while True:
                said = self._said.get_nowait()
                self._report = self._report or said
                asked_for = self._closing and bool(self._report)
                self.failure = self.failure or self._report.pop("failure", "") or ("" if asked_for else GONE)

    def _listen(self) -> None:
        """Runs in a separate thread, which sleeps until the player writes one of its two lines or is gone."""
        assert self._process.stdout is not None
        said = b""
        with suppress(ValueError, OSError), self._process.stdout as lines:
            # Not through the file object: a child that is forked meanwhile would inherit its lock taken, and hang
            # where it closes it.
            while piece := os.read(lines.fileno(), PIECE):
                *whole, said = (said + piece).split(b"\n")
                for line in whole:
                    self._said.put(json.loads(line))
        self._said.put({})

    def _end(self) -> None:
        self.hush()
        if self._process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_LIMIT)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._listener.join(END_LIMIT)


def _silent_start() -> str:
    return "the MIDI port could not be opened: its driver crashed or does not answer; choose another: gradmidi ports"
