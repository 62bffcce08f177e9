"""The range of pitches of a mapping, and what happens to tones outside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.theory.pitch import key_to_hz

BEYOND = ("clamp", "fold")


@dataclass(frozen=True)
class PitchRange:
    """From ``lowest`` to ``highest`` Hz.

    A tone outside is clamped (it sounds as the limit) or folded (it moves by octaves until it is inside). Zero and
    infinity, which no number of octaves brings back, are always clamped.

    Raises:
        InputError: limits that are not 0 < lowest < highest, or less than an octave apart when folding; anything
            other than clamp or fold.
    """

    lowest: float = float(key_to_hz(0))
    highest: float = float(key_to_hz(127))
    beyond: str = "clamp"

    def __post_init__(self) -> None:
        if self.beyond not in BEYOND:
            raise InputError(f"beyond is {self.beyond!r}; a tone outside the range can be {' or '.join(BEYOND)}ed")
        if not 0 < self.lowest < self.highest < np.inf:
            raise InputError(f"a range from {self.lowest:g} to {self.highest:g} Hz makes no sense; give low, then high")
        if self.beyond == "fold" and self.highest < 2 * self.lowest:
            raise InputError("a range less than an octave wide cannot be folded into; widen it or clamp")

    def apply(self, hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tones of any shape, in Hz, brought into the range; nan stays nan."""
        if self.beyond == "fold":
            hz = self._folded(hz)
        return np.clip(hz, self.lowest, self.highest)

    def mirrored(self, hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tones mirrored at the middle of the range, in cents: high for low and low for high."""
        return self.lowest * self.highest / hz

    def _folded(self, hz: NDArray[np.float64]) -> NDArray[np.float64]:
        usable = np.isfinite(hz) & (hz > 0)
        tones = np.where(usable, hz, self.lowest)
        down = np.maximum(np.ceil(np.log2(tones / self.highest)), 0)
        up = np.maximum(np.ceil(np.log2(self.lowest / tones)), 0)
        return np.where(usable, tones * 2.0 ** (up - down), hz)
