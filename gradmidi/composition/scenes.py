"""What a sound can say, as scenes: made-up rows and events, composed by the same code as a run, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradmidi.composition.composer import Composer
from gradmidi.composition.earcons import earcons
from gradmidi.composition.options import ComposeOptions
from gradmidi.composition.situation import REMIND_EVERY
from gradmidi.composition.spoken import pitch_name, voice_in_words
from gradmidi.errors import InputError
from gradmidi.events import KINDS, ONSET, RECOVERED, Event
from gradmidi.recording import Recording
from gradmidi.score import Notes, Score

NORMS = (0.01, 1.0, 100.0)  # small, usual, large
LOSSES = (10.0, 0.01)  # between which the pad falls and rises again
EACH, PAD, LASTS = 0.5, 4.0, 3.0  # s of a norm, of the pad each way, and of an event until it has recovered
LATER = 1.0  # s after that
CALM, WILD = 60, 24  # steps before and while norms change strongly
SPREAD = 3.0  # factor by which they do at last
ZERO = {"knock": "a knock in the layer's place, deepest for the first layer", "tone": "the lowest tone"}
ENDINGS = {
    "well": "The run ended well",
    "stopped": "The run was stopped",
    "failed": "The run failed, or something was wrong to its end",
}


class Scene(NamedTuple):
    """One thing that a sound can say: in words, and as the score that says it."""

    text: str
    score: Score


class Stage:
    """Composes each scene from its beginning.

    Args:
        layers: names of the layers.
        options: see :class:`gradmidi.composition.options.ComposeOptions`.

    Raises:
        InputError: an option that cannot be used, or no layer.
    """

    def __init__(self, layers: Sequence[str], options: ComposeOptions) -> None:
        self._layers, self._options = tuple(layers), options
        composer = Composer(self._layers, **options)
        self._groups = composer.grouping.groups
        if not self._groups:
            raise InputError("a legend needs at least one layer; name layers, or give a recording that has some")
        self._drone = composer.style == "drone"
        self._sound, self._voices = composer.sound, composer.voices[: len(self._groups)]
        self._step = composer.timing.end(1, len(self._groups))

    def scenes(self) -> Iterator[Scene]:
        """In the order in which they are best learnt."""
        yield from map(self._voice, range(len(self._groups)))
        yield self._zero()
        if self._sound.loss:
            yield self._loss()
        if self._sound.events == "drums":
            yield from map(self._drum, (np.nan, np.inf))
        if self._sound.events == "earcons":
            yield from map(self._earcon, earcons())
            if not self._drone:  # where there are no rests to call in
                yield self._call()
        if self._sound.volatility:
            yield self._unrest()
        if self._sound.events == "earcons":
            yield from map(self._ending, ENDINGS)

    def _steps(self, seconds: float) -> int:
        return max(1, round(seconds / self._step))

    def _rows(self, norms: ArrayLike, **metrics: NDArray[np.float64]) -> Recording:
        """Rows of the norms of all layers (N,) or of each (N, L); layers without one are silent."""
        table = np.asarray(norms, dtype=np.float64)
        whole = np.broadcast_to(table if table.ndim == 2 else table[:, np.newaxis], (len(table), len(self._layers)))
        return Recording(self._layers, np.arange(len(table)), whole.copy(), metrics)

    def _silent(self, steps: int, **metrics: NDArray[np.float64]) -> Recording:
        rows = self._rows(np.ones(steps), **metrics)
        return replace(rows, gaps=np.ones(rows.norms.shape, dtype=bool))

    def _composed(self, rows: Recording, events: Sequence[Event] = ()) -> Score:
        return Composer(self._layers, **self._options).feed(rows, events)

    def _voice(self, voice: int) -> Scene:
        each = self._steps(EACH)
        members = list(self._groups[voice].layers)
        norms = np.ones((each * (2 * len(NORMS) - 1), len(self._layers)))
        gaps = np.ones(norms.shape, dtype=bool)
        gaps[:, members] = False
        # The norm of several layers that play together is the root of the sum of their squares.
        norms[:, members] = np.repeat([*NORMS, *NORMS[-2::-1]], each)[:, np.newaxis] / np.sqrt(len(members))
        score = self._composed(replace(self._rows(norms), gaps=gaps))
        own = score.layer == voice
        tones = [float(score.frequency[own & (score.step == i * each)][0]) for i in range(len(NORMS))]
        said = ", ".join(f"{norm:g} is {pitch_name(tone)}" for norm, tone in zip(NORMS, tones, strict=True))
        return Scene(f"{voice_in_words(self._voices[voice])}. Norm {said}; and down again.", score)

    def _zero(self) -> Scene:
        score = self._composed(self._rows(np.zeros(self._steps(2.0))))
        return Scene(f"A norm of exactly zero: {ZERO[self._sound.zero]}. Here all layers, in order.", score)

    def _loss(self) -> Scene:
        falling = np.geomspace(*LOSSES, self._steps(PAD))
        loss = np.concatenate([falling, falling[::-1]])
        text = "The loss, a soft pad: it falls from {:g} to {:g}, and rises again.".format(*LOSSES)
        return Scene(text, self._composed(self._silent(len(loss), loss=loss)))

    def _drum(self, norm: float) -> Scene:
        kind = KINDS["nan" if np.isnan(norm) else "inf"]
        score = self._composed(self._rows(np.full(self._steps(1.0), norm)))
        return Scene(f"{kind.title}: a drum for each layer and step.", score)

    def _earcon(self, kind: str) -> Scene:
        lasts = self._steps(LASTS)
        over = KINDS[kind].momentary
        events = [_event(kind, 0, ONSET)] + [_event(kind, lasts, RECOVERED)] * (not over)
        score = self._composed(self._silent(lasts + self._steps(LATER)), events)
        if over:
            score = _between(score, 0.0, LATER)
        held = ", a quiet tone while it lasts" if earcons()[kind].hold >= 0 else ", then only reminders"
        rest = ", over at once" if over else f"{held}, and the sound of recovery"
        title = KINDS[kind].title
        return Scene(f"{title[0].upper()}{title[1:]}: its onset{rest}. {KINDS[kind].meaning}", score)

    def _call(self) -> Scene:
        events = [_event("nan", 0, ONSET, self._groups[0].layers[:1]), _event("nan", self._steps(LATER), RECOVERED)]
        score = self._composed(self._rows(np.ones(self._steps(2 * LATER))), events)
        return Scene(
            f"With an event, up to three layers concerned are called: here {self._voices[0].name}. "
            f"What lasts is struck again every {REMIND_EVERY:g} seconds.",
            score,
        )

    def _unrest(self) -> Scene:
        wild = SPREAD ** (np.linspace(0.1, 1.0, WILD) * np.where(np.arange(WILD) % 2, 1.0, -1.0))
        score = self._composed(self._rows(np.concatenate([np.ones(CALM), wild])))
        text = (
            "Unrest: soft pulses, up to three in a step, when norms change from step to step more strongly than usual."
        )
        return Scene(text, _between(score, (CALM - 2) * self._step, score.length))

    def _ending(self, how: str) -> Scene:
        composer = Composer(self._layers, **self._options)
        before = composer.feed(self._rows(np.ones(self._steps(LATER))), ())
        return Scene(f"{ENDINGS[how]}: its last two chords.", composer.ended(before, how))


def _event(kind: str, row: int, phase: str, layers: tuple[int, ...] = ()) -> Event:
    return Event(row, layers[0] if layers else None, kind, KINDS[kind].title, row, phase, since=0, layers=layers)


def _between(score: Score, start: float, end: float) -> Score:
    """The notes that begin from ``start`` to ``end`` s, as a score of its own."""
    kept = (score.onset >= start - 1e-9) & (score.onset < end)
    columns = {name: column[kept] for name, column in score.columns().items()}
    columns["onset"] = np.maximum(columns["onset"] - start, 0.0)
    return replace(score, **Notes(**columns).columns(), length=end - start)
