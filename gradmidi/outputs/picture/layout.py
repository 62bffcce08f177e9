"""The layout: margins as wide as their text, a strip for what went wrong, the notes, the loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

POINTS = 72  # per inch
LABELS = 10.0  # points, size of the letters at the axes and in the legend
ABOVE, BELOW = 78.0, 40.0  # points for title and step numbers, and for time
BESIDE_LABELS, BESIDE_LEGEND = 34.0, 52.0  # points for the axis' name and ticks, and for the legend's lines
EDGE = 8.0
MOST_OF_WIDTH = 0.3  # that a margin may take; longer names are cut by the picture's edge
SMALLEST = 36.0  # points of height or width that a part of the picture keeps
ROW = 17.0  # points of the strip for each kind of trouble
LOSS_SHARE = 0.2  # of the height that is left for loss and notes
GAPS = {"trouble": 5.0, "roll": 14.0, "loss": 0.0}  # points below each


class Heights(NamedTuple):
    """Points of each part, from the top; 0 for what is not drawn."""

    trouble: float
    roll: float
    loss: float


def heights(figure: Any, rows: int, has_loss: bool) -> Heights:
    """How the height of a figure is shared by ``rows`` kinds of trouble, notes and loss."""
    strip = ROW * rows
    gaps = GAPS["trouble"] * bool(rows) + GAPS["roll"] * has_loss
    rest = max(figure.get_figheight() * POINTS - ABOVE - BELOW - strip - gaps, 2 * SMALLEST)
    return Heights(strip, rest * (1 - LOSS_SHARE * has_loss), rest * LOSS_SHARE * has_loss)


def add_axes(
    figure: Any,
    parts: Mapping[str, float],
    labels: Mapping[float, Iterable[str]],
    names: Iterable[str],
    gaps: Mapping[str, float] = GAPS,
    above: float = ABOVE,
) -> dict[str, Any]:
    """Axes by name, from the top, which share their time.

    Args:
        figure: to which they are added.
        parts: points of height; what has 0 is not drawn.
        labels: texts at the left by the size of their letters.
        names: texts of the legend.
        gaps: points below each part that is drawn.
        above: points above the first.
    """
    width, height = figure.get_figwidth() * POINTS, figure.get_figheight() * POINTS
    left = BESIDE_LABELS + max((text_width(figure, text, size) for size in labels for text in labels[size]), default=0)
    right = BESIDE_LEGEND + max((text_width(figure, name, LABELS) for name in names), default=0)
    left, right = (min(margin, MOST_OF_WIDTH * width) for margin in (left, right))
    axes: dict[str, Any] = {}
    top = height - above
    for name, points in parts.items():
        if points:
            place = (left / width, (top - points) / height, (width - left - right) / width, points / height)
            shared = {"sharex": next(iter(axes.values()))} if axes else {}
            axes[name] = figure.add_axes(place, **shared)
            top -= points + gaps[name]
    for each in list(axes.values())[:-1]:
        each.tick_params(labelbottom=False)
    return axes


def text_width(figure: Any, text: str, size: float) -> float:
    """Points that a line of text takes."""
    from matplotlib.font_manager import FontProperties

    measured = figure.canvas.get_renderer().get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(measured[0]) * POINTS / float(figure.dpi)
