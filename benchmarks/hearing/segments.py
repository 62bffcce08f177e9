"""Stretches of five seconds of the clinic's runs, each with the regime that it is in by comparison with its twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.clinic.runs import Run, load, load_runs, path_of
from benchmarks.clinic.truth import Mask, ways
from gradmidi.recording import Recording

SECONDS = 5.0
UNIT, REST = 0.05, 2  # of the default timing
PER_RUN = 3  # segments of one regime
HEALTHY, NOISY, EXPLODING, VANISHING, DEAD, NAN, STUCK = REGIMES = (
    "healthy", "noisy", "exploding", "vanishing", "dead", "nan", "stuck",
)  # fmt: skip
# Ways of showing and their regime, gravest first. A regime needs half of the steps.
OF_WAYS = (
    (("nan", "inf"), NAN), (("zero",), DEAD), (("larger", "spike"), EXPLODING), (("smaller",), VANISHING),
    (("noise",), NOISY), (("frozen", "loss-flat"), STUCK),
)  # fmt: skip
TWIN = "healthy-nudged"  # the same as the healthy run but for the last bits
HALF = 0.5  # of a segment's steps
NOISE, LEAST_NOISE = 3.5, 0.6
LONGEST_MADE = 3000  # steps
WARM_UP = 40  # steps without which nothing is usual


class Segment(NamedTuple):
    """Steps ``first`` to ``last`` (excluded) of a run."""

    run: Run
    first: int
    last: int
    regime: str

    @property
    def rows(self) -> Recording:
        return self.run.recording.rows(self.first, self.last)


def rows_of(layers: int, seconds: float = SECONDS) -> int:
    """How many steps are heard in so many seconds."""
    return max(1, round(seconds / ((layers + REST) * UNIT)))


def segments(folder: Path, held_out: bool, seed: int = 0, runs: int = 150, only: str = "*") -> Iterator[Segment]:
    """Segments of a sample of the runs of one half, as many of each kind of run as there are, in random order."""
    draw = np.random.default_rng(seed)
    chosen = [run for run in load_runs(folder, only) if run.truth.held_out == held_out]
    chosen = [run for run in chosen if run.truth.fault != TWIN and (run.truth.healthy or run.truth.shows)]
    for index in sorted(draw.permutation(len(chosen))[:runs].tolist()):
        run = chosen[index]
        yield from segments_of(run, folder, draw)
        if run.truth.healthy and len(run.recording) <= LONGEST_MADE:
            yield from noisy_of(run, draw)


def segments_of(run: Run, folder: Path, draw: np.random.Generator) -> Iterator[Segment]:
    """A few segments of each regime that the run is in."""
    size = rows_of(min(len(run.recording.layers), 14))
    found: dict[str, list[int]] = {}
    masks = {} if run.truth.healthy else _masks(run, folder)
    for first in range(0, len(run.recording) - size + 1, size):
        if regime := _regime(run, masks, first, first + size):
            found.setdefault(regime, []).append(first)
    for regime, starts in found.items():
        for first in sorted(draw.permutation(starts)[:PER_RUN].tolist()):
            yield Segment(run, first, first + size, regime)


def noisy_of(run: Run, draw: np.random.Generator) -> Iterator[Segment]:
    """Segments of a healthy run whose norms are made noisy from a third of it on, as the clinic has hardly any such.

    Each norm is multiplied by exp(x), x normal with a deviation of NOISE times the median change of ln(norm) from step
    to step before, at least LEAST_NOISE; each loss likewise with a third of that.
    """
    recording = run.recording
    onset, size = len(recording) // 3, rows_of(min(len(recording.layers), 14))
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = np.nanmedian(np.abs(np.diff(np.log(recording.norms[:onset]), axis=0)))
    deviation = max(NOISE * float(usual), LEAST_NOISE)
    after = len(recording) - onset
    norms, loss = recording.norms.copy(), recording.metrics["loss"].copy()
    norms[onset:] *= np.exp(draw.normal(0, deviation, (after, norms.shape[1])))
    loss[onset:] *= np.exp(draw.normal(0, deviation / 3, after))
    noisy = Recording(
        recording.layers, recording.steps, norms, {**recording.metrics, "loss": loss}, recording.meta, recording.gaps
    )
    truth = run.truth._replace(fault=f"{run.truth.fault} made noisy", onset=onset)
    made = Run(f"{run.name}+noise", noisy, truth)
    starts = range(onset + size, len(recording) - size + 1, size)
    for first in sorted(draw.permutation(starts)[:PER_RUN].tolist()):
        yield Segment(made, first, first + size, NOISY)


def _masks(run: Run, folder: Path) -> Mapping[str, Mask]:
    twin = load(path_of(folder, f"{run.truth.arch}.healthy.{run.truth.seed}"))
    assert run.truth.onset is not None
    rows = min(len(run.recording), len(twin))
    return ways(run.recording.rows(0, rows), twin.rows(0, rows), run.truth.onset)


def _regime(run: Run, masks: Mapping[str, Mask], first: int, last: int) -> str | None:
    """The regime, or None where it is none of them clearly."""
    onset = run.truth.onset
    if run.truth.healthy:
        return HEALTHY if first >= WARM_UP else None
    # Before its onset a run is bit for bit its twin, which a listener could have learnt by heart.
    assert onset is not None
    if first < onset:
        return None
    for names, regime in OF_WAYS:
        masked = np.logical_or.reduce([masks[name].any(axis=1)[first - onset : last - onset] for name in names])
        if len(masked) and masked.mean() >= HALF:
            return regime
    return None
