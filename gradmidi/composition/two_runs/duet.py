"""Two runs as one piece: A at the left and B at the right, or one after the other in turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Unpack, cast

import numpy as np

from gradmidi.checks import is_number
from gradmidi.composition.composer import Composer
from gradmidi.composition.grouping import Grouping, check_max_voices, group_layers
from gradmidi.composition.options import COMPOSE_DEFAULTS, ComposeOptions
from gradmidi.composition.sound import Sound, choose_sound
from gradmidi.composition.timing import parse_duration
from gradmidi.composition.two_runs.material import LETTERS, material, voice_names
from gradmidi.composition.two_runs.pairing import Pair
from gradmidi.composition.two_runs.turns import choose_turns, in_turns
from gradmidi.composition.voices import Part, choose_parts
from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.recording import Recording
from gradmidi.score import Score

LEFT_RIGHT, ALTERNATING = HOWS = ("left-right", "alternating")
HEARD = {LEFT_RIGHT: "A at the left, B at the right", ALTERNATING: "one knock announces A, two announce B"}
PANS = (10, 118)  # of A and B: 18 dB more on the own side than on the other, but not in one ear only
MOST_AT_A_SIDE = 7  # voices, so that both runs fit on one port
SETTLED = ("groups", "max_voices", "parts", "sound", "voices")  # options that are dealt with before composing


class Duet(NamedTuple):
    """Two runs as music.

    Attributes:
        score: both, as they are heard.
        alone: each by itself, on one time axis, where row ``i`` begins at ``i * step_seconds``.
        rows: the N rows behind the notes, as in :class:`gradmidi.composition.two_runs.material.Material`.
        step_seconds: from one row to the next where a run is alone.
        grouping: which of the layers of both play together.
    """

    score: Score
    alone: tuple[Score, Score]
    rows: Recording
    step_seconds: float
    grouping: Grouping


def duet(
    pair: Pair, how: str, turn: str | float, duration: str | float | None, **options: Unpack[ComposeOptions]
) -> Duet:
    """Compose two runs with the same scale, mapping, instruments and groups.

    ``left-right``: in the style ``sequence`` each layer of A is followed by the same layer of B, so that both are heard
    even where left and right are mixed into one; in ``chord`` and ``drone`` they sound together. ``alternating``: some
    steps of A, then the same steps of B; one knock announces A, two announce B.

    Args:
        pair: the runs.
        how: ``"left-right"`` or ``"alternating"``.
        turn: length of a turn, see :func:`gradmidi.composition.two_runs.turns.choose_turns`.
        duration: maximum length of the piece, as for :func:`gradmidi.compose`.
        options: see :class:`gradmidi.composition.options.ComposeOptions`.

    Raises:
        InputError: an option that cannot be used.
    """
    if how not in HOWS:
        raise InputError(f"two runs cannot be played {shown(how)}; there are {' and '.join(HOWS)}")
    given: ComposeOptions = {**COMPOSE_DEFAULTS, **options}
    if given["dynamics"] != "voice":
        raise InputError(
            f"dynamics {shown(given['dynamics'])} follows one run's loss; two runs cannot be played with it"
        )
    most = check_max_voices(given["max_voices"])
    grouping = group_layers(pair.layers, min(most, MOST_AT_A_SIDE) if how == LEFT_RIGHT else most, given["groups"])
    sound = plain(given["sound"])
    chosen = given["parts"] is not None or given["voices"] is not None or not sound.parts
    parts = choose_parts(given["parts"], given["voices"]) if chosen else sound.parts
    rest = cast(Any, {**{name: value for name, value in options.items() if name not in SETTLED}, "sound": sound})
    alone = [Composer(voice_names(grouping), parts=parts, **rest) for _ in LETTERS]
    turns = choose_turns(turn, alone[0].timing, len(grouping.groups))
    seconds = None if duration is None else duration if is_number(duration) else parse_duration(duration)
    played = material(pair, grouping)
    if how == LEFT_RIGHT:
        both = _at_both_sides(grouping, parts, rest)
        if seconds is not None:
            played = played.lapsed(both.timing.steps_within(seconds, len(both.layers)))
        score = both.feed(*played)
    elif seconds is not None:
        played = played.lapsed(turns.rows_within(seconds))
    own = [played.of_run(number) for number in range(2)]
    first, second = (composer.feed(*each) for composer, each in zip(alone, own, strict=True))
    if how == ALTERNATING:
        heard = [np.asarray(~each.rows.gaps.all(axis=1)) for each in own]
        score = in_turns((first, second), heard, played.rows.steps, turns)
    score = replace(score, about=f"{first.about}; {HEARD[how]}")
    return Duet(score, (first, second), played.rows, turns.step, grouping)


def plain(sound: str | Path | Sound) -> Sound:
    """A preset without what only one run can have: the pad and the modes that follow its loss, and the pulses."""
    return replace(choose_sound(sound), loss=False, volatility=False, modes=())


def _at_both_sides(grouping: Grouping, parts: Sequence[Part], options: ComposeOptions) -> Composer:
    """The composer of both runs: a voice of each at its side, with one instrument, for every group."""
    layers = tuple(f"{letter} {name}" for name in voice_names(grouping) for letter in LETTERS)
    played = [parts[i % len(parts)] for i in range(len(grouping.groups))]
    sides = [replace(part, pan=pan) for part in played for pan in PANS]
    return Composer(layers, parts=sides, **cast(Any, options))
