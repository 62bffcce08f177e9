"""What is wrong with a run: NaN, Inf, explosions and exact zeros, found here, heard and seen everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.recording import Recording

# kind, key of the General MIDI drum map that sounds in place of the note
PERCUSSION_KEYS = {"nan": 38, "inf": 49}  # acoustic snare, crash cymbal
ANOMALIES = ("nan", "inf", "explosion", "zero")

EXPLOSION_RATIO = 20.0  # times the layer's running baseline
BASELINE_WEIGHT = 0.1  # of the newest step, in the running mean of log-norms


class Event(NamedTuple):
    """Something that happened: row and column in the block of norms, kind and text for a person."""

    row: int
    layer: int
    kind: str
    text: str


@dataclass
class EventState:
    """What detection remembers between blocks, a value a layer: baseline of log-norms and what was already told."""

    baseline: NDArray[np.float64]
    exploded: NDArray[np.bool_]
    vanished: NDArray[np.bool_]

    @classmethod
    def start(cls, layers: int) -> EventState:
        return cls(np.full(layers, np.nan), np.zeros(layers, dtype=bool), np.zeros(layers, dtype=bool))


def find_events(recording: Recording, state: EventState) -> list[Event]:
    """Every anomaly in the rows of ``recording``, in order; ``state`` goes on to the next block.

    NaN and Inf are told each time. An explosion (a norm over 20 times its running baseline, the exponentially
    weighted geometric mean of the layer's earlier norms) and a gradient of exactly zero are told when they begin.
    """
    events = []
    for row, (norms, gaps) in enumerate(zip(recording.norms, recording.gaps, strict=True)):
        kinds = _kinds(norms, gaps, state)
        for layer in np.flatnonzero(kinds != ""):
            kind = str(kinds[layer])
            text = _text(kind, recording.layers[layer], int(recording.steps[row]), norms[layer], state.baseline[layer])
            events.append(Event(row, int(layer), kind, text))
        _advance(norms, state)
    return events


def _kinds(norms: NDArray[np.float64], gaps: NDArray[np.bool_], state: EventState) -> NDArray[np.str_]:
    exploding = np.isfinite(norms) & (norms > EXPLOSION_RATIO * np.exp(state.baseline))
    zero = norms == 0
    kinds = np.full(len(norms), "", dtype="U9")
    kinds[np.isnan(norms) & ~gaps] = "nan"
    kinds[np.isinf(norms)] = "inf"
    kinds[exploding & ~state.exploded] = "explosion"
    kinds[zero & ~state.vanished] = "zero"
    state.exploded = exploding
    state.vanished = np.where(gaps, state.vanished, zero)
    return kinds


def _advance(norms: NDArray[np.float64], state: EventState) -> None:
    usable = np.isfinite(norms) & (norms > 0)
    logs = np.log(norms, where=usable, out=np.zeros_like(norms))
    first = np.isnan(state.baseline)
    moved = np.where(first, logs, state.baseline + BASELINE_WEIGHT * (logs - state.baseline))
    state.baseline = np.where(usable, moved, state.baseline)


def _text(kind: str, layer: str, step: int, norm: float, baseline: float) -> str:
    if kind == "explosion":
        return f"{layer} explodes at step {step}: {norm:.3g}, {norm / np.exp(baseline):.0f} times its usual"
    if kind == "zero":
        return f"{layer} has a gradient of exactly 0 from step {step}"
    return f"{'NaN' if kind == 'nan' else 'Inf'} in {layer} at step {step}"
