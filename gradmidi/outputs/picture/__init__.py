"""Score and recording → a picture: a piano roll on a real frequency axis, the loss below, what went wrong above."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.files.destination import is_stream
from gradmidi.outputs.picture.canvas import PLAIN, UNDATED, new_figure, quiet_matplotlib
from gradmidi.outputs.picture.layout import LABELS, POINTS, add_axes, heights, text_width
from gradmidi.outputs.picture.pitch_axis import draw_pitch_axis, of_norms, pitch_labels
from gradmidi.outputs.picture.roll import draw_roll, legend_names
from gradmidi.outputs.picture.trouble import KINDS, LETTERS, draw_trouble, kinds_of
from gradmidi.printable import printable, shown
from gradmidi.recording import Recording
from gradmidi.score import Marks, Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
DEFAULT_SIZE = (1560, 840)  # pixels, width and height
SMALLEST, LARGEST = 400, 8_000  # pixels
MOST_STEPS = 10  # with a label
TITLE = 7.5  # points that a letter of the title takes, more or less
_SIZE = re.compile(r"(\d{1,9})\s*[x×X]\s*(\d{1,9})", re.ASCII)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels of a text such as ``1600x900``.

    Raises:
        InputError: it is not such a text, or a side is shorter or longer than pictures can be.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InputError(f"{shown(text)} is not a size; give width and height in pixels, such as 1600x900")
    return check_size((int(found[1]), int(found[2])))


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size, if pictures can have it.

    Raises:
        InputError: a side is shorter or longer than pictures can be, or it is no pair of whole numbers.
    """
    if not (isinstance(size, tuple | list) and len(size) == 2 and all(isinstance(side, int) for side in size)):
        raise InputError(f"{shown(size)} is not a size; give width and height in pixels, such as 1600x900")
    if not SMALLEST <= min(size) <= max(size) <= LARGEST:
        raise InputError(
            f"a picture of {size[0]}x{size[1]} cannot be drawn; each side can have {SMALLEST} to {LARGEST:,} pixels"
        )
    return size


def save_picture(
    score: Score, recording: Recording | None, path: str | Path, size: tuple[int, int] = DEFAULT_SIZE
) -> None:
    """Draw ``score`` over time, with the loss of ``recording`` if it has one; .png, .svg or .pdf by extension.

    Args:
        score: what is drawn.
        recording: what it was composed from; without it no loss is drawn.
        path: the file, which is either complete or absent; a device gets a .png.
        size: width and height in pixels; for .svg and .pdf at 120 per inch.

    Raises:
        InputError: another ending, or the file cannot be written.
        MissingPartError: matplotlib is not installed, or does not load.
    """
    save_figure(path, lambda: draw_figure(score, recording, size))


def save_figure(path: str | Path, drawn: Callable[[], Figure]) -> None:
    """Write the figure that ``drawn`` draws; otherwise as :func:`save_picture`."""
    target = Path(path)
    kind = target.suffix.lower()[1:] if not is_stream(target) else "png"
    if f".{kind}" not in FORMATS:
        raise InputError(f"{target}: pictures are written as {', '.join(FORMATS)}")
    with quiet_matplotlib():
        figure = drawn()
        with whole_file(target) as file:
            figure.savefig(file, format=kind, metadata=UNDATED.get(kind))


def draw_figure(score: Score, recording: Recording | None, size: tuple[int, int]) -> Figure:
    """The same as a figure of matplotlib, within :func:`quiet_matplotlib`."""
    figure = new_figure(size)
    _draw(figure, score, recording)
    return figure


def _draw(figure: Any, score: Score, recording: Recording | None) -> None:
    score = of_norms(score)
    loss = None if recording is None else recording.metrics.get("loss")
    found = kinds_of(score)
    parts = heights(figure, len(found), loss is not None and bool(np.isfinite(loss).any()))
    pitches = pitch_labels(score, parts.roll)
    labels = {LABELS: pitches.values(), LETTERS: [KINDS[kind].name for kind in found]}
    axes = add_axes(figure, parts._asdict(), labels, legend_names(score))
    draw_roll(axes["roll"], score, parts.roll)
    draw_pitch_axis(axes["roll"], score, pitches)
    if "trouble" in axes:
        draw_trouble(axes["trouble"], score, recording)
    if "loss" in axes and loss is not None:
        _draw_loss(axes["loss"], score, loss)
    for kind in found:
        for each in axes.values():
            each.axvline(score.marks.of(kind).time[0], color=KINDS[kind].colour, linewidth=0.8, linestyle=":")
    *_, lowest = axes.values()
    lowest.set_xlabel("time in s")
    _draw_top(next(iter(axes.values())), score)


def draw_title(axes: Any, score: Score) -> None:
    """The piece's name and, in small print, what its pitches mean, above the left edge of the axes."""
    place = axes.get_position()
    height = axes.figure.get_figheight() * POINTS
    most = int((1 - place.x0) * axes.figure.get_figwidth() * POINTS / TITLE)
    for text, below, size, colour in ((score.title, 24, 13, "black"), (score.about, 38, 9, "#555555")):
        axes.figure.text(place.x0, 1 - below / height, printable(text, most), fontsize=size, color=colour, **PLAIN)


def _draw_top(axes: Any, score: Score) -> None:
    """The title, and step numbers to find a place in the recording."""
    draw_title(axes, score)
    marks = _labelled_steps(axes, score.marks.of("step"))
    steps = axes.secondary_xaxis("top")
    steps.set_xticks(marks.time, [str(step) for step in marks.step.tolist()])
    steps.set_xlabel("optimizer step")


def _labelled_steps(axes: Any, marks: Marks) -> Marks:
    """The marked steps nearest to round numbers, as many as fit."""
    from matplotlib.ticker import MaxNLocator

    if not len(marks):
        return marks
    room = axes.get_position().width * axes.figure.get_figwidth() * POINTS
    most = room / (2 * text_width(axes.figure, "0" * len(str(marks.step.max())), LABELS))
    wanted = MaxNLocator(int(np.clip(most, 1, MOST_STEPS)), integer=True).tick_values(marks.step[0], marks.step.max())
    # A run that was resumed may have counted some steps twice: the first place counts.
    at = np.searchsorted(np.maximum.accumulate(marks.step), wanted)
    return marks[np.unique(at[at < len(marks)])]


def _draw_loss(axes: Any, score: Score, loss: NDArray[np.float64]) -> None:
    marks = score.marks.of("loss")
    time = marks.time if len(marks) == len(loss) else np.linspace(0, score.length, len(loss), endpoint=False)
    axes.plot(time, loss, color="#444444", linewidth=0.9)
    scale_loss(axes, loss)


def scale_loss(axes: Any, loss: NDArray[np.float64]) -> None:
    """The axis of a loss, logarithmic where it spans much."""
    finite = loss[np.isfinite(loss)]
    if len(finite) and finite.max() > 50 * max(float(np.median(finite)), 1e-9):
        logarithmic = {} if finite.min() > 0 else {"linthresh": max(float(np.median(finite)), 1e-3)}
        axes.set_yscale("symlog" if logarithmic else "log", **logarithmic)
        axes.yaxis.get_major_locator().set_params(numticks=4)
    axes.set_ylabel("loss")
    axes.grid(linewidth=0.4, alpha=0.5)
