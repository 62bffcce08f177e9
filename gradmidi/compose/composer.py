"""Recording → Score, a block of steps at a time or the whole run at once, by the same code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradmidi.compose.events import PERCUSSION_KEYS, Event, EventState, find_events
from gradmidi.compose.mapping import DEFAULT_MAPPING, Mapping, mapping_named
from gradmidi.compose.timing import Timing
from gradmidi.compose.voices import Part, load_parts, voices_for
from gradmidi.recording import Recording
from gradmidi.score import Marks, Score
from gradmidi.theory.pitch import key_to_hz
from gradmidi.theory.scale import Scale

DEFAULT_SCALE = "A minor pentatonic"
STEP_MARK_EVERY = 10
ALARM_VELOCITY = 110


class Composer:
    """Turns rows of norms into notes and remembers, between calls, where in the piece it is.

    Args:
        layers: names of the L layers.
        scale: a :class:`Scale`, its text form, or ``None`` for pitches as the mapping gives them.
        mapping: ``"post"``, ``"log"`` or any callable from norms (N, L) to Hz (N, L).
        timing: length of notes and rests.
        parts: who plays each layer; the built-in voices file by default.
        title: the piece's name.

    Raises:
        InputError: an unknown scale or mapping, or more layers than MIDI has channels.
    """

    def __init__(
        self,
        layers: Sequence[str],
        *,
        scale: Scale | str | None = DEFAULT_SCALE,
        mapping: str | Mapping = DEFAULT_MAPPING,
        timing: Timing | None = None,
        parts: Sequence[Part] | None = None,
        title: str = "gradmidi",
    ) -> None:
        self.layers = tuple(layers)
        self.scale = Scale.parse(scale) if isinstance(scale, str) else scale
        self.mapping = mapping_named(mapping)
        self.timing = timing or Timing()
        self.parts = tuple(parts or load_parts())
        self.voices = voices_for(self.layers, self.parts)
        self.title = title
        self._rows = 0
        self._epoch = float("nan")
        self._events = EventState.start(len(self.layers))

    def feed(self, recording: Recording) -> Score:
        """The notes of the next rows, timed from the start of the whole piece."""
        first, rows, width = self._rows, len(recording), len(self.layers)
        onsets = self.timing.onsets(first, rows, width)
        events = find_events(recording, self._events)
        alarm = np.isin(np.isfinite(recording.norms), False) & ~recording.gaps
        layer = np.where(alarm, width, np.arange(width))
        frequency = self._frequencies(recording.norms)
        for event in events:
            if event.kind in PERCUSSION_KEYS:
                frequency[event.row, event.layer] = key_to_hz(PERCUSSION_KEYS[event.kind])
        struck = np.array([self.parts[i % len(self.parts)].velocity for i in range(width)])
        velocity = np.where(alarm, ALARM_VELOCITY, struck)
        sounding = ~recording.gaps.ravel()
        self._rows += rows
        return Score(
            onset=onsets.ravel()[sounding],
            duration=np.full(int(sounding.sum()), self.timing.unit),
            frequency=frequency.ravel()[sounding],
            layer=layer.ravel()[sounding],
            velocity=velocity.ravel()[sounding],
            step=np.repeat(recording.steps, width)[sounding],
            voices=self.voices,
            marks=self._marks(recording, events, onsets),
            length=self.timing.end(self._rows, width),
            title=self.title,
            tempo=self.timing.tempo,
        )

    def _frequencies(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Hz of every note (N, L); where the norm is not finite any tone stands in, to be replaced by the alarm's."""
        hz = np.asarray(self.mapping(np.where(np.isfinite(norms), norms, 1.0)), dtype=np.float64)
        hz = hz * 2.0 ** np.array([self.parts[i % len(self.parts)].octave for i in range(len(self.layers))])
        return self.scale.quantize(hz) if self.scale is not None else hz

    def _marks(self, recording: Recording, events: list[Event], onsets: NDArray[np.float64]) -> Marks:
        starts = onsets[:, 0]
        found = [(float(onsets[event.row, event.layer]), event.kind, event.text) for event in events]
        steps = recording.steps
        tens = np.flatnonzero(steps % STEP_MARK_EVERY == 0)
        found += [(float(starts[i]), "step", f"step {steps[i]}") for i in tens]
        found += [
            (float(starts[i]), "epoch", f"epoch {recording.metrics['epoch'][i]:g}") for i in self._new_epochs(recording)
        ]
        losses = recording.metrics.get("loss", np.empty(0))
        found += [(float(starts[i]), "loss", f"loss {losses[i]:.6g}") for i in range(len(losses))]
        found.sort(key=lambda mark: mark[0])
        time, kind, text = zip(*found, strict=True) if found else ((), (), ())
        return Marks(np.array(time, dtype=np.float64), np.array(kind, dtype=str), np.array(text, dtype=str))

    def _new_epochs(self, recording: Recording) -> NDArray[np.int64]:
        """Rows in which the epoch differs from the row before."""
        epochs = recording.metrics.get("epoch")
        if epochs is None or not len(epochs):
            return np.empty(0, dtype=np.int64)
        before = np.concatenate([[self._epoch], epochs[:-1]])
        self._epoch = float(epochs[-1])
        return np.flatnonzero(np.isfinite(epochs) & (epochs != before))


def compose(
    recording: Recording,
    *,
    scale: Scale | str | None = DEFAULT_SCALE,
    mapping: str | Mapping = DEFAULT_MAPPING,
    timing: Timing | None = None,
    parts: Sequence[Part] | None = None,
    title: str | None = None,
) -> Score:
    """The score of a whole recording; the options are those of :class:`Composer`.

    Raises:
        InputError: as :class:`Composer`.
    """
    name = title or recording.meta.get("title", "gradmidi")
    composer = Composer(recording.layers, scale=scale, mapping=mapping, timing=timing, parts=parts, title=name)
    return composer.feed(recording)
