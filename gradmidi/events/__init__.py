"""What is wrong with a run, and when it began and ended: rows of norms → events, as they come or all at once."""

from gradmidi.events.event import ONGOING, ONSET, RECOVERED, Event
from gradmidi.events.kinds import KINDS, Kind
from gradmidi.events.watch import Watch, find_events

__all__ = ["KINDS", "ONGOING", "ONSET", "RECOVERED", "Event", "Kind", "Watch", "find_events"]
