"""The pictures of docs/events.md: for each kind of event a real run that shows it, from the clinic's sample.

    python docs/event_pictures.py [FOLDER]      # docs/events by default

The runs are trainings with a fault that is known (benchmarks/clinic); their recordings are part of the tests.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clinic.runs import load_runs
from benchmarks.clinic.sample import SAMPLE_FOLDER
from gradmidi.events import KINDS, ONSET, Event, find_events
from gradmidi.events.bins import Rows
from gradmidi.recording import Recording

FOLDER = Path(__file__).with_name("events")
SIZE = (7.2, 2.6)  # inches
RUNS = {  # kind → run of the sample
    "nan": "mlp.half-overflow.2",
    "inf": "mlp.half-overflow.3",
    "explosion": "mlp.no-zero-grad.2",
    "drift": "mlp.no-zero-grad.2",
    "bad-start": "lstm.bad-init.0",
    "spike": "mlp.poisoned-batch.3",
    "vanishing": "mlp.slow-divergence.0",
    "zero": "mlp.dying-relu.2",
    "frozen": "mlp.frozen-layer.3",
    "noise": "mlp.slow-divergence.0",
    "loss-spike": "mlp.poisoned-batch.3",
    "plateau": "mlp.shuffled-labels.2",
}
OF_LOSS = {"loss-spike", "plateau"}


def main() -> None:
    from matplotlib.figure import Figure

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    runs = {run.name: run.recording for run in load_runs(SAMPLE_FOLDER)}
    for kind, name in RUNS.items():
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.add_subplot(), runs[name], kind, name)
        figure.savefig(folder / f"{kind}.svg", metadata={"Date": None})


def draw(axes: Any, recording: Recording, kind: str, name: str) -> None:
    """The norms of the layers, or the loss, with the steps at which the kind begins and is over."""
    events = [event for event in find_events(recording) if event.kind == kind]
    first, last = _window(recording, events)
    part = slice(first, last)
    steps = recording.steps[part]
    if kind in OF_LOSS:
        axes.plot(steps, recording.metrics["loss"][part], color="black", linewidth=0.8, label="loss")
    else:
        positive = np.where(recording.norms > 0, recording.norms, np.nan)
        for layer, norms in zip(recording.layers, positive.T, strict=True):
            axes.plot(steps, norms[part], linewidth=0.8, label=layer)
        axes.plot(steps, np.exp(Rows.of(recording).total[part]), color="black", linewidth=0.8, label="whole gradient")
    axes.set_yscale("log")
    for event in events:
        colour = "#B00000" if event.phase == ONSET else "#4060A0"
        if first <= event.row < last and event.phase != "ongoing":
            axes.axvline(event.step, color=colour, linewidth=1.2)
    onset = events[0]
    axes.axvspan(onset.since, onset.step, color="#B00000", alpha=0.15, linewidth=0)
    axes.set_title(f"{KINDS[kind].title}: {onset.text}", fontsize=9, loc="left")
    axes.set_xlabel(f"step of the run {name}", fontsize=8)
    axes.set_ylabel("loss" if kind in OF_LOSS else "gradient norm", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _window(recording: Recording, events: list[Event]) -> tuple[int, int]:
    """Rows around the onset: 120 before it and 180 after, as far as there are any."""
    onset = events[0].row
    return max(0, onset - 120), min(len(recording), onset + 180)


if __name__ == "__main__":
    main()
