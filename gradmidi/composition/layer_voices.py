"""The layers' voices: a note per layer and step, its pitch given by the norm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.dynamics import Dynamics
from gradmidi.composition.mapping import Mapping
from gradmidi.composition.modes import Modes
from gradmidi.composition.passage import Passage
from gradmidi.composition.voices import Part
from gradmidi.score import OWN_PROGRAM, Notes, Voice
from gradmidi.theory.pitch import key_to_hz

LOUDEST = 127
KNOCK = 115  # General MIDI's Woodblock: a layer whose gradient is exactly zero
KNOCK_EVERY = 2.0  # s, in drones
KNOCK_KEYS = (62, 71)  # of the first and the last layer, D4 and B4
KNOCK_VELOCITY = 92


class LayerVoices:
    """A section; see :class:`gradmidi.composition.passage.Section`. A gap is silence; NaN and Inf are left to the
    alarms.

    Args:
        voices: the V voices.
        parts: how each is played.
        mapping: from norms (N, V) to Hz (N, V).
        quantise: moves pitches to the tones of the scale of the moment.
        dynamics: how hard notes are struck, in addition to the voice's velocity.
        drone: a note that keeps its pitch from step to step is tied.
        knocks: a norm of exactly zero is a knock at the layer's own pitch, not the lowest tone.
    """

    def __init__(
        self,
        voices: Sequence[Voice],
        parts: Sequence[Part],
        mapping: Mapping,
        quantise: Modes,
        dynamics: Dynamics,
        drone: bool,
        knocks: bool = False,
    ) -> None:
        self.voices = tuple(voices)
        self._mapping, self._quantise, self._dynamics, self._drone = mapping, quantise, dynamics, drone
        self._octaves = 2.0 ** np.array([part.octave for part in parts])
        self._struck = np.array([part.velocity for part in parts])
        self._sounding = np.full(len(self.voices), np.nan)
        self._knocks = knock_pitches(len(self.voices)) if knocks else None

    def feed(self, passage: Passage) -> Notes:
        """The notes of the next passage."""
        tones = self._tones(passage)
        silent = passage.gaps | passage.alarm
        velocities, programs = self._velocities(passage), np.full(tones.shape, OWN_PROGRAM)
        knocking = passage.norms == 0
        if self._knocks is None or not knocking.any():
            tied = self._tied(tones, silent)
        else:
            tones = np.where(knocking, self._knocks, tones)
            velocities, programs = np.where(knocking, KNOCK_VELOCITY, velocities), np.where(knocking, KNOCK, programs)
            tied = self._tied(tones, silent) & ~(knocking & _knock_is_due(passage)[:, np.newaxis])
        heard = ~silent.ravel() if silent.any() else slice(None)
        width = len(self.voices)
        return Notes(
            onset=passage.placed.onset.ravel()[heard],
            duration=passage.placed.duration.ravel()[heard],
            frequency=tones.ravel()[heard],
            layer=np.tile(np.arange(width), len(tones))[heard],
            velocity=velocities.ravel()[heard],
            step=np.repeat(passage.recording.steps, width)[heard],
            tied=tied.ravel()[heard],
            program=programs.ravel()[heard],
        )

    def _tones(self, passage: Passage) -> NDArray[np.float64]:
        """Hz of every note (N, V); where the norm is NaN, the lowest tone is a placeholder that is never played."""
        norms = passage.norms
        hz = np.asarray(self._mapping(np.where(np.isnan(norms), 0.0, norms)), dtype=np.float64)
        return self._quantise(hz * self._octaves, passage.recording)

    def _tied(self, tones: NDArray[np.float64], silent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where a drone continues from the row before; never in the other styles."""
        if not self._drone or not len(tones):
            return np.zeros(tones.shape, dtype=bool)
        heard = np.where(silent, np.nan, tones)
        before = np.concatenate([self._sounding[np.newaxis], heard[:-1]])
        self._sounding = heard[-1]
        return np.asarray(heard == before)

    def _velocities(self, passage: Passage) -> NDArray[np.int64]:
        accents = self._dynamics.accents(passage.recording)[:, np.newaxis]
        return passage.softened(np.minimum(self._struck + accents, LOUDEST))


def knock_pitches(voices: int) -> NDArray[np.float64]:
    """Hz (V,) of the layers' knocks, the deepest for the first layer; by these each can be told from the others."""
    return np.asarray(key_to_hz(np.linspace(*KNOCK_KEYS, voices) if voices > 1 else np.array([sum(KNOCK_KEYS) / 2])))


def _knock_is_due(passage: Passage) -> NDArray[np.bool_]:
    """(N,) where a drone of knocks is struck again."""
    starts, ends = passage.step_times
    return np.asarray(np.floor(starts / KNOCK_EVERY) != np.floor((2 * starts - ends) / KNOCK_EVERY))
