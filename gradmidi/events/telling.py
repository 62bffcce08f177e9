"""An event in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradmidi.events.event import LOSS, RECOVERED, RUN, Event
from gradmidi.events.kinds import KINDS

READABLE = 1e6  # a larger ratio is given as a power of ten
HOW = {"well": "well", "stopped": "early, stopped by a person,", "failed": "with an exception"}


def where_of(layers: Sequence[int], names: Sequence[str], kind: str) -> str:
    """The layer's name, or what else the event concerns."""
    return names[layers[0]] if layers else RUN if kind == "finished" else LOSS


def told(event: Event, quiet: int = 0, how: str = "well") -> str:
    """The text of an event.

    Args:
        event: without its text.
        quiet: steps after which something counts as over.
        how: how the run ended.
    """
    kind = KINDS[event.kind]
    more = len(event.layers) - 1
    also = f" and {more} more layer{'s' if more > 1 else ''}" if more > 0 else ""
    template = kind.recovered if event.phase == RECOVERED else kind.onset
    return template.format(
        where=event.where + also,
        step=event.step,
        since=event.since,
        value=f"{event.value:.3g}",
        usual=f"{event.usual:.3g}",
        times=as_times(event.ratio),
        evidence="no gradient" if math.isnan(event.value) else f"update ratio {event.value:.3g}",
        factor=f"{math.exp(min(event.value, 700.0)):.2g}" if not math.isnan(event.value) else "",
        quiet=quiet,
        how=HOW.get(how, how),
        seen=event.seen,
    )


def as_times(ratio: float) -> str:
    """How many times as large, as a number of few digits."""
    if ratio == math.inf:
        return "more than 1e+308"
    return f"{ratio:.0f}" if 10 <= ratio < READABLE else f"{ratio:.2g}"
