"""Notices: what a session says about itself, each thing once, and again in its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradmidi.saying import warn


class Notices:
    """Says things as warnings and remembers what was said.

    Attributes:
        texts: every notice so far.
        said: names of what is said once and has been said.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.said: set[str] = set()

    def say(self, text: str) -> None:
        """Say it now, and once more in the report."""
        self.texts.append(text)
        warn(f"gradmidi: {text}")

    def once(self, what: str, find: Callable[[], Any], say: Callable[[Any], object]) -> None:
        """Say what ``find`` returns, if it is anything and nothing of this name has been said."""
        if what not in self.said and (found := find()):
            self.said.add(what)
            say(found)
