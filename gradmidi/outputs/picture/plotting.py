"""plot: the picture in one call, as a file and as a figure that a notebook shows."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from gradmidi.composition import compose
from gradmidi.composition.options import COMPOSE_DEFAULTS, ComposeOptions
from gradmidi.errors import InputError
from gradmidi.outputs.picture import DEFAULT_SIZE, check_size, draw_figure, parse_size, save_figure
from gradmidi.outputs.picture.canvas import quiet_matplotlib
from gradmidi.printable import shown
from gradmidi.recording import Recording
from gradmidi.score import Score
from gradmidi.signatures import spelled_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@spelled_out(ComposeOptions, COMPOSE_DEFAULTS)
def plot(
    music: Score | Recording,
    path: str | Path | None = None,
    *,
    recording: Recording | None = None,
    size: str | tuple[int, int] = DEFAULT_SIZE,
    duration: str | float | None = None,
    **options: Unpack[ComposeOptions],
) -> Figure:
    """A piano roll on a real frequency axis, the loss below, what went wrong above.

    ::

        gm.plot(rec, "run.png", scale="D dorian")

    Args:
        music: a score, or a recording, which is composed first.
        path: the file to write as well: .png, .svg or .pdf.
        recording: what a score was composed from, for its loss; a score alone is drawn without.
        size: width and height in pixels, also as text: ``"1600x900"``.
        duration, options: how a recording is composed, see :func:`gradmidi.compose`.

    Returns:
        The figure, which a notebook shows; no window opens.

    Raises:
        InputError: something else than a score or a recording, options for a score, a size or a path that cannot be
            used.
        MissingPartError: matplotlib is not installed, or does not load.
    """
    if isinstance(music, Recording):
        recording, score = music if recording is None else recording, compose(music, duration=duration, **options)
    elif not isinstance(music, Score):
        raise InputError(f"plot() takes a score or a recording, not {shown(type(music).__name__)}")
    elif options or duration is not None:
        given = next(iter([*options, "duration"]))
        raise InputError(f"{given} is about composing, and a score is composed already; give the recording instead")
    else:
        score = music
    pixels = parse_size(size) if isinstance(size, str) else check_size(size)
    return plotted(path, lambda: draw_figure(score, recording, pixels))


def plotted(path: str | Path | None, drawn: Callable[[], Figure]) -> Figure:
    """The figure that ``drawn`` draws, as a file if a path is given, and as a notebook shows it."""
    if path is not None:
        save_figure(path, drawn)
    with quiet_matplotlib():
        figure: Any = drawn()
    # IPython asks for this; without pyplot it does not know how to show a figure.
    figure._repr_png_ = partial(_png, figure)
    return figure  # type: ignore[no-any-return]


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    with quiet_matplotlib():
        figure.savefig(file, format="png")
    return file.getvalue()
