"""Two runs on the same axes: the notes of A above those of B, what went wrong in each, and both losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradmidi.composition.two_runs.duet import Duet
from gradmidi.composition.two_runs.material import LETTERS
from gradmidi.outputs.picture import MOST_STEPS, check_size, draw_title, parse_size, scale_loss
from gradmidi.outputs.picture.canvas import PLAIN, new_figure
from gradmidi.outputs.picture.layout import BELOW, LABELS, POINTS, ROW, SMALLEST, add_axes, text_width
from gradmidi.outputs.picture.pitch_axis import draw_pitch_axis, limits, pitch_labels
from gradmidi.outputs.picture.plotting import plotted
from gradmidi.outputs.picture.roll import draw_roll, legend_names
from gradmidi.outputs.picture.trouble import KINDS, draw_trouble, kinds_of
from gradmidi.outputs.picture.trouble import LETTERS as SMALL
from gradmidi.printable import printable
from gradmidi.recording import Recording
from gradmidi.score import Score, merged

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_SIZE = (1560, 1040)  # pixels, width and height
NAME = 24.0  # points for the name of a run above its notes
TITLE = 64.0  # points above the notes and trouble of A
LETTER = 7.0  # points that a letter of a name takes, more or less
STRIPS = 0.4  # of the height that what went wrong may take
LOSS_SHARE = 0.2
GAP = 14.0  # points above the loss
# The losses differ in style and in lightness, not in hue.
LINES = ({"color": "black", "linewidth": 1.0}, {"color": "#888888", "linewidth": 1.4, "linestyle": (0, (4, 1.5))})


class _Run(NamedTuple):
    """One of the runs: its notes, with the kinds of trouble for which there is room, and the kinds that are left."""

    score: Score
    found: list[str]
    left: list[str]


def plot_two(
    duet: Duet,
    runs: tuple[Recording, Recording],
    names: Sequence[str],
    path: str | Path | None = None,
    size: str | tuple[int, int] | None = None,
) -> Figure:
    """Draw two runs; see :meth:`gradmidi.comparison.Comparison.plot`."""
    wanted = DEFAULT_SIZE if size is None else size
    pixels = parse_size(wanted) if isinstance(wanted, str) else check_size(wanted)
    return plotted(path, lambda: draw_two(duet, runs, names, pixels))


def draw_two(duet: Duet, runs: tuple[Recording, Recording], names: Sequence[str], size: tuple[int, int]) -> Figure:
    """The figure, within :func:`gradmidi.outputs.picture.canvas.quiet_matplotlib`."""
    figure = new_figure(size)
    losses = [duet.rows.metrics.get(f"loss {letter}") for letter in LETTERS]
    has_loss = any(loss is not None and np.isfinite(loss).any() for loss in losses)
    room = figure.get_figheight() * POINTS - TITLE - BELOW - NAME - GAP * has_loss
    drawn = _with_room(duet.alone, int(STRIPS * room / ROW))
    strips = [ROW * len(run.found) for run in drawn]
    rest = max(room - sum(strips) - 2 * 5.0, 3 * SMALLEST)
    roll = rest * (1 - LOSS_SHARE * has_loss) / 2
    parts = {"trouble A": strips[0], "A": roll, "trouble B": strips[1], "B": roll}
    parts["loss"] = rest * LOSS_SHARE * has_loss
    both = replace(duet.alone[0], **merged(duet.alone).columns())
    pitches = pitch_labels(both, roll)
    labels = {LABELS: pitches.values(), SMALL: [KINDS[kind].name for run in drawn for kind in run.found]}
    legend = [*legend_names(both), *(f"loss of {letter}" for letter in LETTERS)]
    gaps = {"trouble A": 5.0, "A": NAME, "trouble B": 5.0, "B": GAP * has_loss, "loss": 0.0}
    axes = add_axes(figure, parts, labels, legend, gaps, TITLE)
    for letter, run, recording, name in zip(LETTERS, drawn, runs, names, strict=True):
        draw_roll(axes[letter], run.score, roll, limits(both))
        draw_pitch_axis(axes[letter], both, pitches)
        upper = axes[letter]
        if run.found:
            upper = axes[f"trouble {letter}"]
            draw_trouble(upper, run.score, recording)
        _draw_name(upper, letter, name, run.left)
    if (legend_of_b := axes["B"].get_legend()) is not None:
        legend_of_b.remove()  # it is that of A
    if "loss" in axes:
        _draw_losses(axes["loss"], losses, duet.step_seconds)
    *_, lowest = axes.values()
    _draw_steps(lowest, duet)
    draw_title(axes["A"], duet.score)
    return figure


def _with_room(scores: Sequence[Score], rows: int) -> list[_Run]:
    """The scores with as many kinds of trouble, the gravest first, as ``rows`` rows hold."""
    found = [kinds_of(score) for score in scores]
    counts = [len(kinds) for kinds in found]
    half = max(1, rows // 2)
    most = [max(half, rows - counts[1]), max(half, rows - counts[0])]
    runs = []
    for score, kinds, count in zip(scores, found, most, strict=True):
        left = kinds[count:]
        marks = score.marks[~np.isin(score.marks.kind, left)] if left else score.marks
        runs.append(_Run(replace(score, marks=marks), kinds[:count], left))
    return runs


def _draw_name(axes: Any, letter: str, name: str, left: Sequence[str]) -> None:
    """The run's name above its part of the picture, and what else went wrong in it."""
    place = axes.get_position()
    more = f"; also {', '.join(KINDS[kind].name for kind in left)}" if left else ""
    said = (letter if name == letter else f"{letter}: {name}") + more
    most = int(place.width * axes.figure.get_figwidth() * POINTS / LETTER)
    above = 4.0 / (axes.figure.get_figheight() * POINTS)
    text = printable(said, most)
    axes.figure.text(place.x0, place.y1 + above, text, fontsize=LABELS, fontweight="bold", **PLAIN)


def _draw_losses(axes: Any, losses: Sequence[Any], step: float) -> None:
    drawn = [
        (letter, loss, look) for letter, loss, look in zip(LETTERS, losses, LINES, strict=True) if loss is not None
    ]
    for letter, loss, look in drawn:
        axes.plot(step * np.arange(len(loss)), loss, **look, label=f"loss of {letter}")
    scale_loss(axes, np.concatenate([loss for _, loss, _ in drawn]))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _draw_steps(axes: Any, duet: Duet) -> None:
    """The optimizer steps of both runs along the lowest axis."""
    from matplotlib.ticker import MaxNLocator

    steps = duet.rows.steps
    room = axes.get_position().width * axes.figure.get_figwidth() * POINTS
    most = room / (2 * text_width(axes.figure, "0" * len(str(steps[-1])), LABELS))
    wanted = MaxNLocator(int(np.clip(most, 1, MOST_STEPS)), integer=True).tick_values(int(steps[0]), int(steps[-1]))
    wanted = wanted[(wanted >= steps[0]) & (wanted <= steps[-1])]
    times = np.interp(wanted, steps, duet.step_seconds * np.arange(len(steps)))
    axes.set_xticks(times, [f"{step:.0f}" for step in wanted])
    axes.set_xlabel("optimizer step")
