"""The loss as a soft, slow pad below the layers: the lower the loss, the deeper."""

from __future__ import annotations

import numpy as np

from gradmidi.composition.mapping import Arctan
from gradmidi.composition.passage import Passage
from gradmidi.composition.pitch_range import PitchRange
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
A1, A3, A5 = (float(key_to_hz(key)) for key in (33, 57, 81))
# Loss 1 is A3; a factor of ten is an octave and a half there, and less and less towards A1 and A5.
LOSS_PITCH = Arctan(octaves_per_decade=1.5, centre=A3, range=PitchRange(A1, A5))


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
            tones[heard] = self._quantise(LOSS_PITCH(10.0**means)[:, np.newaxis])[:, 0]
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


def free_channel(taken: int) -> int:
    """The channel after ``taken`` channels of layers, without that of percussion."""
    return taken if taken < 9 else taken + 1
