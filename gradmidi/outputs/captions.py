"""Score → captions: what is heard and what happened, in sentences, so that it can be read along or read aloud."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradmidi.composition.earcons import EVENTS_NAME, REMINDING, STATE_NAME, earcons
from gradmidi.composition.layer_voices import KNOCK
from gradmidi.composition.loss_pad import LOSS_NAME
from gradmidi.composition.situation import GRAVITY
from gradmidi.composition.spoken import number_in_words, range_in_words, voice_in_words
from gradmidi.composition.volatility import NAME as UNREST_NAME
from gradmidi.events import KINDS
from gradmidi.outputs.webvtt import Caption, write_webvtt
from gradmidi.score import OWN_PROGRAM, Mark, Score

READ_PER_SECOND = 17  # characters that are read or said in a second
SHORTEST = 1_000  # ms that a caption is shown, if nothing else has to be said
TOGETHER = 1_000  # ms within which what happens is one caption
CALM = 10.0  # s without a word after which the state is said
EPOCHS_APART = 3.0  # s
LONGEST_CHUNK = 160  # characters of the summary at the start that are one caption
MOST = 3  # things that are named; the others are counted
RECOVERED = "-recovered"
STATES = ("state", "reminder")  # kinds of sayings that say how the run is, not what happens
SAID = ("epoch", "resumed", "turn", "ended", "legend")  # kinds of marks that are said as they are


class Saying(NamedTuple):
    """A line that has to be said at a time in s."""

    time: float
    text: str
    kind: str
    layer: str = ""


def save_captions(score: Score, path: str | Path) -> list[Caption]:
    """Write the captions of ``score`` as WebVTT to ``path`` and return them.

    Args:
        score: the notes, as they are played and rendered.
        path: the ``.vtt`` file, which is either complete or absent.

    Raises:
        InputError: the file cannot be written.
    """
    captions = captions_of(score)
    write_webvtt(captions, Path(path))
    return captions


def captions_of(score: Score) -> list[Caption]:
    """What is said, in order; no two at the same time, and none after the end.

    First which voice is what; then every event when it begins and ends, epochs, seams and the end; and the state, at a
    reminder of what lasts and after ten seconds without a word: what is wrong, the loss, how high the notes are.
    """
    end = _milliseconds(score.length)
    happened = list(_happened(score))
    if not end:
        return []
    if not len(score.marks.of("legend")):
        introduction, until = _introduction(score, happened)
        happened = sorted([*introduction, *_with_states(score, happened, until)], key=lambda saying: saying.time)
    return _timed(happened, end)


def _happened(score: Score) -> Iterator[Saying]:
    """Events, epochs, seams and reminders, in order of time."""
    kinds = [*KINDS, *(f"{kind}{RECOVERED}" for kind in KINDS), *SAID]
    sayings = [_said(mark) for mark in score.marks.of(*kinds)]
    sayings += [Saying(time, kind, "reminder") for time, kind in _reminders(score)]
    last_epoch = -math.inf
    for saying in sorted(sayings, key=lambda saying: saying.time):
        if saying.kind == "epoch":
            if saying.time < last_epoch + EPOCHS_APART:
                continue
            last_epoch = saying.time
        yield saying


def _said(mark: Mark) -> Saying:
    kind = mark.kind.removesuffix(RECOVERED)
    if kind in KINDS and KINDS[kind].sick:
        opening = "Recovered" if mark.kind.endswith(RECOVERED) else "Alarm"
        return Saying(mark.time, f"{opening}: {mark.text}.", mark.kind, mark.layer)
    text = mark.text if mark.kind in ("turn", "legend") else mark.text[:1].upper() + mark.text[1:]
    return Saying(mark.time, text if text.endswith((".", "!", "?")) else f"{text}.", mark.kind)


def _reminders(score: Score) -> Iterator[tuple[float, str]]:
    """When each reminder is struck, and of what kind."""
    kind_of = {earcon.onset: kind for kind, earcon in earcons().items()}
    for voice in _named(score, EVENTS_NAME):
        for note in np.flatnonzero((score.layer == voice) & (score.velocity == REMINDING)).tolist():
            yield float(score.onset[note]), kind_of.get(int(score.drum[note]), "")


def _named(score: Score, name: str) -> list[int]:
    """Positions of the percussion voices of that name; a layer may be called so, too."""
    return [i for i, voice in enumerate(score.voices) if voice.name == name and voice.percussion]


def _layer_voices(score: Score) -> list[int]:
    return [i for i, voice in enumerate(score.voices) if not voice.percussion and not _is_pad(score, i)]


def _is_pad(score: Score, voice: int) -> bool:
    return score.voices[voice].name == LOSS_NAME and score.voices[voice].sustained


def _introduction(score: Score, happened: list[Saying]) -> tuple[list[Saying], float]:
    """Which voice is what and where, in captions that can be read before the first thing happens; and until when."""
    parts = [f"{score.title}."] + [f"{voice_in_words(score.voices[voice])}." for voice in _layer_voices(score)]
    others = ["the loss is a soft pad, the deeper the lower"] * any(_is_pad(score, i) for i in range(len(score.voices)))
    others += ["events are percussion"] * bool(_named(score, EVENTS_NAME))
    others += ["unrest is soft pulses"] * bool(_named(score, UNREST_NAME))
    if others:
        parts.append(f"Besides these: {'; '.join(others)}.")
    chunks = [""]
    for part in parts:
        fits = len(chunks[-1]) + len(part) < LONGEST_CHUNK
        chunks = [*chunks[:-1], f"{chunks[-1]} {part}".strip()] if fits else [*chunks, part]
    needed = np.cumsum([0, *map(len, chunks)]) / READ_PER_SECOND
    # Where something happens before it has been read, each part has its share of that time.
    limit = min((saying.time for saying in happened if saying.time >= TOGETHER / 1000), default=score.length)
    times = (needed * min(1.0, limit / needed[-1])).tolist()
    return [Saying(time, chunk, "introduction") for time, chunk in zip(times, chunks, strict=False)], times[-1]


@dataclass
class _Lasting:
    """What has begun and not yet ended, by the marks and by what is held."""

    score: Score
    _open: dict[tuple[str, str], str] = field(default_factory=dict)  # kind and layer → where, in words

    def __post_init__(self) -> None:
        held = _named(self.score, STATE_NAME)
        notes = np.isin(self.score.layer, held)
        self._holds = bool(held)
        self._from, self._to = self.score.onset[notes], (self.score.onset + self.score.duration)[notes]
        self._keys = self.score.drum[notes]

    def take(self, saying: Saying) -> None:
        """Note what begins or ends."""
        kind = saying.kind.removesuffix(RECOVERED)
        if kind not in KINDS or not KINDS[kind].sick or KINDS[kind].momentary:
            return
        if kind == saying.kind:
            words = re.search(rf"{re.escape(saying.layer)} and \d+ more layers?", saying.text) if saying.layer else None
            self._open[kind, saying.layer] = words[0] if words else saying.layer
        elif same := [place for place in self._open if place[0] == kind]:
            del self._open[(kind, saying.layer) if (kind, saying.layer) in same else same[0]]

    def now(self, time: float) -> list[str]:
        """Such as ``["exactly zero in fc1"]``, gravest first.

        What is held tells better than marks, which name one layer of several that may recover separately.
        """
        where: dict[str, list[str]] = {}
        for (kind, _), words in self._open.items():
            where.setdefault(kind, []).append(words)
        if self._holds:
            gravest = self._gravest(time, where)
            where = {kind: words for kind, words in where.items() if gravest and GRAVITY[kind] >= GRAVITY[gravest]}
            if gravest:
                where.setdefault(gravest, [])
        return [KINDS[kind].title + _in([word for word in where[kind] if word]) for kind in KINDS if kind in where]

    def _gravest(self, time: float, open_kinds: Container[str]) -> str:
        """The kind whose tone is held; if none is, one that lasts without a tone; "" if there is no such one either."""
        last = int(np.searchsorted(self._from, time + 1e-6)) - 1
        key = int(self._keys[last]) if last >= 0 and time < self._to[last] else -1
        return next(
            (kind for kind, one in earcons().items() if one.hold == key and (key >= 0 or kind in open_kinds)), ""
        )


def _in(layers: list[str]) -> str:
    return f" in {_few(layers, ', ')}" if layers else ""


def _few(words: list[str], between: str) -> str:
    more = len(words) - MOST
    return between.join(words[:MOST]) + (f"{between}{more} more" if more > 0 else "")


def _with_states(score: Score, happened: list[Saying], since: float) -> list[Saying]:
    """What happened, and the state at reminders and after ten seconds without a word, counted first from ``since``."""
    lasting, state, sayings = _Lasting(score), _State(score), list[Saying]()
    before, last_state = since, -math.inf
    for saying in [*happened, Saying(score.length, "", "")]:
        while before + CALM < saying.time - SHORTEST / 1000:
            last_state = before = before + CALM
            sayings.append(Saying(before, state.at(before, lasting.now(before)), "state"))
        lasting.take(saying)
        if saying.kind == "reminder":  # of one of several things that last; the state is not said for each of them
            if saying.time < last_state + CALM - TOGETHER / 1000:
                continue
            last_state = saying.time
            named = lasting.now(saying.time) or [KINDS[saying.text].title]
            saying = saying._replace(text=state.at(saying.time, named))
        if saying.kind != "epoch":  # which says nothing about the state
            before = max(since, saying.time)
        sayings.append(saying)
    return sayings[:-1]


class _State:
    """How the run does at a time: what lasts, the loss, how high the notes are."""

    def __init__(self, score: Score) -> None:
        losses = score.marks.of("loss")
        self._loss_times = losses.time
        self._losses = np.array([float(text.removeprefix("loss ")) for text in losses.text.tolist()])
        own = np.isin(score.layer, _layer_voices(score))
        heard = score.pitched & (score.program == OWN_PROGRAM) & own
        self._onset, self._hertz = score.onset[heard], score.frequency[heard]
        self._knocks = score.onset[(score.program == KNOCK) & own]

    def at(self, time: float, lasting: list[str]) -> str:
        """In a few sentences."""
        how = f"Still: {_few(lasting, '; ')}." if lasting else "Healthy."
        return " ".join([how, *self._loss(time), self._pitches(time)])

    def _loss(self, time: float) -> list[str]:
        """The median since the last time, as that of a single batch says little."""
        first, last = np.searchsorted(self._loss_times, (time - CALM, time + 1e-9))
        recent = self._losses[first:last]
        known = recent[~np.isnan(recent)]
        return [f"Loss about {number_in_words(float(np.median(known)))}."] if len(known) else []

    def _pitches(self, time: float) -> str:
        first, last = np.searchsorted(self._onset, (time - CALM, time))
        words = range_in_words(self._hertz[first:last])
        knocks = np.diff(np.searchsorted(self._knocks, (time - CALM, time))).item() > 0
        if not words:
            return "The layers only knock." if knocks else "The layers are silent."
        return words[0].upper() + words[1:] + (", and knocks." if knocks else ".")


def _timed(sayings: Sequence[Saying], end: int) -> list[Caption]:
    """One caption after another, each until it has been read or the next one begins.

    What happens within a second is one caption. A state waits until what happened has been read; where there is no time
    for it before the next thing happens, or the end, it is left out.
    """
    starts, lines, lasts = list[int](), list[list[str]](), list[int]()
    following = end
    nexts: list[int] = []  # when the next thing happens after each saying
    for saying in reversed(sayings):
        nexts.append(following)
        following = following if saying.kind in STATES else _milliseconds(saying.time)
    for saying, then in zip(sayings, reversed(nexts), strict=True):
        at = min(_milliseconds(saying.time), end - 1)
        if saying.kind in STATES and starts:
            at = max(at, starts[-1] + _needed(lines[-1]))
            if at > then - SHORTEST:
                continue
        if starts and at - starts[-1] < TOGETHER:
            lines[-1].append(saying.text)
            lasts[-1] = at
        else:
            starts.append(at)
            lines.append([saying.text])
            lasts.append(at)
    captions = []
    for start, said, last, then in zip(starts, lines, lasts, [*starts[1:], end], strict=True):
        captions.append(Caption(start, min(start + max(_needed(said), last + 1 - start), then), tuple(said)))
    return captions


def _milliseconds(seconds: float) -> int:
    return math.floor(1000 * seconds)


def _needed(lines: Sequence[str]) -> int:
    """Milliseconds that it takes to read them."""
    return max(SHORTEST, math.ceil(1000 * sum(map(len, lines)) / READ_PER_SECOND))
