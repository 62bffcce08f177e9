"""The runs of ``gradmidi quiz``: parts of the clinic's, with a fault that was recorded or one that is constructed.

NaN and dead layers are recorded, and half of the explosions. The rest is constructed on healthy runs, because the
clinic's noisy and vanishing runs do several things one after another, and a listener could be right about any of them:

* *noisy*: each norm times exp(s·z), z standard normal, independent per layer and step, with s such that the median
  change of ln norm from one step to the next becomes more than 3 times what it was (the clinic's own criterion);
* *vanishing*: each norm times 10^(−k/4), at least 10^−4.5, k steps after the onset;
* *exploding*: each norm times 10^(k/6), at most 10^4, and the loss times the root of that.

Each is made on the whole net in half of the runs, on one layer in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.clinic.runs import load, load_truths, path_of
from gradmidi.quiz.bank import HEALTHY, Known, save_runs
from gradmidi.recording import Recording

BEFORE, AFTER = 160, 112  # rows that are kept before the onset and from it on
MIDDLE = 250  # the onset in a run that has none
NOISIER = 3.5
VANISHING_RATE, LEAST = -1 / 4, -4.5  # decades a step, and at the end
EXPLODING_RATE, MOST = 1 / 6, 4.0
SHOWN_AS = {"exploding": "larger", "dead": "zero", "nan": "nan"}  # the clinic's ways of showing

Floats = NDArray[np.float64]


class Source(NamedTuple):
    """Where a run comes from.

    Attributes:
        kind: what is to be heard.
        run: a name of the clinic.
        made: whether the fault is constructed.
        layer: index of the only layer that is affected by the construction; None for all.
        practice: whether it is for the practice round.
    """

    kind: str
    run: str
    made: bool = False
    layer: int | None = None
    practice: bool = False


SOURCES = (
    *(Source(HEALTHY, run) for run in ("mlp.healthy.3", "post.healthy.3", "lstm.healthy.3", "mlp.healthy-adam.3")),
    Source("noisy", "mlp.healthy.4", made=True),
    Source("noisy", "lstm.healthy.4", made=True),
    Source("noisy", "post.healthy-adamw.3", made=True, layer=2),
    Source("noisy", "mlp.healthy-adamw.3", made=True, layer=1),
    Source("exploding", "lstm.sum-for-mean.2"),
    Source("exploding", "lstm.sum-for-mean.4"),
    Source("exploding", "post.healthy-step.3", made=True, layer=0),
    Source("exploding", "mlp.healthy-cosine.3", made=True, layer=3),
    Source("vanishing", "mlp.healthy-dropout.3", made=True),
    Source("vanishing", "post.healthy.4", made=True),
    Source("vanishing", "lstm.healthy-adam.3", made=True, layer=0),
    Source("vanishing", "post.healthy-cosine.3", made=True, layer=1),
    *(Source("dead", f"{run}.2") for run in ("mlp.detached-layer", "post.detached-layer", "lstm.detached-layer")),
    Source("dead", "mlp.detached-layer.4"),
    *(
        Source("nan", f"{run}")
        for run in ("mlp.nan-input.2", "post.nan-input.3", "lstm.nan-input.1", "mlp.nan-input.4")
    ),
    # The clinic holds back every run with NaN in its input, so this one is held out too, but is in no trial.
    Source(HEALTHY, "mlp.healthy.0", practice=True),
    Source("noisy", "mlp.healthy.1", made=True, practice=True),
    Source("exploding", "lstm.healthy.0", made=True, practice=True),
    Source("vanishing", "post.healthy.0", made=True, practice=True),
    Source("dead", "mlp.dying-relu.3", practice=True),
    Source("nan", "post.nan-input.0", practice=True),
)


def take_runs(folder: Path) -> None:
    """Write the quiz's runs into the package, from a folder that holds the clinic.

    Raises:
        InputError: there is no clinic in the folder.
        ValueError: a run does not show its fault from the onset on, or was held back where it may not be.
    """
    truths = load_truths(folder)
    runs = []
    for seed, source in enumerate(SOURCES):
        truth = truths[source.run]
        if not (source.practice or truth.held_out):
            raise ValueError(f"{source.run}: trials need a run that was held out")
        onset = MIDDLE if truth.onset is None else truth.onset
        if truth.onset is not None and truth.shown.get(SHOWN_AS[source.kind]) != onset:
            raise ValueError(f"{source.run} does not show from its onset on that it is {source.kind}")
        recording = load(path_of(folder, source.run))
        runs.append(_taken(source, recording, onset, truth.layers, seed))
    save_runs(runs)


def _taken(source: Source, whole: Recording, onset: int, layers: Sequence[str], seed: int) -> Known:
    part = slice(max(0, onset - BEFORE), onset + AFTER)
    norms, loss = whole.norms[part].copy(), whole.metrics["loss"][part].copy()
    row = onset - part.start
    if source.made:
        affected = slice(None) if source.layer is None else slice(source.layer, source.layer + 1)
        CONSTRUCTIONS[source.kind](norms[:, affected], loss, row, np.random.default_rng(seed))
        layers = whole.layers[affected]
    elif source.kind != HEALTHY and not layers:
        layers = whole.layers
    name = f"{source.run}+{source.kind}" if source.made else source.run
    recording = Recording.from_arrays(norms, whole.layers, loss=loss)
    return Known(name, source.kind, recording, row, tuple(layers), source.practice)


def _noisy(norms: Floats, loss: Floats, onset: int, draw: np.random.Generator) -> None:
    usual = np.median(np.abs(np.diff(np.log(norms[:onset]), axis=0)), axis=0)
    # The difference of two standard normal numbers has a median size of 0.6745 times the root of 2.
    size = NOISIER * usual / (0.6745 * np.sqrt(2))
    norms[onset:] *= np.exp(size * draw.standard_normal(norms[onset:].shape))


def _vanishing(norms: Floats, loss: Floats, onset: int, draw: np.random.Generator) -> None:
    norms[onset:] *= _factor(len(loss) - onset, VANISHING_RATE, LEAST)[:, None]


def _exploding(norms: Floats, loss: Floats, onset: int, draw: np.random.Generator) -> None:
    factor = _factor(len(loss) - onset, EXPLODING_RATE, MOST)
    norms[onset:] *= factor[:, None]
    loss[onset:] *= np.sqrt(factor)


def _factor(rows: int, rate: float, end: float) -> Floats:
    decades = rate * np.arange(1, rows + 1)
    return np.asarray(10 ** (np.maximum(decades, end) if end < 0 else np.minimum(decades, end)))


CONSTRUCTIONS: dict[str, Callable[[Floats, Floats, int, np.random.Generator], None]] = {
    "noisy": _noisy,
    "vanishing": _vanishing,
    "exploding": _exploding,
}
