"""What `gradmidi run` hands to the processes of a script, and what these hand back; loads no torch."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE = "GRADMIDI_RUN"  # names the folder of the handover in the script's environment
SETTINGS = "settings"
CLAIM = "recording-"
STARTUP = Path(__file__).parent / "startup"


class Handover(NamedTuple):
    """What to do with a training that is found.

    Attributes:
        out: absolute folder for the recordings.
        meta: kept with each recording.
        existing: what happens to an earlier file, as in :func:`gradmidi.listen`.
        live: port to play the first one on, as in :func:`gradmidi.listen`; None for no live sound.
        live_options, composer_options: as in :func:`gradmidi.listen`.
    """

    out: Path
    meta: Mapping[str, str]
    existing: str = "keep"
    live: str | None = None
    live_options: Mapping[str, Any] = {}
    composer_options: Mapping[str, Any] = {}

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


def _folder() -> Path:
    return Path(os.environ[VARIABLE])
