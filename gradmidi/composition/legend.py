"""The legend of a sound: everything that it can say, one thing after another, each with a mark that says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from gradmidi.composition.composer import Composer
from gradmidi.composition.options import COMPOSE_DEFAULTS, ComposeOptions
from gradmidi.composition.scenes import Scene, Stage
from gradmidi.recording import Recording
from gradmidi.score import Marks, Notes, Score, merged
from gradmidi.signatures import spelled_out

TYPICAL = ("conv1", "conv2", "fc1", "fc2")
PAUSE = 0.5  # s between two things
READ_PER_SECOND = 17  # characters, so that each thing can be read before the next one begins
KIND = "legend"


@spelled_out(ComposeOptions, COMPOSE_DEFAULTS)
def legend(layers: Recording | Sequence[str] = TYPICAL, **options: Unpack[ComposeOptions]) -> Score:
    """The legend of a sound: each layer's voice, zero, the loss, each event, unrest, and how a run can end.

    Its marks, of kind ``"legend"``, say what is heard from their time on; ``score.save_captions`` writes them as
    captions.

    Args:
        layers: names of layers, or a recording that has them; a typical net of four by default.
        options: ``sound``, ``scale``, ``mapping`` and more, see
            :class:`gradmidi.composition.options.ComposeOptions`.

    Raises:
        InputError: an option that cannot be used, or no layer.
    """
    names = layers.layers if isinstance(layers, Recording) else tuple(layers)
    options["title"] = options.get("title") or "legend"
    composer = Composer(names, **options)
    scenes = list(Stage(names, options).scenes())
    times = np.cumsum([0.0, *map(_room, scenes)])
    parts = [_moved(scene.score, time) for scene, time in zip(scenes, times.tolist(), strict=False)]
    return Score(
        **merged(parts).columns(),
        voices=composer.voices,
        marks=Marks(times[:-1], np.full(len(scenes), KIND), np.array([scene.text for scene in scenes])),
        length=float(times[-1]),
        held=composer.style == "drone",
        title=composer.title,
        about=composer.about,
        tempo=composer.timing.tempo,
        step_length=composer.timing.end(1, len(composer.grouping.groups)),
    )


def _room(scene: Scene) -> float:
    """Seconds until the next scene."""
    return max(scene.score.length + PAUSE, len(scene.text) / READ_PER_SECOND)


def _moved(score: Score, by: float) -> Notes:
    return Notes(**{**score.columns(), "onset": score.onset + by})
