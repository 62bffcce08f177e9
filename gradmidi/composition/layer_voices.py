"""The layers' voices: a note per layer and step, its pitch given by the norm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.dynamics import Dynamics
from gradmidi.composition.mapping import Mapping
from gradmidi.composition.passage import Passage
from gradmidi.composition.quantising import Quantiser
from gradmidi.composition.voices import Part
from gradmidi.recording import Recording
from gradmidi.score import Notes, Voice

LOUDEST = 127


class LayerVoices:
    """A section; see :class:`gradmidi.composition.passage.Section`. A gap is silence; NaN and Inf are left to the
    alarms.

    Args:
        voices: the V voices.
        parts: how each is played.
        mapping: from norms (N, V) to Hz (N, V).
        quantise: moves pitches to the tones of the scale.
        dynamics: how hard notes are struck, in addition to the voice's velocity.
        drone: a note that keeps its pitch from step to step is tied.
    """

    def __init__(
        self,
        voices: Sequence[Voice],
        parts: Sequence[Part],
        mapping: Mapping,
        quantise: Quantiser,
        dynamics: Dynamics,
        drone: bool,
    ) -> None:
        self.voices = tuple(voices)
        self._mapping, self._quantise, self._dynamics, self._drone = mapping, quantise, dynamics, drone
        self._octaves = 2.0 ** np.array([part.octave for part in parts])
        self._struck = np.array([part.velocity for part in parts])
        self._sounding = np.full(len(self.voices), np.nan)

    def feed(self, passage: Passage) -> Notes:
        """The notes of the next passage."""
        tones = self._tones(passage.norms)
        silent = passage.gaps | passage.alarm
        tied = self._tied(tones, silent)
        heard = ~silent.ravel() if silent.any() else slice(None)
        width = len(self.voices)
        return Notes(
            onset=passage.placed.onset.ravel()[heard],
            duration=passage.placed.duration.ravel()[heard],
            frequency=tones.ravel()[heard],
            layer=np.tile(np.arange(width), len(tones))[heard],
            velocity=self._velocities(passage.recording).ravel()[heard],
            step=np.repeat(passage.recording.steps, width)[heard],
            tied=tied.ravel()[heard],
        )

    def _tones(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Hz of every note (N, V); where the norm is NaN, the lowest tone is a placeholder that is never played."""
        hz = np.asarray(self._mapping(np.where(np.isnan(norms), 0.0, norms)), dtype=np.float64)
        return self._quantise(hz * self._octaves)

    def _tied(self, tones: NDArray[np.float64], silent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where a drone continues from the row before; never in the other styles."""
        if not self._drone or not len(tones):
            return np.zeros(tones.shape, dtype=bool)
        heard = np.where(silent, np.nan, tones)
        before = np.concatenate([self._sounding[np.newaxis], heard[:-1]])
        self._sounding = heard[-1]
        return np.asarray(heard == before)

    def _velocities(self, recording: Recording) -> NDArray[np.int64]:
        return np.minimum(self._struck + self._dynamics.accents(recording)[:, np.newaxis], LOUDEST)
