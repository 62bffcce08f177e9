"""Event: one thing that begins, lasts or ends in a training."""

from __future__ import annotations

import math
from typing import NamedTuple

ONSET, ONGOING, RECOVERED = "onset", "ongoing", "recovered"
LOSS, RUN = "the loss", "the run"  # where an event is, if not in a layer


class Event(NamedTuple):
    """One thing that begins, lasts or ends in a training.

    Attributes:
        row: the row, in the block that was examined, at which it was decided.
        layer: column of the layer that shows it first or most; None where it concerns the loss or the run as a whole.
        kind: a name in :data:`gradmidi.events.KINDS`.
        text: one line for people.
        step: the optimizer step at which it was decided.
        phase: ``"onset"``, ``"recovered"``, or ``"ongoing"`` for what has not ended when the run ends.
        where: the layer's name, ``"the loss"`` or ``"the run"``.
        since: the optimizer step of the first evidence.
        value: the figure that decided, in the unit of its kind; nan for a kind without one.
        usual: what it was compared with, in the same unit; nan for a kind without one.
        seen: how many measured steps of the run the rule had seen by then.
        layers: columns of all layers to which the same thing happened at this row, in forward order.
    """

    row: int
    layer: int | None
    kind: str
    text: str
    step: int
    phase: str = ONSET
    where: str = RUN
    since: int = 0
    value: float = math.nan
    usual: float = math.nan
    seen: int = 0
    layers: tuple[int, ...] = ()

    @property
    def ratio(self) -> float:
        """``value / usual``; nan if either is unknown, inf where it exceeds the largest float."""
        if not self.usual:
            return math.inf if self.value else math.nan
        return self.value / self.usual
