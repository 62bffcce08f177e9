"""What `gradmidi run` hands to the processes of a script, and what these hand back; loads no torch."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
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
        live: port to play the first one on, as in :func:`gradmidi.listen`; None for no live sound.
        live_options, composer_options: as in :func:`gradmidi.listen`.
    """

    out: Path
    meta: Mapping[str, str]
    live: str | None = None
    live_options: Mapping[str, Any] = {}
    composer_options: Mapping[str, Any] = {}

    def path(self, number: int) -> Path:
        """``norms.csv``, ``norms-2.csv``, …: the file of recording ``number``, counted from 1."""
        return self.out / ("norms.csv" if number == 1 else f"norms-{number}.csv")


def give(handover: Handover, folder: Path) -> dict[str, str]:
    """Leave the handover in an empty folder; gives the environment in which the script has to be started."""
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


def recordings(handover: Handover, folder: Path) -> list[Path]:
    """The files that were begun during the run, in the order in which they were."""
    claimed = len(list(folder.glob(f"{CLAIM}*")))
    return [path for number in range(1, claimed + 1) if (path := handover.path(number)).exists()]


def _folder() -> Path:
    return Path(os.environ[VARIABLE])
