"""Marks: steps, epochs, losses and everything that goes wrong, as timed text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.passage import Passage
from gradmidi.events import ONSET, Event
from gradmidi.score import Marks

STEP_MARK_EVERY = 10


class Marker:
    """Makes the marks of one passage after another; remembers the latest step and epoch."""

    def __init__(self) -> None:
        self._step: int | None = None
        self._epoch = float("nan")

    def feed(self, passage: Passage) -> Marks:
        """The marks of the next passage; simultaneous ones in the order anomalies, step, seam, epoch, loss."""
        found = [
            _events(passage),
            self._steps(passage),
            _seams(passage),
            self._epochs(passage),
            _losses(passage),
        ]
        return Marks.merged([marks for marks in found if marks is not None])

    def _steps(self, passage: Passage) -> Marks | None:
        """Where the steps reach or pass the next multiple of ten."""
        steps = passage.recording.steps
        if not len(steps):
            return None
        # With Python integers, as the smallest int64 has no predecessor.
        before = (int(steps[0]) - 1 if self._step is None else self._step) // STEP_MARK_EVERY
        self._step = int(steps[-1])
        rows = np.flatnonzero(np.diff(np.concatenate([[before], steps // STEP_MARK_EVERY])))
        return _of_steps(passage, rows, "step", [f"step {step}" for step in steps[rows].tolist()])

    def _epochs(self, passage: Passage) -> Marks | None:
        """Where the epoch differs from that of the row before."""
        epochs: NDArray[np.float64] | None = passage.recording.metrics.get("epoch")
        if epochs is None or not len(epochs):
            return None
        before = np.concatenate([[self._epoch], epochs[:-1]])
        self._epoch = float(epochs[-1])
        rows = np.flatnonzero(np.isfinite(epochs) & (epochs != before))
        return _of_steps(passage, rows, "epoch", [f"epoch {epoch:g}" for epoch in epochs[rows].tolist()])


def _events(passage: Passage) -> Marks | None:
    """When the event's layer plays; at the start of its step if it concerns none, or one in no voice."""
    events = passage.events
    if not events:
        return None
    voice_of, layers = passage.grouping.voice_of, passage.recording.layers
    slots = [0 if event.layer is None else voice_of(event.layer) or 0 for event in events]
    return Marks(
        passage.placed.onset[[event.row for event in events], slots],
        np.array([mark_kind(event) for event in events]),
        np.array([event.text for event in events]),
        np.array([event.step for event in events]),
        np.array(["" if event.layer is None else layers[event.layer] for event in events]),
    )


def mark_kind(event: Event) -> str:
    """The kind of an event's mark: that of the event or, for its end, such as ``nan-recovered``."""
    return event.kind if event.phase == ONSET else f"{event.kind}-{event.phase}"


def _seams(passage: Passage) -> Marks | None:
    """Where a resumed run begins."""
    rows = np.array(passage.recording.seams(), dtype=np.int64)
    texts = [f"resumed at step {step}" for step in passage.recording.steps[rows].tolist()]
    return _of_steps(passage, rows, "resumed", texts)


def _losses(passage: Passage) -> Marks | None:
    losses = passage.recording.metrics.get("loss")
    if losses is None:
        return None
    return _of_steps(passage, np.arange(len(losses)), "loss", [f"loss {loss:.6g}" for loss in losses.tolist()])


def _of_steps(passage: Passage, rows: NDArray[np.int64], kind: str, texts: Sequence[str]) -> Marks | None:
    """Marks of one kind at the start of some rows; in every style the first voice begins with its step."""
    if not len(rows):
        return None
    time, steps = passage.placed.onset[rows, 0], passage.recording.steps[rows]
    return Marks(time, np.full(len(rows), kind), np.array(texts), steps)
