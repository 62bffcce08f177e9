"""What LiveOutput and play need of whatever carries their frames; usually a Link to a child process."""

from __future__ import annotations

from typing import Any, Protocol

from gradmidi.outputs.live.player.time_source import TimeSource


class Transport(Protocol):
    """Carries frames (see :mod:`gradmidi.outputs.live.player.wire`) to where they are sent at their deadlines.

    Attributes:
        port, system: the full name of what was opened, and what carries it.
        realtime: the frames are sent with real-time priority.
        failure: why nothing more can be played, or "".
        time: the clock of the frames' deadlines.
    """

    port: str
    system: str
    realtime: bool
    failure: str
    time: TimeSource

    def ready(self) -> bool:
        """Whether frames would go out at once: False while earlier ones wait, and after a failure."""
        ...

    def send(self, frames: bytes, /) -> bool:
        """Send frames, or keep them until they are accepted, without waiting; False if there is no room for them."""
        ...

    def close(self, patience: float, /) -> dict[str, Any]:
        """Wait for the end, which is due in ``patience`` s; returns what the report takes from the player."""
        ...

    def hush(self) -> None:
        """End the stream of frames: whatever sounds falls silent immediately."""
        ...
