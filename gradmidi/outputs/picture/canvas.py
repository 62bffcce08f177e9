"""matplotlib as we need it: without windows, user settings, formulas, or output on the terminal."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from gradmidi.errors import MissingPartError
from gradmidi.requirements import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 120
SMALLEST = (8.0, 4.5)  # inches; a picture of fewer dots has smaller letters instead
BACKEND = "MPLBACKEND"  # which notebooks set; matplotlib fails to load if it is wrong
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text, to be found and edited
    "svg.hashsalt": "gradmidi",  # the same picture is the same file
    "pdf.fonttype": 42,
}
ROUNDING = 1e-3  # pixels, as what is left of a fraction of one is cut off
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
# Names of files are no formulas: a $ in one is a $.
PLAIN = {"parse_math": False}


@contextmanager
def quiet_matplotlib() -> Iterator[None]:
    """A block in which matplotlib uses its defaults and prints nothing about fonts, folders and settings.

    Raises:
        MissingPartError: matplotlib is not installed, or does not load.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL)
        try:
            _load()
            from matplotlib import rc_context, rcParamsDefault

            defaults: dict[Any, Any] = {
                key: value for key, value in rcParamsDefault.items() if not key.startswith("backend")
            }
            with rc_context(cast(Any, defaults | SETTINGS)):
                yield
        finally:
            logger.setLevel(level)


def new_figure(size: tuple[int, int]) -> Figure:
    """An empty figure of that many pixels (width, height)."""
    dots = min(DOTS_PER_INCH, *(pixels / inches for pixels, inches in zip(size, SMALLEST, strict=True)))
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = ((pixels + ROUNDING) / dots for pixels in size)
    figure = Figure((width, height), dpi=dots)
    FigureCanvasAgg(figure)
    return figure


def _load() -> None:
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop(BACKEND, None)
    try:
        matplotlib: Any = require("matplotlib", "matplotlib")
    except MissingPartError:
        raise
    except Exception as error:
        raise MissingPartError(f"matplotlib does not load ({type(error).__name__}: {error}); reinstall it") from None
    finally:
        if backend is not None:
            os.environ[BACKEND] = backend
    if backend is not None:
        # The first import is the one that reads the variable, for all that is drawn later in this process.
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
