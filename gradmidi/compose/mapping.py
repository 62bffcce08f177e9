"""Norm → Hz. A mapping is any callable that turns an array of norms into an array of Hz of the same shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError

Mapping = Callable[[NDArray[np.float64]], NDArray[np.float64]]

LOWEST_KEY_HZ = 440.0 * 2.0 ** ((0 - 69) / 12)
HIGHEST_KEY_HZ = 440.0 * 2.0 ** ((127 - 69) / 12)
MIDDLE_C = 440.0 * 2.0 ** ((60 - 69) / 12)


@dataclass(frozen=True)
class Post:
    """The 2019 post's line: 200 Hz + 100 Hz × norm. Beyond the keys of MIDI (8.2 Hz … 12.5 kHz) it is clamped."""

    base: float = 200.0
    slope: float = 100.0

    def __call__(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(self.base + self.slope * norms, LOWEST_KEY_HZ, HIGHEST_KEY_HZ)


@dataclass(frozen=True)
class Log:
    """Ten times the norm is one octave up; norm 1 is middle C. Clamped at norms 1e-3 (C1) and 1e4 (C8).

    A norm of zero, which has no logarithm, sounds as the lowest tone, infinity as the highest.
    """

    lowest_norm: float = 1e-3
    highest_norm: float = 1e4
    octaves_per_decade: float = 1.0
    unit_hz: float = MIDDLE_C

    def __call__(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        within = np.clip(norms, self.lowest_norm, self.highest_norm)
        hz: NDArray[np.float64] = self.unit_hz * 2.0 ** (self.octaves_per_decade * np.log10(within))
        return hz


MAPPINGS: dict[str, type[Post] | type[Log]] = {"post": Post, "log": Log}
DEFAULT_MAPPING = "log"


def mapping_named(mapping: str | Mapping) -> Mapping:
    """The mapping of that name, or the callable itself.

    Raises:
        InputError: an unknown name.
    """
    if callable(mapping):
        return mapping
    if mapping not in MAPPINGS:
        raise InputError(f"no mapping is called {mapping!r}; there are {', '.join(MAPPINGS)}")
    return MAPPINGS[mapping]()
