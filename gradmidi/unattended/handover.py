"""What `gradmidi run` hands to the processes of a script, and what these hand back; loads no torch."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from gradmidi.events import Event

VARIABLE = "GRADMIDI_RUN"  # names the folder of the handover in the script's environment
SETTINGS = "settings"
CLAIM = "recording-"
EVENTS = "events"
STARTUP = Path(__file__).parent / "startup"


class Handover(NamedTuple):
    """What to do with a training that is found.

    Attributes:
        out: absolute folder for the recordings.
        meta: kept with each recording.
        existing: what happens to an earlier file, as in :func:`gradmidi.listen`.
        live: port to play the first one on, as in :func:`gradmidi.listen`; None for no live sound.
        live_options, composer_options: as in :func:`gradmidi.listen`.
        stop_on: kinds of events that interrupt the training.
    """

    out: Path
    meta: Mapping[str, str]
    existing: str = "keep"
    live: str | None = None
    live_options: Mapping[str, Any] = {}
    composer_options: Mapping[str, Any] = {}
    stop_on: tuple[str, ...] = ()

    def path(self, number: int) -> Path:
        """``norms.csv``, ``norms-2.csv``, …: the file of recording ``number``, counted from 1."""
        return self.out / ("norms.csv" if number == 1 else f"norms-{number}.csv")


def give(handover: Handover, folder: Path) -> dict[str, str]:
    """Write the handover to an empty folder; returns the environment in which to start the script."""
    (folder / SETTINGS).write_bytes(pickle.dumps(handover))
    before = os.environ.get("PYTHONPATH")
    python_path = os.pathsep.join([str(STARTUP), *([before] if before else [])])
    return {**os.environ, "PYTHONPATH": python_path, VARIABLE: str(folder)}


def take() -> Handover:
    """The handover of the run that this process belongs to."""
    handover = pickle.loads((_folder() / SETTINGS).read_bytes())
    assert isinstance(handover, Handover)
    return handover


def claim_number() -> int:
    """The number of a new recording, which no other process of the run has or gets."""
    number = 1
    while True:
        try:
            (_folder() / f"{CLAIM}{number}").touch(exist_ok=False)
            return number
        except FileExistsError:
            number += 1


def tell_of(number: int, notices: Sequence[str]) -> None:
    """Report that the file of a claimed number was started, and what the user should know about it."""
    (_folder() / f"{CLAIM}{number}").write_text(json.dumps(list(notices)))


def recordings(handover: Handover, folder: Path) -> dict[Path, list[str]]:
    """The files that were begun during the run, in the order in which they were, and what was told of each."""
    claims = {int(claim.name.removeprefix(CLAIM)): claim.read_text() for claim in folder.glob(f"{CLAIM}*")}
    begun = {handover.path(number): json.loads(told) for number, told in sorted(claims.items()) if told}
    return {path: notices for path, notices in begun.items() if path.exists()}


class Told(NamedTuple):
    """An event that a process of the script has told.

    Attributes:
        number: of the recording in which it was found.
        event: what was found.
        stopped: it is told a second time, as the reason why the script is interrupted.
    """

    number: int
    event: Event
    stopped: bool


def tell_event(number: int, event: Event, stopped: bool = False) -> None:
    """Tell `gradmidi run` of an event, with one small write; several processes may.

    Raises:
        OSError: the folder has gone, or the disk is full.
    """
    line = json.dumps([number, event, stopped]) + "\n"
    with (_folder() / EVENTS).open("ab", buffering=0) as file:
        file.write(line.encode())


class Ear:
    """Hears what the processes of the script tell.

    Args:
        folder: of the handover.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS
        self._at = 0

    def hear(self) -> list[Told]:
        """What was told since the last time."""
        from gradmidi.events import Event

        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                new = file.read()
        except OSError:  # nothing has been told yet
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self._at += len(whole)
        told = map(json.loads, whole.splitlines())
        return [Told(number, Event._make([*event[:-1], tuple(event[-1])]), stopped) for number, event, stopped in told]


def _folder() -> Path:
    return Path(os.environ[VARIABLE])
