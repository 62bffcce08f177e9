"""How a session ends: in spite of interrupts, and knowing how the training did."""

from __future__ import annotations

import sys
from collections.abc import Callable

WELL, STOPPED, FAILED = "well", "stopped", "failed"  # as gradmidi.events.Watch.finish has them


def how_it_ended(kind: type[BaseException] | None) -> str:
    """How a training ended that an exception of this kind, or none, has left."""
    if kind is None or issubclass(kind, SystemExit):
        return WELL
    return STOPPED if issubclass(kind, KeyboardInterrupt) else FAILED


def how_the_script_ended() -> str:
    """The same when Python ends: by the exception, if any, that nothing in the script has caught."""
    return how_it_ended(getattr(sys, "last_type", None))


def in_spite_of_interrupts(*calls: Callable[[], object]) -> None:
    """Make all the calls, each of which may be repeated; a Ctrl-C in the meantime is raised afterwards."""
    interrupt = None
    for call in calls:
        try:
            call()
        except KeyboardInterrupt as error:
            interrupt = error
            call()
    if interrupt is not None:
        raise interrupt
