"""Recording → Score, a block of steps at a time or the whole run at once, by the same code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from gradmidi.checks import is_number
from gradmidi.composition.alarms import Alarms
from gradmidi.composition.cadence import CADENCE, SHORTEST_PIECE, with_cadence
from gradmidi.composition.dynamics import Dynamics
from gradmidi.composition.earcons import Earcons
from gradmidi.composition.grouping import MAX_VOICES, group_layers
from gradmidi.composition.layer_voices import LayerVoices, knock_pitches
from gradmidi.composition.loss_pad import LossPad, free_channel
from gradmidi.composition.mapping import choose_mapping, describe_mapping
from gradmidi.composition.marking import Marker
from gradmidi.composition.modes import Modes
from gradmidi.composition.options import COMPOSE_DEFAULTS, DEFAULT_SCALE, ComposeOptions
from gradmidi.composition.passage import Passage, Section, nonfinite
from gradmidi.composition.situation import Ward
from gradmidi.composition.sound import Sound, choose_sound
from gradmidi.composition.styles import check_style, place
from gradmidi.composition.timelapse import time_lapse
from gradmidi.composition.timing import choose_timing, parse_duration
from gradmidi.composition.voices import choose_parts, voices_for
from gradmidi.composition.volatility import Volatility
from gradmidi.errors import InputError
from gradmidi.events import Event, Watch
from gradmidi.printable import shown
from gradmidi.recording import Recording
from gradmidi.recording.companion import ENDED
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
        sound = self.sound = choose_sound(given["sound"])
        self.grouping = group_layers(self.layers, most_voices(sound, given["max_voices"]), given["groups"])
        self._width = len(self.grouping.groups)
        self.scale = _choose_scale(given["scale"])
        mapping = sound.mapping if given["mapping"] is None else given["mapping"]
        self.mapping = choose_mapping(mapping, beyond=given["beyond"], invert=given["invert"])
        self.timing = choose_timing(given["timing"], given["unit"], given["tempo"])
        self.style = check_style(sound.style if given["style"] is None else given["style"])
        own = given["parts"] is not None or given["voices"] is not None or not sound.parts
        chosen = choose_parts(given["parts"], given["voices"]) if own else sound.parts
        self.parts = tuple(chosen[i % len(chosen)] for i in range(self._width))
        self.title = given["title"] or DEFAULT_TITLE
        steady = sound.hysteresis if given["mapping"] is None else 0.0  # a mapping that is asked for is played exactly
        hysteresis = steady if given["hysteresis"] is None else given["hysteresis"]
        modes = [Scale.parse(mode) for mode in sound.modes] if given["scale"] == DEFAULT_SCALE else []
        quantise = Modes(modes or [self.scale], self._width, hysteresis)
        dynamics = Dynamics(given["dynamics"])
        layer_voices = voices_for(self.grouping.names, self.parts)
        drone, knocks = self.style == "drone", sound.zero == "knock"
        self._watch = Watch(self.layers)
        self._ward = Ward()
        self._marker = Marker()
        self._rows = 0
        self._sections: tuple[Section, ...] = (
            LayerVoices(layer_voices, self.parts, self.mapping, quantise, dynamics, drone, knocks),
            *self._companions([voice.program for voice in layer_voices]),
        )
        self.voices = tuple(voice for section in self._sections for voice in section.voices)
        self.about = self._about()

    def _companions(self, programs: Sequence[int]) -> list[Section]:
        """What sounds besides the layers, whose programs are given."""
        sound, first = self.sound, self._width
        sections: list[Section] = []
        if sound.loss:
            sections.append(LossPad(first, free_channel(first), self.scale, self.timing.end(1, self._width)))
            first += 1
        if sound.events == "earcons":
            calls = None if self.style == "drone" else 2 * knock_pitches(self._width)
            sections.append(Earcons(first, calls, programs))
            first += 2
        if sound.events == "drums":
            sections.append(Alarms(first))
            first += 1
        if sound.volatility:
            sections.append(Volatility(first, self._width))
        return sections

    def _about(self) -> str:
        scale = "no scale" if self.scale is None else str(self.scale)
        joined = [] if self.grouping.is_trivial else [f"{len(self.layers)} layers in {self._width} voices"]
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
            step_length=self.timing.end(1, self._width),
        )

    def ended(self, score: Score, how: str) -> Score:
        """The last score of a run, with a cadence where events sound: ``"well"``, ``"stopped"`` or ``"failed"``.

        A run that ended well, but with something wrong to its end, has the cadence of one that failed.
        """
        if self.sound.events != "earcons":
            return score
        return with_cadence(score, "failed" if how == "well" and self._ward.has_wrong else how, self.scale, self._width)

    def _passage(self, recording: Recording, events: Sequence[Event], alarms: NDArray[np.int64]) -> Passage:
        placed = place(self.style, self.timing, self._rows, len(recording), self._width)
        edges = self.timing.onsets(self._rows, len(recording) + 1, self._width)[:, 0]
        self._rows += len(recording)
        norms, gaps = self.grouping.join(recording)
        return Passage(
            recording=recording,
            events=events,
            nonfinite=alarms,
            grouping=self.grouping,
            norms=norms,
            gaps=gaps,
            alarm=~np.isfinite(norms) & ~gaps,
            placed=placed,
            step_times=(edges[:-1], edges[1:]),
            situation=self._ward.follow(events, edges[:-1]),
            healthy=self.sound.healthy,
        )


def most_voices(sound: Sound, max_voices: int) -> int:
    """How many voices layers can have: the pad of the loss takes a channel."""
    room = MAX_VOICES - 1 if sound.loss else MAX_VOICES
    return min(max_voices, room) if isinstance(max_voices, int) else max_voices


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
        return composer.ended(composer.feed(recording), recording.meta.get(ENDED, ""))
    seconds = duration if is_number(duration) else parse_duration(duration)
    how = recording.meta.get(ENDED, "") if seconds >= SHORTEST_PIECE else ""
    room = seconds - CADENCE if how else seconds
    lapse = time_lapse(recording, composer.timing.steps_within(room, len(composer.grouping.groups)))
    score = composer.feed(lapse.recording, lapse.events, lapse.alarms)
    return composer.ended(score, how)
