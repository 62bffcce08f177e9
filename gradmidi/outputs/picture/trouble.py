"""What went wrong, in a separate strip above the notes: one row per kind, a bar for each stretch of steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.alarms import DRUMS
from gradmidi.composition.voices import ALARM_NAME
from gradmidi.events import KINDS as EVENTS
from gradmidi.outputs.picture.canvas import PLAIN
from gradmidi.outputs.picture.layout import POINTS, text_width
from gradmidi.printable import printable
from gradmidi.recording import Recording
from gradmidi.score import Marks, Score

RED, GREY = "#B00000", "#606060"
MERGED = 1 / 250  # of the whole length; stretches with less between them are drawn as one
LETTERS = 8.0  # points
LONGEST_TEXT = 70  # characters
SYMBOL = 9.0  # points


class Kind(NamedTuple):
    """A kind of trouble: its symbol, colour, name, and whether a recording's norm is of that kind."""

    symbol: str
    colour: str
    name: str
    is_it: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None


# kind → symbol and colour; the names are those of the table of events.
SYMBOLS = {
    "nan": ("x", RED),
    "inf": ("^", RED),
    "explosion": ("*", RED),
    "drift": ("P", RED),
    "spike": ("|", RED),
    "vanishing": (".", GREY),
    "zero": ("v", GREY),
    "frozen": ("s", GREY),
    "noise": ("d", GREY),
    "loss-spike": ("|", RED),
    "plateau": ("_", GREY),
}
IS_IT = {"nan": np.isnan, "inf": np.isinf}
KINDS = {
    **{kind: Kind(*SYMBOLS[kind], EVENTS[kind].title, IS_IT.get(kind)) for kind in SYMBOLS},
    "resumed": Kind("|", GREY, "resumed"),
}


class Stretches(NamedTuple):
    """Times in s, each (S,), from the first step of a stretch to the end of its last."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]


def kinds_of(score: Score) -> list[str]:
    """The kinds that a score has, in the order of their rows."""
    return [kind for kind in KINDS if len(score.marks.of(kind))]


def draw_trouble(axes: Any, score: Score, recording: Recording | None) -> None:
    """A row for each kind."""
    found = kinds_of(score)
    scale = axes.get_position().width * axes.figure.get_figwidth() * POINTS / (score.length or 1.0)
    for row, kind in enumerate(found):
        marks = score.marks.of(kind)
        there = there_is(score, kind)
        _draw_row(axes, row, KINDS[kind], there, scale)
        _say_first(axes, row, KINDS[kind], there, _words(marks, kind, recording), scale)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_yticks(range(len(found)), [KINDS[kind].name for kind in found], fontsize=LETTERS)
    for tick, kind in zip(axes.get_yticklabels(), found, strict=True):
        tick.set_color(KINDS[kind].colour)
    axes.tick_params(left=False, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)


def there_is(score: Score, kind: str) -> Stretches:
    """Where a score has a kind of trouble: NaN and Inf by their drums if there are any; otherwise from begin to end."""
    alarms = np.array([voice.name == ALARM_NAME for voice in score.voices], dtype=bool)
    drums = score.onset[(score.drum == DRUMS.get(kind)) & alarms[score.layer]]
    if len(drums):  # but not for a loss that is NaN, or where an earcon tells the onset and then only reminds
        return stretches(drums, score)
    onsets = score.marks.of(kind)
    if kind not in EVENTS or EVENTS[kind].momentary:
        return stretches(onsets.time, score)
    return episodes(onsets.time, score.marks.of(f"{kind}-recovered").time, score.length)


def episodes(onsets: NDArray[np.float64], ends: NDArray[np.float64], length: float) -> Stretches:
    """From each onset to the next end, or the end of the score; several that are open at a time are one."""
    times = np.r_[onsets, ends]
    order = np.argsort(times, kind="stable")
    depth = np.cumsum(np.r_[np.ones(len(onsets)), -np.ones(len(ends))][order])
    starts = times[order][(depth == 1) & (np.r_[0, depth[:-1]] == 0)]
    stops = times[order][(depth == 0) & (np.r_[0, depth[:-1]] == 1)]
    return Stretches(starts, np.r_[stops, length][: len(starts)])


def stretches(time: NDArray[np.float64], score: Score) -> Stretches:
    """Moments at consecutive steps, and those that a picture cannot tell from such, as stretches."""
    steps = step_times(score)
    ends = np.r_[steps[1:], max(score.length, steps[-1])]
    at = np.unique(np.searchsorted(steps, time + 1e-9, side="right") - 1)
    starts, stops = steps[at], ends[at]
    new = np.r_[True, starts[1:] - stops[:-1] > MERGED * score.length]
    first = np.flatnonzero(new)
    return Stretches(starts[first], stops[np.r_[first[1:] - 1, len(at) - 1]])


def step_times(score: Score) -> NDArray[np.float64]:
    """When each step of a score that is heard or marked begins, s, ascending."""
    marks = score.marks
    steps, times = np.r_[score.step, marks.step], np.r_[score.onset, marks.time]
    order = np.lexsort((times, steps))
    first = np.r_[True, np.diff(steps[order]) != 0][: len(order)]
    return np.unique(np.r_[0.0, times[order][first]])


def _words(marks: Marks, kind: str, recording: Recording | None) -> str:
    """The first of its kind in words, and how many steps or times have it."""
    first = printable(str(marks.text[0]), LONGEST_TEXT)
    is_it = KINDS[kind].is_it
    if is_it is not None and recording is not None:
        steps = int((is_it(recording.norms) & ~recording.gaps).any(axis=1).sum())
        return first + (f"; in {steps:,} steps" if steps > 1 else "")
    return first + (f"; {len(marks):,} times" if len(marks) > 1 else "")


def _draw_row(axes: Any, row: int, kind: Kind, there: Stretches, scale: float) -> None:
    """Bars, and a symbol where a bar is too short to be seen; ``scale`` is in points per s."""
    lengths = there.ends - there.starts
    long = lengths * scale > SYMBOL
    axes.barh(np.full(long.sum(), row), lengths[long], left=there.starts[long], height=0.7, color=kind.colour)
    axes.plot(there.starts[~long], np.full((~long).sum(), row), kind.symbol, color=kind.colour, clip_on=False)


class Place(NamedTuple):
    """Where a text may be placed: room in points, time in s, points away from there, and on which ground."""

    room: float
    time: float
    shift: float
    align: str
    on_bar: bool = False


def _say_first(axes: Any, row: int, kind: Kind, there: Stretches, text: str, scale: float) -> None:
    """Place the text where there is room for it, shortened if it does not fit anywhere."""
    needed = text_width(axes.figure, text, LETTERS)
    places = _places(there, axes.get_xlim()[1], scale)
    place = next((one for one in places if one.room >= needed), max(places))
    if place.room < needed:
        text = text[: max(1, int(len(text) * place.room / needed) - 1)] + "…"
    box = {"facecolor": "none" if place.on_bar else "white", "edgecolor": "none", "alpha": 0.85, "pad": 1}
    where = {"xytext": (place.shift, 0), "textcoords": "offset points", "ha": place.align, "va": "center"}
    colour = "white" if place.on_bar else kind.colour
    axes.annotate(text, (place.time, row), **where, fontsize=LETTERS, color=colour, bbox=box, **PLAIN)


def _places(there: Stretches, edge: float, scale: float) -> list[Place]:
    """Behind the first stretch, before it, in it and behind the last, in this order of preference."""
    start, end, last = there.starts[0], there.ends[0], there.ends[-1]
    after = there.starts[1] if len(there.starts) > 1 else edge
    beside = SYMBOL * (0.5 if (end - start) * scale > SYMBOL else 1)
    return [
        Place((after - end) * scale - 2 * SYMBOL, end, beside, "left"),
        Place(start * scale - SYMBOL, start, -beside, "right"),
        Place((end - start) * scale - SYMBOL, start, SYMBOL / 2, "left", on_bar=True),
        Place((edge - last) * scale - SYMBOL, last, SYMBOL, "left"),
    ]
