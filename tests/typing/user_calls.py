"""Calls as users write them, checked by ``mypy --strict`` with ``make lint``; the tests run them as well.

A call that mypy must refuse has ``type: ignore`` with its code, which mypy reports once it is no longer needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn

import gradmidi as gm
from gradmidi.recording.row import Row
from gradmidi.session.session import Session


class Largest:
    """A sink of one's own."""

    def __init__(self) -> None:
        self.norm = 0.0

    def append(self, row: Row) -> None:
        self.norm = max(self.norm, float(row.norms.max()))


def train(model: nn.Module, folder: Path, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> gm.Recording:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    largest = Largest()
    with gm.listen(
        model,
        optimizer,
        path=folder / "norms.csv",
        existing="replace",
        live=f"file:{folder / 'live.txt'}",
        metrics=["loss", "entropy"],
        meta={"seed": 7},
        layers="all",
        every=1,
        scale="D dorian",
        mapping="adaptive",
        unit="1/16",
        tempo=120,
        pace="latest",
        cc=["loss=74"],
    ) as session:
        session.add(largest)
        heard: list[gm.Event] = []
        session.on_event(heard.append)

        @session.on_event
        def tell(event: gm.Event) -> str:
            return f"{event.kind} in {event.where} at step {event.step}: {event.text}"

        session.stop_on("nan", "inf")
        for x, y in batches:
            loss = session.loss(nn.functional.cross_entropy(model(x), y))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            session.log(entropy=0.5)
    assert largest.norm > 0
    events: tuple[gm.Event, ...] = session.events
    assert heard == list(events) == list(session.report.events)
    assert tell(events[-1]).startswith("finished in the run at step ")
    return session.recording


def record(rec: gm.Recording, folder: Path) -> gm.Recording:
    rec.save(folder / "norms.npz")
    loaded = gm.Recording.load(folder / "norms.npz", columns=["*"])
    steps: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = loaded.steps
    last: Row = loaded[-1]
    part: gm.Recording = loaded[1:8].only(["*"])
    calm = loaded[loaded.metrics["loss"] < 100].between(first=0, last=int(steps[-1]))
    rows: list[Row] = list(part)
    frame = gm.Recording.concat([loaded, calm], renumber=True).to_pandas()
    assert (last.step, len(rows)) == (steps[-1], len(part))
    return gm.Recording.from_pandas(frame)


def compose(rec: gm.Recording) -> gm.Score:
    scale = gm.Scale.from_ratios([1, 9 / 8, 5 / 4, 3 / 2, 5 / 3], tonic="C4")
    gm.compose(rec, scale=gm.Scale.equal(19, "D4"), mapping=gm.Log(), timing=gm.Timing(0.02), style="chord")
    gm.compose(rec, scale=None, mapping="rank", invert=True, max_voices=3, groups={"all": ["*"]}, title="mine")
    gm.compose(rec, scale="A minor pentatonic", unit="50ms", tempo=90.0, duration="2m", hysteresis=0.2)
    return gm.compose(rec, scale=scale, dynamics="loss-change", unit=0.01, duration=60)


def perform(score: gm.Score, rec: gm.Recording, folder: Path) -> float:
    exactness = score.save_midi(folder / "run.mid", tuning="bend")
    score.to_mido("mts").save(folder / "again.mid")
    first = score.marks[0]
    losses = score.marks.of("loss")
    score.plot(folder / "run.png", recording=rec, size="800x600")
    gm.plot(rec, folder / "run.svg", scale="D dorian", style="drone")
    compared: gm.Comparison = gm.compare(rec, rec, names=["lr 0.1", "lr 1"], how="alternating", turn="2 steps")
    compared.plot(folder / "ab.png", size=(800, 600))
    lower: str | None = compared.differences.ending.lower if compared.differences.ending else None
    print(compared, compared.lines[0], lower, compared.score.length)
    gm.render_sine(rec, folder / "sine.wav", container="float")
    report = score.play(f"file:{folder / 'played.txt'}", speed=100)
    also = gm.play(folder / "run.mid", port=f"file:{folder / 'again.txt'}", speed=100.0)
    assert first.time >= 0 and len(losses) == len(rec) and report.notes > 0 and also.notes > 0
    return exactness.largest_error


def mistakes(model: nn.Module, optimizer: torch.optim.Optimizer, rec: gm.Recording) -> None:
    """Never called: what an editor underlines."""
    gm.listen(model, optimizer, scael="D dorian")  # type: ignore[call-arg]
    gm.listen(model, optimizer, every="2")  # type: ignore[arg-type]
    gm.compose(rec, tempo="fast")  # type: ignore[arg-type]
    gm.compose(rec, unti=0.1)  # type: ignore[call-arg]
    gm.plot(rec, stile="chord")  # type: ignore[call-arg]
    gm.compare(rec, rec, howe="alternating")  # type: ignore[call-arg]
    rec["conv1"]  # type: ignore[index]
    session: Session = gm.listen(model, optimizer, live=True)
    session.add(print)  # type: ignore[arg-type]
    session.on_event(lambda: None)  # type: ignore[type-var]
    session.on_event("notify-send")  # type: ignore[type-var]
    session.stop_on(["nan"])  # type: ignore[arg-type]
