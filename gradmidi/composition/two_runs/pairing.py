"""Two runs on the same steps and layers: steps are matched by their number, layers by their name."""

from __future__ import annotations

from itertools import takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.recording import Recording

Steps = NDArray[np.int64]


class Side(NamedTuple):
    """One run of a pair.

    Attributes:
        run: the recording as it was given.
        recording: its (N, L) norms on the pair's steps, with the loss; gaps where it has no row.
        slots: (R,) int, for each row of the run the position among the pair's steps that it belongs to.
        heard: (N,) bool, where it has a row.
        every: its usual distance from step to step.
        left_out: how many rows lie between the pair's steps.
        repeated: how many rows a later row of the same step replaces, as in a resumed run.
    """

    run: Recording
    recording: Recording
    slots: Steps
    heard: NDArray[np.bool_]
    every: int
    left_out: int
    repeated: int


class Pair(NamedTuple):
    """Two runs, and what they have in common.

    Attributes:
        sides: the runs.
        layers: the L layers that both have, in the order of the first run.
        only: the layers that only the first, and only the second has.
        steps: (N,) ascending; every one is a step of at least one run.
        both: (N,) bool, where both have a row.
        exact: whether rows were matched by equal steps; otherwise by the nearest one.
    """

    sides: tuple[Side, Side]
    layers: tuple[str, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    steps: Steps
    both: NDArray[np.bool_]
    exact: bool


class _Grid(NamedTuple):
    """The middles of the N slots, as steps, and for every row of either run its slot."""

    middles: NDArray[np.float64] | Steps
    slots: tuple[Steps, Steps]


def pair(first: Recording, second: Recording) -> Pair:
    """Match two runs.

    Where both have the same steps as far as they overlap, rows of equal steps belong together. Otherwise the run with
    fewer steps decides: each of its steps is a slot that reaches half way to the next ones, and of the other run the
    row nearest to the middle of the slot is taken. If no layer of one run has the name of one of the other, what all
    names of a run begin with is left out, up to a slash: a log has ``grad_norm/conv1`` for ``conv1``.

    Raises:
        InputError: a run without steps, or runs without a common layer or step.
    """
    runs = (first, second)
    for name, run in zip("AB", runs, strict=True):
        if not len(run):
            raise InputError(f"run {name} has no steps; there is nothing to compare")
    if not set(first.layers) & set(second.layers):
        runs = first, second = _without_prefix(first), _without_prefix(second)
    layers = tuple(name for name in first.layers if name in set(second.layers))
    if not layers:
        a, b = (shown(", ".join(run.layers), 100) for run in (first, second))
        raise InputError(f"the runs have no layer of the same name: A has {a}, B has {b}")
    grid = _grid(first.steps, second.steps)
    rows = tuple(_chosen(run.steps, slots, grid.middles) for run, slots in zip(runs, grid.slots, strict=True))
    both = (rows[0] >= 0) & (rows[1] >= 0)
    if not both.any():
        a, b = (f"{run.steps.min()} to {run.steps.max()}" for run in runs)
        raise InputError(f"the runs share no steps: A has {a}, B has {b}; count both from the same step")
    exact = np.array_equal(first.steps[rows[0][both]], second.steps[rows[1][both]])
    steps = _named(first.steps, second.steps, rows)
    left, right = (_side(run, layers, at, slots, steps) for run, at, slots in zip(runs, rows, grid.slots, strict=True))
    only = [tuple(name for name in run.layers if name not in set(layers)) for run in runs]
    return Pair((left, right), layers, (only[0], only[1]), steps, both, exact)


def _without_prefix(run: Recording) -> Recording:
    """The run with layer names that leave out the folders that all of them share."""
    paths = [name.split("/") for name in run.layers]
    folders = zip(*(path[:-1] for path in paths), strict=False)
    shared = sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, folders))
    names = tuple("/".join(path[shared:]) for path in paths)
    return Recording(names, run.steps, run.norms, run.metrics, run.meta, run.gaps)


def _grid(first: Steps, second: Steps) -> _Grid:
    found = np.unique(first), np.unique(second)
    low, high = max(one[0] for one in found), min(one[-1] for one in found)
    inside = [one[(one >= low) & (one <= high)] for one in found]
    if np.array_equal(*inside):
        steps = np.union1d(*found)
        return _Grid(steps, (np.searchsorted(steps, first), np.searchsorted(steps, second)))
    coarse = max(found, key=_every)
    every, origin = float(_every(coarse)), float(coarse[0])
    places = [np.floor((steps.astype(np.float64) - origin) / every + 0.5) for steps in (first, second)]
    slots = np.unique(np.concatenate(places))
    a, b = (np.searchsorted(slots, place) for place in places)
    return _Grid(origin + slots * every, (a, b))


def _every(steps: Steps) -> int:
    """The usual distance of ascending steps."""
    return max(1, int(np.median(np.diff(steps)))) if len(steps) > 1 else 1


def _chosen(steps: Steps, slots: Steps, middles: NDArray[np.float64] | Steps) -> Steps:
    """For each slot the row nearest to its middle, of equally near ones the last; −1 for an empty slot. (N,)"""
    away = np.abs(steps - middles[slots])
    order = np.lexsort((-np.arange(len(steps)), away, slots))
    filled, first = np.unique(slots[order], return_index=True)
    rows = np.full(len(middles), -1)
    rows[filled] = order[first]
    return rows


def _named(first: Steps, second: Steps, rows: tuple[Steps, ...]) -> Steps:
    """The step of each slot: that of the run with fewer of them, or else of the other."""
    runs = [(second, rows[1]), (first, rows[0])]
    runs.sort(key=lambda run: _every(np.unique(run[0])))
    steps = np.empty(len(rows[0]), dtype=np.int64)
    for run, at in runs:
        steps[at >= 0] = run[at[at >= 0]]
    return steps


def _side(run: Recording, layers: tuple[str, ...], rows: Steps, slots: Steps, steps: Steps) -> Side:
    heard = rows >= 0
    columns = np.array([run.layers.index(layer) for layer in layers])
    norms, gaps = np.full((len(rows), len(layers)), np.nan), np.ones((len(rows), len(layers)), dtype=bool)
    norms[heard], gaps[heard] = run.norms[np.ix_(rows[heard], columns)], run.gaps[np.ix_(rows[heard], columns)]
    metrics = {}
    if "loss" in run.metrics:
        metrics["loss"] = np.full(len(rows), np.nan)
        metrics["loss"][heard] = run.metrics["loss"][rows[heard]]
    different = np.unique(run.steps)
    return Side(
        run,
        Recording(layers, steps, norms, metrics, {}, gaps),
        slots,
        heard,
        _every(different),
        len(different) - int(heard.sum()),
        len(run) - len(different),
    )
