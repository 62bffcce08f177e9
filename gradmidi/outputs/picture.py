"""Score and recording → a picture: a piano roll on a real frequency axis, the loss under it, what went wrong marked."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.files.destination import is_stream
from gradmidi.recording import Recording
from gradmidi.requirements import require
from gradmidi.score import Score
from gradmidi.theory.pitch import hz_to_key, key_to_hz, note_name

FORMATS = (".png", ".svg")
SIZE = (13.0, 7.0)  # inches
DOTS_PER_INCH = 120
# Colours that people with colour blindness tell apart (Okabe and Ito, 2008), then darker variants.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A6A00", "#000000",
    "#004A73", "#8A3D00", "#006B4E", "#8A4F70", "#99690A", "#2F7FA6", "#555555",
)  # fmt: skip
# kind: marker, colour and name in the legend
ANOMALY_MARKS = {
    "nan": ("x", "#C00000", "NaN"),
    "inf": ("^", "#C00000", "Inf"),
    "explosion": ("*", "#C00000", "explosion"),
    "zero": ("v", "#606060", "exactly zero"),
}
SHORTEST_DRAWN = 1 / 300  # of the whole length; shorter notes are drawn as long as this, to be seen
POINTS_APART = 4.0  # between the first layer and the last on the same tone
MOST_TONES = 16  # with a tick each; more tones are read by octaves
WIDEST_LABELLED = 6  # octaves with a tick on every C; a wider axis has one every other C


def save_picture(score: Score, recording: Recording, path: str | Path) -> None:
    """Draw ``score`` over time, with the loss of ``recording`` where it has one; .png or .svg by the ending.

    Raises:
        InputError: another ending, or the file cannot be written.
        MissingPartError: matplotlib is not installed.
    """
    target = Path(path)
    kind = target.suffix.lower()[1:] if not is_stream(target) else "png"
    if f".{kind}" not in FORMATS:
        raise InputError(f"{target}: pictures are written as {' or '.join(FORMATS)}")
    require("matplotlib", "matplotlib")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    loss = recording.metrics.get("loss")
    with rc_context({"svg.hashsalt": "gradmidi"}):
        figure = Figure(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained")
        if loss is not None and np.isfinite(loss).any():
            roll, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
            _draw_loss(below, score, recording)
        else:
            roll = below = figure.subplots()
        _draw_notes(roll, score)
        _draw_anomalies(roll, score)
        _draw_axes(roll, below, score)
        with whole_file(target) as file, warnings.catch_warnings():
            # A layer's name in letters that the font lacks shows as boxes; that is no news for a terminal.
            warnings.filterwarnings("ignore", "Glyph")
            figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)


def _draw_notes(axes: Any, score: Score) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.transforms import ScaledTranslation

    shortest = score.length * SHORTEST_DRAWN
    pitched = [index for index, voice in enumerate(score.voices) if not voice.percussion]
    for index in pitched:
        voice, notes = score.voices[index], score.of_voice(index)
        drawn = np.maximum(score.duration[notes], shortest)
        ends = np.stack([score.onset[notes], score.onset[notes] + drawn], axis=1)
        heights = np.repeat(score.frequency[notes, np.newaxis], 2, axis=1)
        colour = COLOURS[index % len(COLOURS)]
        lines = LineCollection(list(np.stack([ends, heights], axis=2)), colors=colour, linewidths=3.5, label=voice.name)
        # Layers that meet on one tone stand a hair's breadth apart, so that none hides another.
        share = (index + 0.5) / len(pitched) - 0.5
        apart = axes.transData + ScaledTranslation(0, share * POINTS_APART / 72, axes.figure.dpi_scale_trans)
        lines.set_transform(apart)
        axes.add_collection(lines)
        # A faint thread through a layer's notes lets the eye follow it where the notes are short.
        axes.plot(ends.mean(axis=1), heights[:, 0], color=colour, linewidth=0.5, alpha=0.25, transform=apart)


def _draw_anomalies(axes: Any, score: Score) -> None:
    """Each kind as a symbol along the top edge, with the first of its kind in words."""
    top = axes.get_xaxis_transform()
    height = 0.97
    for kind, (marker, colour, name) in ANOMALY_MARKS.items():
        marks = score.marks.of(kind)
        if not len(marks):
            continue
        label = f"{name} ({len(marks)})"
        axes.plot(
            marks.time, np.full(len(marks), height), marker, color=colour, transform=top, label=label, clip_on=False
        )
        axes.axvline(marks.time[0], color=colour, linewidth=0.8, linestyle=":")
        to_left = marks.time[0] > score.length / 2
        axes.annotate(
            str(marks.text[0]),
            (marks.time[0], height - 0.035),
            xycoords=top,
            xytext=(-4 if to_left else 4, 0),
            textcoords="offset points",
            ha="right" if to_left else "left",
            va="top",
            fontsize=8,
            color=colour,
        )
        height -= 0.07


def _draw_axes(roll: Any, below: Any, score: Score) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    pitched = score.frequency[score.pitched]
    low, high = (pitched.min(), pitched.max()) if len(pitched) else (220.0, 880.0)
    roll.set_yscale("log", base=2)
    roll.set_ylim(low / 1.15, high * 1.15)
    ticks = _ticks(pitched, low / 1.15, high * 1.15)
    roll.yaxis.set_major_locator(FixedLocator(ticks.tolist()))
    roll.yaxis.set_minor_locator(NullLocator())
    roll.yaxis.set_major_formatter(FuncFormatter(lambda hz, _: f"{note_name(float(hz_to_key(hz)))}  {hz:,.0f}"))
    roll.set_ylabel("pitch: note and Hz")
    roll.set_xlim(0, max(score.length, 1e-3))
    roll.grid(axis="y", linewidth=0.4, alpha=0.5)
    roll.set_title(score.title, loc="left")
    roll.set_title(score.about, loc="right", fontsize=9, color="#555555")
    roll.legend(loc="upper left", bbox_to_anchor=(1.005, 1), frameon=False)
    below.set_xlabel("time in s")
    _draw_steps(roll, score)


def _ticks(pitched: NDArray[np.float64], lowest: float, highest: float) -> NDArray[np.float64]:
    """Hz of the marks on the pitch axis: the tones that sound if they are few and stand apart, else octaves of C."""
    tones = np.unique(np.round(pitched, 6))
    octaves = np.log2(highest / lowest)
    if 0 < len(tones) <= MOST_TONES and octaves < len(tones):
        return tones
    spacing = 12 if octaves <= WIDEST_LABELLED else 24
    keys = hz_to_key(np.array([lowest, highest])) / spacing
    return key_to_hz(np.arange(np.ceil(keys[0]), np.floor(keys[1]) + 1) * spacing)


def _draw_steps(roll: Any, score: Score) -> None:
    """Step numbers along the top edge, so that a place in the picture can be found in the recording."""
    marks = score.marks.of("step")
    thinned = slice(None, None, max(1, len(marks) // 10))
    steps = roll.secondary_xaxis("top")
    steps.set_xticks(marks.time[thinned], marks.step[thinned].tolist())
    steps.set_xlabel("optimizer step")


def _draw_loss(axes: Any, score: Score, recording: Recording) -> None:
    marks = score.marks.of("loss")
    loss = recording.metrics["loss"]
    time = marks.time if len(marks) == len(loss) else np.linspace(0, score.length, len(loss), endpoint=False)
    axes.plot(time, loss, color="#444444", linewidth=1)
    finite = loss[np.isfinite(loss)]
    if len(finite) and finite.max() > 50 * max(float(np.median(finite)), 1e-9):
        logarithmic = {} if finite.min() > 0 else {"linthresh": max(float(np.median(finite)), 1e-3)}
        axes.set_yscale("symlog" if logarithmic else "log", **logarithmic)
        axes.yaxis.get_major_locator().set_params(numticks=4)
    axes.set_ylabel("loss")
    axes.grid(linewidth=0.4, alpha=0.5)
