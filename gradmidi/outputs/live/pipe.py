"""The way into the player that can neither block nor kill the training process."""

from __future__ import annotations

import os
import socket
from typing import IO

from gradmidi.errors import MissingPartError


class SocketPipe:
    """A pair of local sockets, not a pipe: with SIGPIPE at its default, a closed pipe would kill the program."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        self.theirs: IO[bytes] = os.fdopen(theirs.detach(), "rb")

    def send(self, data: bytes | bytearray) -> int:
        return self._ours.send(data, getattr(socket, "MSG_NOSIGNAL", 0))

    def close(self) -> None:
        self._ours.close()


class WindowsPipe:
    """A pipe; Windows has no SIGPIPE, and cannot hand a socket to a child as its stdin."""

    def __init__(self) -> None:
        theirs, self._ours = os.pipe()
        self.theirs: IO[bytes] = os.fdopen(theirs, "rb")
        try:
            os.set_blocking(self._ours, False)
        except (AttributeError, OSError):
            raise MissingPartError(
                "live MIDI on Windows needs Python 3.12 or newer; run: winget install Python.Python.3.13"
            ) from None

    def send(self, data: bytes | bytearray) -> int:
        return os.write(self._ours, data)

    def close(self) -> None:
        os.close(self._ours)


def open_pipe() -> SocketPipe | WindowsPipe:
    """Our end of a new pipe; ``theirs`` becomes the player's stdin.

    Raises:
        MissingPartError: this Python cannot make one that never blocks.
    """
    return WindowsPipe() if os.name == "nt" else SocketPipe()
