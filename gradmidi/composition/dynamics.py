"""How hard a note is struck: as set by its voice, or also by something other than the norm, such as the loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.recording import Recording

DYNAMICS = ("voice", "loss-change")
ACCENT = 36  # velocity added for a loss that doubles or halves within a step, and at most


class Dynamics:
    """Velocities (N,) to be added to those of the voices.

    ``voice`` adds nothing. ``loss-change`` adds up to 36 for the size of the loss's change since the step before:
    36 × |log2(loss / loss before)|, no more than 36. The norm, which sets the pitch, has no effect here.

    Raises:
        InputError: another name.
    """

    def __init__(self, name: str) -> None:
        if name not in DYNAMICS:
            raise InputError(f"no dynamics are called {name!r}; there are {', '.join(DYNAMICS)}")
        self._name = name
        self._loss = float("nan")

    def accents(self, recording: Recording) -> NDArray[np.int64]:
        """Accent of each row; 0 where the loss is unknown."""
        loss = recording.metrics.get("loss")
        if self._name == "voice" or loss is None or not len(loss):
            return np.zeros(len(recording), dtype=np.int64)
        before = np.concatenate([[self._loss], loss[:-1]])
        self._loss = float(loss[-1])
        with np.errstate(all="ignore"):
            octaves = np.abs(np.log2(loss / before))
        return np.asarray(np.round(ACCENT * np.nan_to_num(np.minimum(octaves, 1))), dtype=np.int64)
