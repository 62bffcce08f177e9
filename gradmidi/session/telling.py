"""Who is told of what a session finds: its own history, a file, callbacks, and the training itself if it is to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from gradmidi.errors import InputError
from gradmidi.events import KINDS, ONSET, Event
from gradmidi.printable import counted, shown
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.recording.row import Row
from gradmidi.saying import warn
from gradmidi.session.delivery import say_stopped
from gradmidi.session.doctor import NAME, Doctor
from gradmidi.session.ending import STOPPED
from gradmidi.session.events_file import EventsFile
from gradmidi.session.listener import PATIENCE, Hear, Listener

MOST_KEPT = 1000  # events in session.events, besides those of the end
Callback = TypeVar("Callback", bound=Hear)
STOPPABLE = tuple(name for name, kind in KINDS.items() if kind.sick)


class Stopper:
    """The last sink of a session, so that every other one has the row in which the training is interrupted.

    Args:
        kinds: of events that interrupt it where they begin, once.
        say: called with the event before.

    Attributes:
        stopped_on: the kind of that event, or "".
    """

    def __init__(self, kinds: Collection[str], say: Hear) -> None:
        self._kinds, self._say = frozenset(kinds), say
        self._found: Event | None = None
        self.stopped_on = ""

    def see(self, events: Sequence[Event]) -> None:
        """What was found in the row that comes next, or in those before it."""
        if self._found is None and not self.stopped_on:
            grave = (event for event in events if event.kind in self._kinds and event.phase == ONSET)
            self._found = next(grave, None)

    def append(self, row: Row, /) -> None:
        """Interrupt the training, if there is reason to."""
        if self._found is not None:
            event, self._found = self._found, None
            self._say(event)
            # Once: to a script that handles it, a second one would mean that it should not take its time.
            self.stopped_on = event.kind
            interrupt()


class Telling:
    """Hands events on, in order. A receiver that fails is dropped with one warning.

    Args:
        layers: names of the L layers.

    Attributes:
        doctor: the sink that finds the events.
        events: what was found so far.
        cut: how many more there were than are kept.
        receivers: called with each event in the training's thread, by the name used in warnings.
        add_last: gives a sink to the session, to be its last.
    """

    def __init__(self, layers: Sequence[str]) -> None:
        self.doctor = Doctor(layers, self._tell, self._stop)
        self.events: list[Event] = []
        self.cut = 0
        self.receivers: list[tuple[str, Hear]] = []
        self._listeners: list[Listener] = []
        self.add_last: Callable[[Stopper], object] = lambda sink: None
        self._stopper: Stopper | None = None
        self._ending = False

    def listen(self, callback: Hear, name: str, patience: float = PATIENCE) -> None:
        """Have a callback called in a thread of its own; see :class:`gradmidi.session.listener.Listener`."""
        listener = Listener(callback, name, patience)
        self._listeners.append(listener)
        self.receivers.append((name, listener.hear))

    def write_beside(self, writer: RecordingWriter, existing: str) -> EventsFile | None:
        """Write events to a file next to a recording; None if that goes into a device or a pipe."""
        try:
            path = writer.path
        except InputError:
            return None
        file = EventsFile(path, existing, goes_on=writer.next_step is not None)
        self.receivers.append((f"recording to {file.path}", file.hear))
        return file

    def stop_on(self, kinds: Collection[str], say: Hear) -> None:
        """Interrupt the training where an event of one of these kinds begins; ``say`` is called with it before."""
        self._stopper = Stopper(kinds, say)
        self.add_last(self._stopper)

    def so_far(self) -> tuple[Event, ...]:
        """What was found in all rows so far, as far as it is kept."""
        self._try(self.doctor.look)
        return tuple(self.events)

    def notices(self) -> tuple[str, ...]:
        """What is not kept, in one line."""
        return (f"{counted(self.cut, 'further event')} not kept in session.events",) if self.cut else ()

    def add_layers(self, names: Sequence[str]) -> None:
        """Watch further layers from the next row on."""
        self._try(partial(self.doctor.add_layers, names))

    def finish(self, how: str) -> None:
        """Tell how the run ended, and wait for the callbacks, but not for long."""
        self._try(self.doctor.look)
        self._ending = True
        if how == STOPPED and self._stopper is not None and self._stopper.stopped_on:
            how = f"early, stopped on {self._stopper.stopped_on},"
        self._try(partial(self.doctor.finish, how))
        self._ending = False
        for listener in self._listeners:
            listener.close()

    def forget(self) -> None:
        """In a forked child: look no more, and tell nobody."""
        self.doctor.retire()
        self.receivers.clear()
        self._listeners.clear()

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            say_stopped(NAME, error)

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            if len(self.events) < MOST_KEPT or self._ending:
                self.events.append(event)
            else:
                self.cut += 1
            for receiver in list(self.receivers):
                name, hear = receiver
                try:
                    hear(event)
                except Exception as error:
                    self.receivers.remove(receiver)
                    say_stopped(name, error)

    def _stop(self, events: Sequence[Event]) -> None:
        if self._stopper is not None:
            self._stopper.see(events)


class TellsEvents:
    """The methods of a session by which someone is told.

    Attributes:
        telling: see :class:`Telling`.
    """

    telling: Telling

    def on_event(self, callback: Callback) -> Callback:
        """Have ``callback`` called with each :class:`gradmidi.Event`: what begins, ends or lasts to the end of the run.

        Usable as a decorator. The callback runs in a thread of its own, so that the training never waits for it: it
        should touch neither the model nor random states. One that raises is dropped with one warning. Up to 256 events
        wait for a slow one; further ones are dropped, and their number is said once. The end of the session waits for
        it 2 s at most. On ranks that do not record it is never called.

        Returns:
            The callback.
        """
        self.telling.listen(callback, f"on_event callback {getattr(callback, '__name__', type(callback).__name__)}")
        return callback

    def stop_on(self, *kinds: str) -> None:
        """Interrupt the training once, as Ctrl-C would, where one of these kinds begins: ``stop_on("nan")``.

        Raises:
            InputError: there is no such kind, or it is none of trouble.
        """
        check_kinds(kinds, "stop_on()")
        self.telling.stop_on(kinds, lambda event: warn(f"gradmidi stops the training: {event.text}"))


def interrupt() -> None:
    """What Ctrl-C does; also where the process ignores it, as a shell's background jobs do.

    Raises:
        KeyboardInterrupt: unless the script handles the signal itself.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def check_kinds(kinds: Sequence[str], option: str) -> None:
    """Refuse names that are not those of trouble, or no name at all.

    Raises:
        InputError: see above.
    """
    for name in kinds or [""]:
        if name not in STOPPABLE:
            raise InputError(f"{option}: {shown(name)} is not a kind of event; choose from {', '.join(STOPPABLE)}")
