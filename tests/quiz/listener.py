"""A listener made of a script, a clock that only he moves, and a player that plays by that clock."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gradmidi.quiz.lines import Line


class Listener:
    """Types each line so many seconds after the one before; moves the clock and says what was said to him.

    Args:
        script: seconds and text of each line.
        clip: s that a clip plays.
    """

    def __init__(self, script: Iterable[tuple[float, str]], clip: float = 8.0) -> None:
        self.now, self.clip, self.said = 100.0, clip, []
        self._script = list(script)
        self._due: float | None = None
        self._ends = 0.0
        self.played: list[str] = []
        self.forgotten = 0

    def clock(self) -> float:
        return self.now

    def say(self, text: str) -> None:
        self.said.append(text)

    def next(self, timeout: float | None = None) -> Line | None:
        if not self._script:
            return Line(None, self.now)
        if self._due is None:
            self._due = self.now + self._script[0][0]
        if timeout is not None and self._due > self.now + timeout:
            self.now += timeout
            return None
        self.now, self._due = max(self.now, self._due), None
        return Line(self._script.pop(0)[1], self.now)

    def forget(self) -> None:
        self._due = None
        self.forgotten += 1

    @property
    def is_playing(self) -> bool:
        return self.now < self._ends

    def start(self, path: Path) -> None:
        self.played.append(path.name)
        self._ends = self.now + self.clip

    def stop(self) -> None:
        self._ends = self.now
