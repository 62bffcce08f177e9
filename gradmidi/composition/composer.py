"""Recording → Score, a block of steps at a time or the whole run at once, by the same code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from gradmidi.checks import is_number
from gradmidi.composition.alarms import Alarms
from gradmidi.composition.dynamics import Dynamics
from gradmidi.composition.grouping import group_layers
from gradmidi.composition.layer_voices import LayerVoices
from gradmidi.composition.mapping import choose_mapping, describe_mapping
from gradmidi.composition.marking import Marker
from gradmidi.composition.options import COMPOSE_DEFAULTS, ComposeOptions
from gradmidi.composition.passage import Passage, Section, nonfinite
from gradmidi.composition.quantising import Quantiser
from gradmidi.composition.styles import check_style, place
from gradmidi.composition.timelapse import time_lapse
from gradmidi.composition.timing import choose_timing, parse_duration
from gradmidi.composition.voices import choose_parts, voices_for
from gradmidi.errors import InputError
from gradmidi.events import Event, Watch
from gradmidi.printable import shown
from gradmidi.recording import Recording
from gradmidi.score import Score, merged
from gradmidi.signatures import spelled_out
from gradmidi.theory.scale import Scale

DEFAULT_TITLE = "gradmidi"


@spelled_out(ComposeOptions, COMPOSE_DEFAULTS)
class Composer:
    """Turns rows of norms into notes, and remembers its position in the piece between calls.

    Args:
        layers: names of the L layers.
        options: see :class:`gradmidi.composition.options.ComposeOptions`.

    Attributes:
        voices: the voices that play.
        about: scale, mapping and, if layers are grouped, how, for people to read.

    Raises:
        InputError: an unknown name, a value out of range, or groups that match no layer.
    """

    def __init__(self, layers: Sequence[str], **options: Unpack[ComposeOptions]) -> None:
        given: ComposeOptions = {**COMPOSE_DEFAULTS, **options}
        if unknown := options.keys() - COMPOSE_DEFAULTS.keys():
            raise TypeError(f"there is no option {min(unknown)!r}; there are {', '.join(COMPOSE_DEFAULTS)}")
        self.layers = tuple(layers)
        self.grouping = group_layers(self.layers, given["max_voices"], given["groups"])
        self._width = len(self.grouping.groups)
        self.scale = _choose_scale(given["scale"])
        self.mapping = choose_mapping(given["mapping"], beyond=given["beyond"], invert=given["invert"])
        self.timing = choose_timing(given["timing"], given["unit"], given["tempo"])
        self.style = check_style(given["style"])
        chosen = choose_parts(given["parts"], given["voices"])
        self.parts = tuple(chosen[i % len(chosen)] for i in range(self._width))
        self.title = given["title"] or DEFAULT_TITLE
        quantise = Quantiser(self.scale, self._width, given["hysteresis"])
        dynamics = Dynamics(given["dynamics"])
        layer_voices = voices_for(self.grouping.names, self.parts)
        self._watch = Watch(self.layers)
        self._marker = Marker()
        self._rows = 0
        self._sections: tuple[Section, ...] = (
            LayerVoices(layer_voices, self.parts, self.mapping, quantise, dynamics, self.style == "drone"),
            Alarms(first=self._width),
        )
        self.voices = tuple(voice for section in self._sections for voice in section.voices)
        self.about = self._about()

    def _about(self) -> str:
        scale = "no scale" if self.scale is None else str(self.scale)
        joined = [] if self.grouping.is_trivial else [f"{len(self.layers)} layers in {len(self.voices) - 1} voices"]
        return ", ".join([scale, describe_mapping(self.mapping), *joined])

    def feed(
        self,
        recording: Recording,
        events: Sequence[Event] | None = None,
        alarms: NDArray[np.int64] | None = None,
    ) -> Score:
        """The notes of the next rows, timed from the start of the whole piece.

        Args:
            recording: the rows.
            events: what begins or ends in them, if already known (a time-lapse); found here by default.
            alarms: likewise their NaN and Inf; see :func:`gradmidi.composition.passage.nonfinite`.
        """
        passage = self._passage(
            recording,
            self._watch.find(recording) if events is None else events,
            nonfinite(recording) if alarms is None else alarms,
        )
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

    def _passage(self, recording: Recording, events: Sequence[Event], alarms: NDArray[np.int64]) -> Passage:
        placed = place(self.style, self.timing, self._rows, len(recording), self._width)
        self._rows += len(recording)
        norms, gaps = self.grouping.join(recording)
        return Passage(recording, events, alarms, self.grouping, norms, gaps, ~np.isfinite(norms) & ~gaps, placed)


def _choose_scale(scale: Scale | str | None) -> Scale | None:
    """A scale as given, or parsed from text; ``"none"`` is no scale, as on the command line."""
    if scale is None or isinstance(scale, Scale):
        return scale
    if not isinstance(scale, str):
        raise InputError(f"scale is {shown(scale)}; it must be a Scale, text such as 'D dorian', or None")
    return None if scale.strip().lower() == "none" else Scale.parse(scale)


@spelled_out(ComposeOptions, COMPOSE_DEFAULTS)
def compose(recording: Recording, *, duration: str | float | None = None, **options: Unpack[ComposeOptions]) -> Score:
    """The score of a whole recording.

    Args:
        recording: the norms.
        duration: maximum length of the piece in seconds (or text: ``"2m"``). A longer one becomes a time-lapse: bins of
            steps, each with its peaks, and every anomaly kept; see
            :func:`gradmidi.composition.timelapse.time_lapse`.
        options: ``scale``, ``mapping``, ``style``, ``unit`` and more, see
            :class:`gradmidi.composition.options.ComposeOptions`. The title is by default that of the
            recording, or else of its model.

    Raises:
        InputError: an option that cannot be used, or a duration shorter than one step.
    """
    options["title"] = options.get("title") or recording.meta.get("title") or recording.meta.get("model")
    composer = Composer(recording.layers, **options)
    if duration is None:
        return composer.feed(recording)
    seconds = duration if is_number(duration) else parse_duration(duration)
    lapse = time_lapse(recording, composer.timing.steps_within(seconds, len(composer.grouping.groups)))
    return composer.feed(lapse.recording, lapse.events, lapse.alarms)
