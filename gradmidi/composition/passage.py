"""Passage and Section: what is composed at a time, and what composes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.grouping import Grouping
from gradmidi.composition.situation import Situation
from gradmidi.composition.styles import Placed
from gradmidi.events import Event
from gradmidi.recording import Recording
from gradmidi.score import Notes, Voice


class Passage(NamedTuple):
    """A block of N steps for V voices, with all that a section needs to know about it.

    Attributes:
        recording: the N rows.
        events: what begins or ends in them, in order.
        nonfinite: every NaN and Inf of a layer; see :func:`nonfinite`.
        grouping: which layers play together.
        norms: (N, V) norms of the voices.
        gaps: (N, V) True where a voice has no gradient.
        alarm: (N, V) True where a voice's norm is NaN or Inf.
        placed: onset and duration of each voice's slot in each step, both (N, V).
        step_times: when each step begins and ends, s, both (N,).
        situation: what is wrong in them.
        healthy: loudness while nothing is wrong, as a share of the velocity.
    """

    recording: Recording
    events: Sequence[Event]
    nonfinite: NDArray[np.int64]
    grouping: Grouping
    norms: NDArray[np.float64]
    gaps: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    placed: Placed
    step_times: tuple[NDArray[np.float64], NDArray[np.float64]]
    situation: Situation
    healthy: float

    def softened(self, velocity: NDArray[np.int64]) -> NDArray[np.int64]:
        """Velocities of the N rows, (N,) or (N, V), softer where nothing is wrong."""
        if self.healthy == 1:
            return velocity
        wrong = self.situation.wrong.reshape(-1, *(1 for _ in velocity.shape[1:]))
        return np.where(wrong, velocity, np.maximum(np.round(velocity * self.healthy), 1)).astype(np.int64)


def nonfinite(recording: Recording) -> NDArray[np.int64]:
    """Every NaN and Inf of a layer with a gradient, in order: (K, 4) row, layer, kind and optimizer step.

    The kind is 0 for NaN and 1 for Inf.
    """
    norms = recording.norms
    bad = ~np.isfinite(norms)
    if not bad.any():
        return np.empty((0, 4), dtype=np.int64)
    row, layer = np.nonzero(bad & ~recording.gaps)
    return np.stack([row, layer, np.isinf(norms[row, layer]), recording.steps[row]], axis=1)


class Section(Protocol):
    """A group of voices of the piece, such as the layers' or the alarms'; each remembers what it needs."""

    @property
    def voices(self) -> tuple[Voice, ...]:
        """Its voices; the voices of the piece are those of its sections, one after another."""
        ...

    def feed(self, passage: Passage) -> Notes:
        """The section's notes in the next passage, sorted by onset."""
        ...
