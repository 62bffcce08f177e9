"""What begins and ends in a training, from when it is found until a step is played that can say it."""

from __future__ import annotations

from gradmidi.composition.composer import Composer
from gradmidi.events import ONSET, Event, Watch
from gradmidi.recording import Recording

URGENT = frozenset({"nan", "inf", "explosion", "spike"})  # what is said at once, as an alarm is


class Happenings:
    """Events that wait for the next played step. None wait where the sound does not depend on them.

    Args:
        composer: its sound decides.
        told: whether events are given by :meth:`hear`; otherwise they are found in the rows.
    """

    def __init__(self, composer: Composer, told: bool) -> None:
        self._matter = composer.sound.events == "earcons" or composer.sound.healthy != 1
        self._watch = Watch(composer.layers) if self._matter and not told else None
        self._waiting: list[Event] = []

    @property
    def are_urgent(self) -> bool:
        """Whether something waits that must not."""
        return any(map(is_urgent, self._waiting))

    def hear(self, event: Event) -> None:
        """Have an event wait."""
        if self._matter:
            self._waiting.append(event)

    def look(self, rows: Recording) -> None:
        """Find events in the next rows, those that are not played included."""
        if self._watch is not None:
            self._waiting += self._watch.find(rows)

    def take(self) -> list[Event]:
        """What waits, in order, as events of a recording of one row."""
        waiting, self._waiting = self._waiting, []
        # Without the layer, which only marks name: it may have joined the training after the piece had begun.
        return [event._replace(row=0, layer=None) for event in waiting]


def is_urgent(event: Event) -> bool:
    """Whether an event has to be said at once."""
    return event.phase == ONSET and event.kind in URGENT
