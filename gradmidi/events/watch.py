"""Watch: rows of norms in, events out; a step at a time or a whole run at once, with the same result."""

from __future__ import annotations

from collections.abc import Sequence

from gradmidi.events.event import Event
from gradmidi.recording import Recording

ENDINGS = ("well", "stopped", "failed")


class Watch:
    """Finds events block by block, and remembers what is usual and what is going on.

    Args:
        layers: names of the L layers.
    """

    def __init__(self, layers: Sequence[str]) -> None:
        self._layers = tuple(layers)

    def find(self, rows: Recording) -> list[Event]:
        """What begins or ends in the next rows, in order of row; of one row, the gravest first."""
        return []

    @property
    def ongoing(self) -> list[Event]:
        """The onsets of what has begun and not ended, in order."""
        return []

    def add_layers(self, names: Sequence[str]) -> None:
        """Watch further layers from the next row on."""
        self._layers = (*self._layers, *names)

    def finish(self, how: str = "well") -> list[Event]:
        """The last events of a run: one of phase ``"ongoing"`` for each thing that has not ended, then ``finished``.

        Args:
            how: ``"well"``, ``"stopped"`` (by a person) or ``"failed"`` (an exception).
        """
        return []


def find_events(recording: Recording) -> list[Event]:
    """All events of a recorded run, in order, with what is ongoing at its end; ``row`` is the recording's row."""
    watch = Watch(recording.layers)
    return watch.find(recording) + watch.finish()
