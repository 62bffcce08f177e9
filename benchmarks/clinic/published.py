"""Published rules that find faults in a training, each as its authors define it, on what a recording holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gradmidi.recording import Recording


class Alarm(NamedTuple):
    """Something that a rule has found.

    Attributes:
        row: at which it was decided.
        kind: what it is called.
        layer: column of the layer, None where it is the whole net or the loss.
        text: for people.
    """

    row: int
    kind: str
    layer: int | None = None
    text: str = ""


Rule = Callable[[Recording], list[Alarm]]
