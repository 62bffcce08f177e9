"""How notes are made: the one table of options behind compose, listen and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from gradmidi.composition.grouping import MAX_VOICES
from gradmidi.composition.mapping import Mapping as NormMapping
from gradmidi.composition.sound import DEFAULT_SOUND, Sound
from gradmidi.composition.timing import Timing
from gradmidi.composition.voices import Part
from gradmidi.theory.scale import Scale

DEFAULT_SCALE = "A minor pentatonic"


class ComposeOptions(TypedDict, total=False):
    """How notes are made.

    Attributes:
        sound: a preset: ``"debug"``, ``"post"`` (the notes alone), ``"ambient"``, ``"concert"``, ``"percussive"``, or
            the path of a TOML file; see docs/voices.md. It provides the defaults of ``mapping``, ``style`` and
            ``hysteresis``, and what sounds besides the layers.
        scale: a :class:`Scale`, its text form, or ``None`` for pitches exactly as the mapping gives them.
        mapping: ``"wide"``, ``"log"``, ``"post"``, ``"adaptive"``, ``"rank"`` or any callable from norms (N, L) to
            Hz (N, L). One that is given is played without the preset's hysteresis.
        beyond: ``"clamp"`` or ``"fold"`` for tones outside the mapping's range.
        invert: large norms low, small ones high.
        hysteresis: from 0 up to 1, how strongly a layer keeps its tone when a norm is between two; 0 is not at all.
        dynamics: ``"voice"``, or ``"loss-change"`` to accent the steps at which the loss changes strongly.
        style: ``"sequence"`` (the post's order), ``"chord"`` or ``"drone"``.
        timing: length of notes and rests; or, as on the command line:
        unit: length of one note, in seconds or as text: ``"50ms"``, ``"1/16"``.
        tempo: BPM, for bar lines and note values.
        parts: the instrument of each voice, as :class:`Part`; or:
        voices: a voices file (see docs/voices.md); the built-in one by default.
        max_voices: maximum number of voices; more layers than that are grouped, see
            :func:`gradmidi.composition.grouping.group_layers`.
        groups: your own voices: a name, and names or globs of its layers.
        title: the piece's name.
    """

    sound: str | Path | Sound
    scale: Scale | str | None
    mapping: str | NormMapping | None
    beyond: str | None
    invert: bool
    hysteresis: float | None
    dynamics: str
    style: str | None
    timing: Timing | None
    unit: str | float | None
    tempo: float | None
    parts: Sequence[Part] | None
    voices: str | Path | None
    max_voices: int
    groups: Mapping[str, Sequence[str]] | None
    title: str | None


COMPOSE_DEFAULTS: ComposeOptions = {
    "sound": DEFAULT_SOUND,
    "scale": DEFAULT_SCALE,
    "mapping": None,
    "beyond": None,
    "invert": False,
    "hysteresis": None,
    "dynamics": "voice",
    "style": None,
    "timing": None,
    "unit": None,
    "tempo": None,
    "parts": None,
    "voices": None,
    "max_voices": MAX_VOICES,
    "groups": None,
    "title": None,
}
