"""Recording → Score, a block of steps at a time or the whole run at once, by the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradmidi.checks import is_number
from gradmidi.composition import mapping as mappings
from gradmidi.composition.dynamics import Dynamics
from gradmidi.composition.events import KINDS, PERCUSSION_KEYS, Event, Watch
from gradmidi.composition.grouping import MAX_VOICES, group_layers
from gradmidi.composition.notes import ALARM_VELOCITY, Hit, Notes
from gradmidi.composition.pitch_range import key_hz
from gradmidi.composition.quantising import Quantiser
from gradmidi.composition.styles import check_style, place
from gradmidi.composition.timelapse import time_lapse
from gradmidi.composition.timing import Timing, choose_timing, parse_duration
from gradmidi.composition.voices import Part, choose_parts, voices_for
from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.recording import Recording
from gradmidi.score import Marks, Score
from gradmidi.theory.scale import Scale

DEFAULT_SCALE = "A minor pentatonic"
STEP_MARK_EVERY = 10
LOUDEST = 127


class Composer:
    """Turns rows of norms into notes and remembers, between calls, where in the piece it is.

    Args:
        layers: names of the L layers.
        scale: a :class:`Scale`, its text form, or ``None`` for pitches as the mapping gives them.
        mapping: ``"log"``, ``"post"``, ``"adaptive"``, ``"rank"`` or any callable from norms (N, L) to Hz (N, L).
        beyond: ``"clamp"`` or ``"fold"`` for tones beyond the mapping's range.
        invert: large norms low, small ones high.
        hysteresis: from 0 up to 1, how long a layer holds its tone when a norm lingers between two; 0 is never.
        dynamics: ``"voice"``, or ``"loss-change"`` to accent the steps at which the loss changes much.
        style: ``"sequence"`` (the post's order), ``"chord"`` or ``"drone"``.
        timing: length of notes and rests; or, as on the command line:
        unit: length of one note, in s or as text: ``"50ms"``, ``"1/16"``.
        tempo: BPM, for bar lines and note values.
        parts: who plays each voice; or:
        voices: a voices file (see docs/voices.md); the built-in one by default.
        max_voices: how many voices there are at most; more layers than that are joined, see
            :func:`gradmidi.composition.grouping.group_layers`.
        groups: own voices: a name, and names or globs of its layers.
        title: the piece's name.

    Raises:
        InputError: an unknown name, a value out of range, or groups that fit no layer.
    """

    def __init__(
        self,
        layers: Sequence[str],
        *,
        scale: Scale | str | None = DEFAULT_SCALE,
        mapping: str | mappings.Mapping = mappings.DEFAULT_MAPPING,
        beyond: str | None = None,
        invert: bool = False,
        hysteresis: float = 0.0,
        dynamics: str = "voice",
        style: str = "sequence",
        timing: Timing | None = None,
        unit: str | float | None = None,
        tempo: float | None = None,
        parts: Sequence[Part] | None = None,
        voices: str | Path | None = None,
        max_voices: int = MAX_VOICES,
        groups: Mapping[str, Sequence[str]] | None = None,
        title: str = "gradmidi",
    ) -> None:
        self.layers = tuple(layers)
        self.grouping = group_layers(self.layers, max_voices, groups)
        count = len(self.grouping.groups)
        self.scale = _choose_scale(scale)
        self.mapping = mappings.choose_mapping(mapping, beyond=beyond, invert=invert)
        self.timing = choose_timing(timing, unit, tempo)
        self.style = check_style(style)
        chosen = choose_parts(parts, voices)
        self.parts = tuple(chosen[i % len(chosen)] for i in range(count))
        self.voices = voices_for(self.grouping.names, self.parts)
        self.title = title
        self._octaves = 2.0 ** np.array([part.octave for part in self.parts])
        self._struck = np.array([part.velocity for part in self.parts])
        self._quantise = Quantiser(self.scale, count, hysteresis)
        self._dynamics = Dynamics(dynamics)
        self._watch = Watch(len(self.layers))
        self._rows = 0
        self._step: int | None = None
        self._epoch = float("nan")
        self._sounding = np.full(count, np.nan)

    @property
    def about(self) -> str:
        """Scale, mapping and, if layers are joined, how, for a person."""
        scale = "no scale" if self.scale is None else str(self.scale)
        joined = [] if self.grouping.is_trivial else [f"{len(self.layers)} layers in {len(self.voices) - 1} voices"]
        return ", ".join([scale, mappings.describe_mapping(self.mapping), *joined])

    def feed(self, recording: Recording, events: Sequence[Event] | None = None) -> Score:
        """The notes of the next rows, timed from the start of the whole piece.

        Args:
            recording: the rows.
            events: what is wrong in them, where that is known already (a time-lapse); found here if not given.
        """
        rows, width = len(recording), len(self.grouping.groups)
        placed = place(self.style, self.timing, self._rows, rows, width)
        events = self._watch.find(recording) if events is None else events
        norms, gaps = self.grouping.join(recording)
        alarm = ~np.isfinite(norms) & ~gaps
        tones = self._tones(norms)
        tied = self._tied(tones, alarm | gaps)
        for kind, key in PERCUSSION_KEYS.items():
            tones[alarm & KINDS[kind](norms)] = key_hz(key)
        sounding = ~gaps.ravel()
        marks = self._marks(recording, events, placed.onset)
        self._rows += rows
        notes = Notes(
            onset=placed.onset.ravel()[sounding],
            duration=placed.duration.ravel()[sounding],
            frequency=tones.ravel()[sounding],
            layer=np.where(alarm, width, np.arange(width)).ravel()[sounding],
            velocity=self._velocities(recording, alarm).ravel()[sounding],
            step=np.repeat(recording.steps, width)[sounding],
            tied=tied.ravel()[sounding],
        )
        return Score(
            **notes.with_hits(self._unheard(events, norms), placed)._asdict(),
            voices=self.voices,
            marks=marks,
            length=self.timing.end(self._rows, width),
            held=self.style == "drone",
            title=self.title,
            about=self.about,
            tempo=self.timing.tempo,
        )

    def _tones(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Hz of every note (N, L); where the norm is nan the lowest tone stands in, to be replaced by the alarm's."""
        hz = np.asarray(self.mapping(np.where(np.isnan(norms), 0.0, norms)), dtype=np.float64)
        return self._quantise(hz * self._octaves).copy()

    def _unheard(self, events: Sequence[Event], norms: NDArray[np.float64]) -> list[Hit]:
        """Alarms that no note of their voice is yet: the peak of a bin sounds, or another layer's alarm."""
        hits: dict[tuple[int, int, str], Hit] = {}
        for event in events:
            voice = self.grouping.voice_of(event.layer) if event.kind in PERCUSSION_KEYS else None
            if voice is not None and not KINDS[event.kind](norms[event.row, voice]):
                hits.setdefault((event.row, voice, event.kind), Hit(event.row, voice, event.kind, event.step))
        return list(hits.values())

    def _tied(self, tones: NDArray[np.float64], silent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where a drone goes on from the row before; never in the other styles."""
        if self.style != "drone" or not len(tones):
            return np.zeros(tones.shape, dtype=bool)
        heard = np.where(silent, np.nan, tones)
        before = np.concatenate([self._sounding[np.newaxis], heard[:-1]])
        self._sounding = heard[-1]
        return np.asarray(heard == before)

    def _velocities(self, recording: Recording, alarm: NDArray[np.bool_]) -> NDArray[np.int64]:
        accented = np.minimum(self._struck + self._dynamics.accents(recording)[:, np.newaxis], LOUDEST)
        return np.where(alarm, ALARM_VELOCITY, accented)

    def _marks(self, recording: Recording, events: Sequence[Event], onsets: NDArray[np.float64]) -> Marks:
        starts = onsets[:, 0]  # in every style the first voice begins with its step
        steps, metrics = recording.steps, recording.metrics
        losses = metrics.get("loss", np.empty(0))
        found = [(self._time_of(event, onsets), event.kind, event.text) for event in events]
        tens = self._new_tens(steps)
        found += [(float(starts[i]), "step", f"step {steps[i]}") for i in tens]
        found += [(float(starts[i]), "resumed", f"resumed at step {steps[i]}") for i in recording.seams()]
        found += [(float(starts[i]), "epoch", f"epoch {metrics['epoch'][i]:g}") for i in self._new_epochs(recording)]
        found += [(float(starts[i]), "loss", f"loss {losses[i]:.6g}") for i in range(len(losses))]
        found.sort(key=lambda mark: mark[0])
        time, kind, text = zip(*found, strict=True) if found else ((), (), ())
        return Marks(np.array(time, dtype=np.float64), np.array(kind, dtype=str), np.array(text, dtype=str))

    def _time_of(self, event: Event, onsets: NDArray[np.float64]) -> float:
        """When the event's layer plays; the start of its step for a layer that is in no voice."""
        return float(onsets[event.row, self.grouping.voice_of(event.layer) or 0])

    def _new_tens(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows in which the steps reach or pass the next multiple of ten."""
        if not len(steps):
            return np.empty(0, dtype=np.int64)
        before = steps[0] - 1 if self._step is None else self._step
        tens = np.concatenate([[before], steps]) // STEP_MARK_EVERY
        self._step = int(steps[-1])
        return np.flatnonzero(np.diff(tens))

    def _new_epochs(self, recording: Recording) -> NDArray[np.int64]:
        """Rows in which the epoch differs from the row before."""
        epochs = recording.metrics.get("epoch")
        if epochs is None or not len(epochs):
            return np.empty(0, dtype=np.int64)
        before = np.concatenate([[self._epoch], epochs[:-1]])
        self._epoch = float(epochs[-1])
        return np.flatnonzero(np.isfinite(epochs) & (epochs != before))


def _choose_scale(scale: Scale | str | None) -> Scale | None:
    """A scale as it is, or of its text form; ``"none"`` is none, as on the command line."""
    if scale is None or isinstance(scale, Scale):
        return scale
    if not isinstance(scale, str):
        raise InputError(f"scale is {shown(scale)}; it must be a Scale, text such as 'D dorian', or None")
    return None if scale.strip().lower() == "none" else Scale.parse(scale)


def compose(
    recording: Recording, *, title: str | None = None, duration: str | float | None = None, **options: Any
) -> Score:
    """The score of a whole recording.

    Args:
        recording: the norms.
        title: the piece's name; that of the recording, or else of its model, if not given.
        duration: s (or text: ``"2m"``) that the piece lasts at most. A longer one becomes a time-lapse: bins of steps,
            each with its peaks, and every anomaly kept; see :func:`gradmidi.composition.timelapse.time_lapse`.
        options: those of :class:`Composer`, such as ``scale``, ``mapping``, ``style`` and ``unit``.

    Raises:
        InputError: as :class:`Composer`, or a duration in which not even one step can be played.
    """
    name = title or recording.meta.get("title") or recording.meta.get("model") or "gradmidi"
    composer = Composer(recording.layers, title=name, **options)
    if duration is None:
        return composer.feed(recording)
    seconds = duration if is_number(duration) else parse_duration(duration)
    lapse = time_lapse(recording, composer.timing.steps_within(seconds, len(composer.grouping.groups)))
    return composer.feed(*lapse)
