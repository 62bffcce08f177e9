"""Passage and Section: what is composed at a time, and what composes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.events import Event
from gradmidi.composition.grouping import Grouping
from gradmidi.composition.styles import Placed
from gradmidi.recording import Recording
from gradmidi.score import Notes, Voice


class Passage(NamedTuple):
    """A block of N steps for V voices, with all that a section needs to know about it.

    Attributes:
        recording: the N rows.
        events: what is wrong in them, in order.
        grouping: which layers play together.
        norms: (N, V) norms of the voices.
        gaps: (N, V) True where a voice has no gradient.
        alarm: (N, V) True where a voice's norm is NaN or Inf.
        placed: onset and duration of each voice's slot in each step, both (N, V).
    """

    recording: Recording
    events: Sequence[Event]
    grouping: Grouping
    norms: NDArray[np.float64]
    gaps: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    placed: Placed


class Section(Protocol):
    """A group of voices of the piece, such as the layers' or the alarms'; each remembers what it needs."""

    @property
    def voices(self) -> tuple[Voice, ...]:
        """Its voices; the voices of the piece are those of its sections, one after another."""
        ...

    def feed(self, passage: Passage) -> Notes:
        """The section's notes in the next passage, sorted by onset."""
        ...
