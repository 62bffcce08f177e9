"""How the layers of a step relate to each other in time: one after another, together, or held from step to step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.timing import Timing
from gradmidi.errors import InputError

STYLES = ("sequence", "chord", "drone")


class Placed(NamedTuple):
    """Onsets and durations in s of the notes of some rows, both (N, L)."""

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]


def check_style(style: str) -> str:
    """The style, if there is one of that name.

    Raises:
        InputError: there is no such style.
    """
    if style not in STYLES:
        raise InputError(f"no style is called {style!r}; there are {', '.join(STYLES)}")
    return style


def place(style: str, timing: Timing, first_row: int, rows: int, layers: int) -> Placed:
    """When the notes of ``rows`` steps of ``layers`` layers sound. A step takes the same time in every style.

    ``sequence``: one note after another, then the rest, as in the 2019 post. ``chord``: all together for as long as the
    sequence of notes would last, then the rest. ``drone``: all together until the next step.
    """
    sequence = timing.onsets(first_row, rows, layers)
    if style == "sequence":
        return Placed(sequence, np.full(sequence.shape, timing.unit))
    together = np.broadcast_to(sequence[:, :1], sequence.shape)
    if style == "chord":
        return Placed(together, np.full(sequence.shape, layers * timing.unit))
    # The end of a step is the onset of the next one to the last bit, so that a held note is seamless.
    after = timing.onsets(first_row + 1, rows, layers)[:, :1]
    return Placed(together, np.broadcast_to(after, sequence.shape) - together)
