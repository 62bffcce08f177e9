"""The loss as a soft, slow pad below the layers: the lower the loss, the deeper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.passage import Passage
from gradmidi.composition.quantising import Quantiser
from gradmidi.composition.running_mean import RunningMean
from gradmidi.score import NOTHING, Notes, Voice
from gradmidi.theory.pitch import key_to_hz
from gradmidi.theory.scale import Scale

LOSS_NAME = "loss"
PAD = 89  # General MIDI's Pad 2 (warm)
VELOCITY = 64
MEMORY = 1.0  # s of the piece over which the loss is averaged, as that of a single batch says little
HYSTERESIS = 0.5
A3 = float(key_to_hz(57))
AROUND = 2.0  # octaves either side of A3 that no loss reaches
OCTAVES_PER_DECADE = 1.5  # at loss 1


class LossPad:
    """A section of one voice; see :class:`gradmidi.composition.passage.Section`. No loss, or one that is not finite or
    not above 0, is silence.

    Args:
        first: position of its voice among those of the piece.
        channel: its MIDI channel.
        scale: the tones; ``None`` for every pitch.
        step_length: s.
    """

    def __init__(self, first: int, channel: int, scale: Scale | None, step_length: float) -> None:
        self._first = first
        self.voices = (Voice(LOSS_NAME, channel, PAD, sustained=True),)
        self._quantise = Quantiser(scale, 1, HYSTERESIS)
        self._mean = RunningMean(min(1.0, step_length / MEMORY))
        self._sounding = float("nan")

    def feed(self, passage: Passage) -> Notes:
        """The pad's notes in the next passage: one per step, tied while the tone stays."""
        loss = passage.recording.metrics.get("loss")
        if loss is None or not len(loss):
            self._sounding = float("nan")
            return NOTHING
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log10(np.where((loss > 0) & np.isfinite(loss), loss, np.nan))
        heard = np.flatnonzero(~np.isnan(logs))
        tones = np.full(len(loss), np.nan)
        if len(heard):
            means = self._mean.after(logs[heard])
            tones[heard] = self._quantise(loss_pitch(means)[:, np.newaxis])[:, 0]
        tied = tones == np.concatenate([[self._sounding], tones[:-1]])
        self._sounding = float(tones[-1])
        starts, ends = passage.step_times
        return Notes(
            onset=starts[heard],
            duration=(ends - starts)[heard],
            frequency=tones[heard],
            layer=np.full(len(heard), self._first),
            velocity=passage.softened(np.full(len(loss), VELOCITY))[heard],
            step=passage.recording.steps[heard],
            tied=tied[heard],
        )


def loss_pitch(decades: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hz for log10 of losses: loss 1 is A3, a factor of ten an octave and a half there, and ever less away from it.

    Octaves from A3: w · 2/π · arctan(π/2 · s/w · log10 loss) with w = 2 and s = 1.5, so that no loss is out of range.
    """
    octaves = AROUND * 2 / np.pi * np.arctan(np.pi / 2 * OCTAVES_PER_DECADE / AROUND * decades)
    return np.asarray(A3 * 2.0**octaves)


def free_channel(taken: int) -> int:
    """The channel after ``taken`` channels of layers, without that of percussion."""
    return taken if taken < 9 else taken + 1
