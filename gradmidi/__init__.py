"""Hear a neural network train: gradient norms → MIDI notes, live or as files.

The names below are the public surface. They load on first use, so that ``import gradmidi`` stays instant and needs
neither torch nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradmidi.comparison import Comparison, compare
    from gradmidi.composition import compose
    from gradmidi.composition.legend import legend
    from gradmidi.composition.mapping import Adaptive, Log, Post, Rank
    from gradmidi.composition.timing import Timing
    from gradmidi.errors import InputError, MissingPartError, Notice
    from gradmidi.events import Event, find_events
    from gradmidi.measure.probe import GradientProbe
    from gradmidi.outputs.live import play
    from gradmidi.outputs.picture.plotting import plot
    from gradmidi.outputs.sine import render_sine
    from gradmidi.recording import Recording
    from gradmidi.score import Score
    from gradmidi.session import listen
    from gradmidi.theory.scale import Scale

__version__ = "0.1.0"

_HOME = {
    "Adaptive": "gradmidi.composition.mapping",
    "Comparison": "gradmidi.comparison",
    "Event": "gradmidi.events",
    "GradientProbe": "gradmidi.measure.probe",
    "InputError": "gradmidi.errors",
    "Log": "gradmidi.composition.mapping",
    "MissingPartError": "gradmidi.errors",
    "Notice": "gradmidi.errors",
    "Post": "gradmidi.composition.mapping",
    "Rank": "gradmidi.composition.mapping",
    "Recording": "gradmidi.recording",
    "Scale": "gradmidi.theory.scale",
    "Score": "gradmidi.score",
    "Timing": "gradmidi.composition.timing",
    "compare": "gradmidi.comparison",
    "compose": "gradmidi.composition",
    "find_events": "gradmidi.events",
    "legend": "gradmidi.composition.legend",
    "listen": "gradmidi.session",
    "play": "gradmidi.outputs.live",
    "plot": "gradmidi.outputs.picture.plotting",
    "render_sine": "gradmidi.outputs.sine",
}

__all__ = [
    "Adaptive",
    "Comparison",
    "Event",
    "GradientProbe",
    "InputError",
    "Log",
    "MissingPartError",
    "Notice",
    "Post",
    "Rank",
    "Recording",
    "Scale",
    "Score",
    "Timing",
    "__version__",
    "compare",
    "compose",
    "find_events",
    "legend",
    "listen",
    "play",
    "plot",
    "render_sine",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gradmidi' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
