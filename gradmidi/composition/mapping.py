"""Norm → Hz. A mapping is any callable that turns norms (N, L) into Hz (N, L); these are the named ones.

A mapping that remembers earlier steps (``adaptive``, ``rank``) is copied by each composer, so that they share no
history. A norm of zero sounds as the lowest tone of the range and infinity as the highest; NaN never reaches a mapping.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.baseline import Baseline
from gradmidi.composition.pitch_range import PitchRange
from gradmidi.errors import InputError
from gradmidi.theory.pitch import key_to_hz

Norms = NDArray[np.float64]
Mapping = Callable[[Norms], Norms]
C1, C3, C4, E5, C6, C7, C8 = (float(key_to_hz(key)) for key in (24, 48, 60, 76, 84, 96, 108))
MUSICAL = PitchRange(C1, C8)
LOWEST_NORM = 1e-3  # lowest that the default logarithmic mapping distinguishes from zero: three octaves below middle C
MIDDLE = PitchRange(C3, C6)
WIDE = PitchRange(C3, C7)


class Named(Protocol):
    """Base class of the named mappings."""

    range: PitchRange

    def __call__(self, norms: Norms) -> Norms: ...


@dataclass
class Post:
    """The 2019 post's line, ``base`` + ``slope`` × norm in Hz; by default 200 + 100 × norm over all keys of MIDI."""

    base: float = 200.0
    slope: float = 100.0
    range: PitchRange = field(default_factory=PitchRange)

    def __call__(self, norms: Norms) -> Norms:
        with np.errstate(over="ignore"):  # an overflow is outside every range
            return self.range.apply(self.base + self.slope * norms)


@dataclass
class Log:
    """Each factor of ten in the norm is a fixed number of octaves, and norm 1 is a given pitch.

    By default a factor of ten is one octave and norm 1 is middle C, so that norms from 1e-3 to 1e4 fill C1 to C8.
    """

    octaves_per_decade: float = 1.0
    unit_hz: float = C4
    range: PitchRange = MUSICAL

    def __call__(self, norms: Norms) -> Norms:
        with np.errstate(divide="ignore", over="ignore"):
            return self.range.apply(self.unit_hz * 2.0 ** (self.octaves_per_decade * np.log10(np.maximum(norms, 0))))


@dataclass
class Wide(Log):
    """Like ``log`` with less of a rise, so that twelve decades fit into the pitches that any loudspeaker plays.

    Norms from 1e-7 to 1e5 fill C3 to C7: a factor of ten is a third of an octave, four semitones, and norm 1 is E5.
    """

    octaves_per_decade: float = 1 / 3
    unit_hz: float = E5
    range: PitchRange = WIDE


@dataclass
class Adaptive:
    """Deviation from what is usual for the layer: a healthy run hovers around one pitch and a change is heard.

    ``centre`` Hz is the running mean of the layer's log-norms (``weight`` is that of the newest step); each
    factor of ten above or below it is ``octaves_per_decade`` octaves. The first norm of a layer is its own mean.
    """

    octaves_per_decade: float = 2.0
    centre: float = C4
    weight: float = 0.05
    range: PitchRange = MUSICAL
    _baseline: Baseline | None = field(default=None, repr=False)

    def __call__(self, norms: Norms) -> Norms:
        if self._baseline is None:
            self._baseline = Baseline(norms.shape[-1], self.weight)
        usual = self._baseline.before(norms)
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(norms, 0))
        decades = (logs - np.where(np.isnan(usual), np.where(np.isfinite(logs), logs, 0), usual)) / np.log(10)
        with np.errstate(over="ignore"):
            return self.range.apply(self.centre * 2.0 ** (self.octaves_per_decade * decades))


@dataclass
class Rank:
    """How a norm ranks among the layer's last ``window`` norms: the lowest of them at C3, the highest at C6.

    It uses the full range whatever the norms are, and says nothing about their size.
    """

    window: int = 64
    range: PitchRange = MIDDLE
    _past: Norms | None = field(default=None, repr=False)

    def __call__(self, norms: Norms) -> Norms:
        past = np.empty((0, norms.shape[-1])) if self._past is None else self._past
        share = np.empty_like(norms)
        for row, now in enumerate(norms):
            past = np.concatenate([past[-self.window + 1 :], now[np.newaxis]])
            below = (past < now).sum(axis=0) + 0.5 * ((past == now).sum(axis=0) - 1)
            share[row] = below / (len(past) - 1) if len(past) > 1 else 0.5
        self._past = past
        return self.range.lowest * (self.range.highest / self.range.lowest) ** share


@dataclass
class Inverted:
    """Inverts another mapping: large norms low, small ones high, mirrored within its range."""

    mapping: Mapping
    range: PitchRange

    def __call__(self, norms: Norms) -> Norms:
        return self.range.mirrored(self.mapping(norms))


def describe_mapping(mapping: Mapping) -> str:
    """A mapping in a few words."""
    if isinstance(mapping, Inverted):
        return f"{describe_mapping(mapping.mapping)}, inverted"
    names = [name for name, make in MAPPINGS.items() if make is type(mapping)]
    return f"mapping {names[0]}" if names else "own mapping"


MAPPINGS: dict[str, Callable[[], Named]] = {
    "log": Log,
    "post": Post,
    "wide": Wide,
    "adaptive": Adaptive,
    "rank": Rank,
}


def choose_mapping(mapping: str | Mapping, *, beyond: str | None = None, invert: bool = False) -> Mapping:
    """A separate mapping for one composer: the one of that name, or a copy of the given object.

    Args:
        mapping: ``log``, ``post``, ``wide``, ``adaptive``, ``rank``, or a callable from norms (N, L) to Hz (N, L).
        beyond: ``clamp`` or ``fold`` for tones outside the mapping's range; by default the mapping's own setting.
        invert: large norms low and small ones high.

    Raises:
        InputError: an unknown name, or ``beyond`` for a function that has no range.
    """
    if callable(mapping):
        chosen = copy.deepcopy(mapping)
    elif mapping in MAPPINGS:
        chosen = MAPPINGS[mapping]()
    else:
        raise InputError(f"no mapping is called {mapping!r}; there are {', '.join(MAPPINGS)}")
    found: PitchRange | None = getattr(chosen, "range", None)
    if beyond is not None:
        if found is None:
            raise InputError("beyond needs a mapping with a range; a plain function sets its own limits")
        found = replace(found, beyond=beyond)
        chosen.range = found  # type: ignore[attr-defined]
    return Inverted(chosen, found or PitchRange()) if invert else chosen
