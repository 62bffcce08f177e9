"""The MIDI ports that a performance can be sent to, as ``gradmidi ports`` lists them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import NamedTuple

from gradmidi.errors import MissingPartError
from gradmidi.outputs.live.player.libraries import drivers, nothing_runs
from gradmidi.outputs.live.process import start_player

ANSWER_LIMIT = 10.0  # s


class Port(NamedTuple):
    """A port to send to: its number (for ``--live NUMBER``), name, system (ALSA, JACK …) and MIDI library."""

    number: int
    name: str
    system: str
    library: str


def list_ports(backend: str | None = None) -> list[Port]:
    """Every MIDI port that can be sent to. Asks in a separate process, as a broken driver can hang or crash.

    Args:
        backend: a system (``"jack"``), a library (``"rtmidi2"``) or both (``"rtmidi2/jack"``).

    Raises:
        InputError: no such backend.
        MissingPartError: no MIDI library is installed, or no MIDI system runs or answers.
    """
    drivers(backend)
    process = start_player("ports", backend or "", subprocess.DEVNULL)
    try:
        answer, _ = process.communicate(timeout=ANSWER_LIMIT)
        rows = json.loads(answer)
    except (subprocess.TimeoutExpired, ValueError):
        process.kill()
        raise MissingPartError(
            "the MIDI system does not answer; restart it, or name another: gradmidi ports --backend alsa"
        ) from None
    if rows is None:
        raise MissingPartError(nothing_runs())
    return [Port(*row) for row in rows]


def _ask(backend: str | None) -> list[Port] | None:
    """The ports as the first installed library sees them, None without any system; runs in the separate process."""
    ports: list[Port] = []
    answered = False
    choice = drivers(backend)
    for driver in choice:
        if driver.library is choice[0].library and (client := driver.client()) is not None:
            answered = True
            names = driver.library.destinations(client)
            ports += [
                Port(len(ports) + i, name, driver.system, driver.library.package) for i, name in enumerate(names, 1)
            ]
    return ports if answered else None


if __name__ == "__main__":
    print(json.dumps(_ask(sys.argv[1] or None)))
