"""The piano roll: each voice's notes as bars in its own colour and style, and the legend that names them."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.outputs.picture.canvas import PLAIN
from gradmidi.outputs.picture.pitch_axis import knocking, limits, zero_line
from gradmidi.printable import printable
from gradmidi.score import Score

# Eight that people with colour blindness tell apart (Okabe and Ito, 2008), the yellow darkened to be seen on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A6A00", "#000000")
SHORTEST_DRAWN = 1 / 300  # of the whole length; shorter notes are drawn as long as this, to be seen
LINE_WIDTHS = (2.2, 4.0)  # points
LANE = 4.4  # points at most from one voice to the next on the same tone
LANES = (4.0, 36.0)  # points that the voices of one tone take up together
LANE_SHARE = 0.75  # of the room between two tones
FAINT = 0.25  # of a voice's colour in its thread
THREADED = 1_500  # notes of a voice that a thread can still join so that the eye follows it
LONGEST_NAME = 36  # characters in the legend


class Style(NamedTuple):
    """How a voice looks: hollow ones have a white core and a dashed thread."""

    colour: str
    hollow: bool

    @classmethod
    def of(cls, index: int) -> Style:
        return cls(COLOURS[index % len(COLOURS)], index // len(COLOURS) % 2 == 1)


def draw_roll(axes: Any, score: Score, height: float, span: tuple[float, float] | None = None) -> None:
    """Notes, threads and legend (``legend_names``).

    Args:
        axes: where they are drawn.
        score: what is drawn.
        height: that of the axes in points.
        span: lowest and highest Hz of the axes, if not those of the score.
    """
    from matplotlib.transforms import ScaledTranslation

    low, high = span or limits(score)
    score = replace(score, frequency=np.where(knocking(score), zero_line(low), score.frequency))
    pitched = [index for index, voice in enumerate(score.voices) if not voice.percussion]
    together = min(_lane_room(score, height, low, high), LANE * len(pitched))
    width = float(np.clip(together / max(len(pitched), 1), *LINE_WIDTHS))
    for place, index in enumerate(pitched):
        # Voices that meet on one tone lie in lanes next to each other, so that none hides another.
        lane = ((place + 0.5) / len(pitched) - 0.5) * together
        apart = axes.transData + ScaledTranslation(0, lane / 72, axes.figure.dpi_scale_trans)
        notes = score.of_voice(index)
        _draw_voice(axes, score, notes[score.pitched[notes]], Style.of(place), width, apart)
    _draw_legend(axes, legend_names(score))
    axes.set_xlim(0, max(score.length, 1e-3))


def legend_names(score: Score) -> list[str]:
    """Names of the voices with a pitch, short but different: without the beginning that all have."""
    names = [voice.name for voice in score.voices if not voice.percussion]
    if len(names) > 1 and max(map(len, names)) > LONGEST_NAME:
        parts = [name.split(".") for name in names]
        shared = next(i for i, words in enumerate(zip_longest(*parts)) if len(set(words)) > 1 or None in words)
        shared = min(shared, *(len(words) - 1 for words in parts))
        names = ["…" * (shared > 0) + ".".join(words[shared:]) for words in parts]
    short = [printable(name, LONGEST_NAME) for name in names]
    return [f"{name} ({number})" if short.count(name) > 1 else name for number, name in enumerate(short, 1)]


def bars(onset: NDArray[np.float64], end: NDArray[np.float64], frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Notes (K,) as bars (B, 2, 2) of (s, Hz) at both ends; notes of one tone that touch are one bar."""
    order = np.lexsort((onset, frequency))
    onset, end, frequency = onset[order], end[order], frequency[order]
    # Ends only grow within a tone once each is at least the one before; a new tone starts from nothing.
    new_tone = np.r_[True, np.diff(frequency) != 0][: len(order)]
    offset = np.cumsum(new_tone) * (end.max(initial=0.0) + 1)
    reached = np.maximum.accumulate(end + offset) - offset
    starts = new_tone.copy()
    starts[1:] |= onset[1:] > reached[:-1]
    first = np.flatnonzero(starts)
    last = np.r_[first[1:] - 1, len(order) - 1][: len(first)]
    ends = np.stack([onset[first], reached[last]], axis=1)
    return np.stack([ends, np.repeat(frequency[first, np.newaxis], 2, axis=1)], axis=2)


def _lane_room(score: Score, height: float, low: float, high: float) -> float:
    """Points that the lanes of one tone may take: the most that keeps them clear of the next tone's."""
    tones = np.unique(np.round(score.frequency[score.pitched], 6))
    nearest = float(np.diff(np.log2(tones)).min()) if len(tones) > 1 else 1.0
    return float(np.clip(LANE_SHARE * height * nearest / np.log2(high / low), *LANES))


def _draw_voice(axes: Any, score: Score, notes: NDArray[np.int64], style: Style, width: float, apart: Any) -> None:
    from matplotlib.collections import LineCollection

    onset, frequency = score.onset[notes], score.frequency[notes]
    end = onset + np.maximum(score.duration[notes], score.length * SHORTEST_DRAWN)
    drawn = bars(onset, end, frequency)
    strokes = [(style.colour, width)] + [("white", 0.4 * width)] * style.hollow
    for order, (colour, line_width) in enumerate(strokes):
        lines = LineCollection(list(drawn), colors=colour, linewidths=line_width, zorder=2.1 + order / 100)
        lines.set_transform(apart)
        axes.add_collection(lines)
    if len(notes) <= THREADED:
        # A faint thread through a voice's notes lets the eye follow it where the notes are short.
        axes.plot(
            (onset + end) / 2,
            frequency,
            color=_faint(style.colour),
            linewidth=0.5,
            linestyle="--" if style.hollow else "-",
            zorder=1.5,
            transform=apart,
        )


def _faint(colour: str) -> list[float]:
    """The colour mixed with white, as not everything that shows an .svg knows transparency."""
    from matplotlib.colors import to_rgb

    return [1 - FAINT * (1 - part) for part in to_rgb(colour)]


def _draw_legend(axes: Any, names: list[str]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for place in range(len(names)):
        style = Style.of(place)
        thick = Line2D([], [], color=style.colour, linewidth=5)
        handles.append((thick, Line2D([], [], color="white", linewidth=2)) if style.hollow else thick)
    if not handles:
        return
    # Set afterwards, as a name that begins with _ would be left out.
    legend = axes.legend(handles, ["voice"] * len(names), loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=name, **PLAIN)
