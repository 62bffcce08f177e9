"""Recording → Score, a block of steps at a time or the whole run at once, by the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gradmidi.checks import is_number
from gradmidi.composition import mapping as mappings
from gradmidi.composition.alarms import Alarms
from gradmidi.composition.dynamics import Dynamics
from gradmidi.composition.events import Event, Watch
from gradmidi.composition.grouping import MAX_VOICES, group_layers
from gradmidi.composition.layer_voices import LayerVoices
from gradmidi.composition.marking import Marker
from gradmidi.composition.passage import Passage, Section
from gradmidi.composition.quantising import Quantiser
from gradmidi.composition.styles import check_style, place
from gradmidi.composition.timelapse import time_lapse
from gradmidi.composition.timing import Timing, choose_timing, parse_duration
from gradmidi.composition.voices import Part, choose_parts, voices_for
from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.recording import Recording
from gradmidi.score import Score, merged
from gradmidi.theory.scale import Scale

DEFAULT_SCALE = "A minor pentatonic"


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

    Attributes:
        voices: who plays.
        about: scale, mapping and, if layers are joined, how, for a person.

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
        self._width = len(self.grouping.groups)
        self.scale = _choose_scale(scale)
        self.mapping = mappings.choose_mapping(mapping, beyond=beyond, invert=invert)
        self.timing = choose_timing(timing, unit, tempo)
        self.style = check_style(style)
        chosen = choose_parts(parts, voices)
        self.parts = tuple(chosen[i % len(chosen)] for i in range(self._width))
        self.title = title
        quantise = Quantiser(self.scale, self._width, hysteresis)
        layer_voices = voices_for(self.grouping.names, self.parts)
        self._watch = Watch(len(self.layers))
        self._marker = Marker()
        self._rows = 0
        self._sections: tuple[Section, ...] = (
            LayerVoices(layer_voices, self.parts, self.mapping, quantise, Dynamics(dynamics), self.style == "drone"),
            Alarms(first=self._width),
        )
        self.voices = tuple(voice for section in self._sections for voice in section.voices)
        self.about = self._about()

    def _about(self) -> str:
        scale = "no scale" if self.scale is None else str(self.scale)
        joined = [] if self.grouping.is_trivial else [f"{len(self.layers)} layers in {len(self.voices) - 1} voices"]
        return ", ".join([scale, mappings.describe_mapping(self.mapping), *joined])

    def feed(self, recording: Recording, events: Sequence[Event] | None = None) -> Score:
        """The notes of the next rows, timed from the start of the whole piece.

        Args:
            recording: the rows.
            events: what is wrong in them, where that is known already (a time-lapse); found here if not given.
        """
        passage = self._passage(recording, self._watch.find(recording) if events is None else events)
        notes = merged([section.feed(passage) for section in self._sections])
        return Score(
            **notes.columns(),
            voices=self.voices,
            marks=self._marker.feed(passage),
            length=self.timing.end(self._rows, self._width),
            held=self.style == "drone",
            title=self.title,
            about=self.about,
            tempo=self.timing.tempo,
        )

    def _passage(self, recording: Recording, events: Sequence[Event]) -> Passage:
        placed = place(self.style, self.timing, self._rows, len(recording), self._width)
        self._rows += len(recording)
        norms, gaps = self.grouping.join(recording)
        return Passage(recording, events, self.grouping, norms, gaps, ~np.isfinite(norms) & ~gaps, placed)


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
