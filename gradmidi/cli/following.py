"""What happens to the events of a script that `gradmidi run` has started, outside of the script's own processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmidi.cli.event_command import EventCommand
    from gradmidi.cli.event_lines import EventLines
    from gradmidi.unattended.handover import Told

LOOK_EVERY = 0.1  # s


class Following:
    """Reads, as a context, what the script's processes tell, prints it and runs the command of ``--on-event``.

    Args:
        folder: of the handover.
        lines: where events are shown.
        command: run for each event; None for no command.
        say: prints an error.
    """

    def __init__(
        self, folder: Path, lines: EventLines, command: EventCommand | None, say: Callable[[str], object]
    ) -> None:
        from gradmidi.cli.event_command import OPTION, PATIENCE
        from gradmidi.session.listener import Listener
        from gradmidi.unattended.handover import Ear

        self._ear = Ear(folder)
        self._lines, self._command, self._say = lines, command, say
        self._listener = None if command is None else Listener(command.run, OPTION, PATIENCE, say)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(KeyboardInterrupt):  # which must not change the exit code, nor what is made afterwards
            self._over.set()
            self._thread.join()
            self._lines.close()
            if self._listener is not None:
                self._listener.close()
        if self._command is not None:
            self._command.end()

    def _follow(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            self._hear()
        self._hear()

    def _hear(self) -> None:
        for told in self._ear.hear():
            self._take(told)

    def _take(self, told: Told) -> None:
        if told.stopped:
            self._say(f"the script was interrupted, as --stop-on asks for: {told.event.text}")
            return
        self._lines.show(told.event, "gradmidi: " if told.number == 1 else f"gradmidi, recording {told.number}: ")
        if self._listener is not None:
            self._listener.hear(told.event)
