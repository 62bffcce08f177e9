"""The command of ``--on-event``: run once per event, without a shell, so that no layer's name can do any harm."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from gradmidi.errors import InputError
from gradmidi.printable import printable, shown

if TYPE_CHECKING:
    from gradmidi.events import Event

OPTION = "--on-event"
LIMIT = 30.0  # s for one run of the command
PATIENCE = 10.0  # s for those that are waiting or running when the training has ended
LONGEST_FIELD = 1_000  # characters
# From the name in braces to the attribute of an event.
FIELDS = {
    **{name: name for name in ("kind", "phase", "step", "since", "value", "usual", "text")},
    "layer": "where",
}
PLACEHOLDER = re.compile(r"\{(\w+)\}")  # other braces are the command's own, such as those of JSON


class EventCommand:
    """A command line with placeholders.

    Args:
        text: as it was given; it is split into words as a shell would, and each word is then filled in.
        say: called once with what went wrong, if anything did.

    Raises:
        InputError: it cannot be split, has an unknown placeholder, or there is no such program.
    """

    def __init__(self, text: str, say: Callable[[str], object]) -> None:
        try:
            self._words = shlex.split(text)
        except ValueError as error:
            raise InputError(f"{OPTION} {shown(text)}: {error}") from None
        if not self._words:
            raise InputError(f"{OPTION} needs a command, such as '{OPTION} \"notify-send {{text}}\"'")
        for name in PLACEHOLDER.findall(" ".join(self._words)):
            if name not in FIELDS:
                known = ", ".join(f"{{{field}}}" for field in FIELDS)
                raise InputError(f"{OPTION}: {shown('{' + name + '}')} is not a placeholder; there are {known}")
        program = self._words[0]
        if not PLACEHOLDER.search(program) and shutil.which(program) is None:
            raise InputError(f"{OPTION}: there is no program {shown(program)}; give its path")
        self._say = say
        self._said = False
        self._process: subprocess.Popen[bytes] | None = None

    def words(self, event: Event) -> list[str]:
        """The words to run for an event."""

        def value(found: re.Match[str]) -> str:
            return printable(getattr(event, FIELDS[found[1]]), LONGEST_FIELD)

        return [PLACEHOLDER.sub(value, word) for word in self._words]

    def run(self, event: Event) -> None:
        """Run it to its end, or for 30 s. What it prints goes to stderr."""
        words = self.words(event)
        try:
            self._process = process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
            )
        except (OSError, ValueError) as error:
            self._fail(f"cannot run {words[0]}: {getattr(error, 'strerror', None) or error}")
            return
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._fail(f"{words[0]} took more than {LIMIT:g} s and was ended")
            self.end()
        else:
            if code:
                self._fail(f"{words[0]} ended with exit code {code}")

    def end(self) -> None:
        """End a command that is still running, with all that it has started."""
        process = self._process
        self._said = True  # that it was ended is no failure of its own
        if process is None or process.poll() is not None:
            return
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()

    def _fail(self, what: str) -> None:
        if not self._said:
            self._said = True
            self._say(f"{OPTION}: {what}; further failures are not reported")
