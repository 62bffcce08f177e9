"""Making the clinic's recordings: what is missing in a folder is trained, then all of it is judged."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.clinic.faults import FAULTS, SEEDS, held_out, nudge
from benchmarks.clinic.healthy import HEALTHY, NUDGED, TWIN, seeds
from benchmarks.clinic.runs import load, path_of, save, save_truths
from benchmarks.clinic.training import Training
from benchmarks.clinic.truth import Truth, harm, shown
from benchmarks.clinic.wards import WARDS
from gradmidi.recording import Recording

FIRST_SEEDS = (2, 0, 3, 1, 4)  # a fault in the middle and one from the start, then the others in pairs


class Order(NamedTuple):
    """A run that is to be made: architecture, kind (a fault or a healthy one), seed."""

    arch: str
    kind: str
    seed: int

    @property
    def name(self) -> str:
        """What the run is called."""
        return ".".join(map(str, self))

    @property
    def twin(self) -> Order:
        """The healthy run that it is compared with."""
        return self._replace(kind=TWIN)


def orders() -> list[Order]:
    """All runs, those of two seeds first, so that a part of the clinic is soon of use."""
    healthy = [Order(arch, kind, seed) for kind in HEALTHY for seed in seeds(kind) for arch in WARDS]
    faulty = [Order(arch, name, seed) for name, fault in FAULTS.items() for seed in SEEDS for arch in fault.wards]
    return sorted([*healthy, *faulty], key=lambda order: FIRST_SEEDS.index(order.seed) // 2)


def perform(order: Order) -> Recording:
    """Train and record a run."""
    ward = WARDS[order.arch]
    if order.kind in HEALTHY:
        recipe = HEALTHY[order.kind](ward.recipe)
        return Training(ward, recipe, order.seed).record(recipe.steps, 0, nudge if order.kind == NUDGED else None)
    fault = FAULTS[order.kind]
    training = Training(ward, ward.recipe, order.seed)
    return training.record(fault.steps, fault.onset(order.arch, order.seed), fault.change)


def make(folder: Path, jobs: int, only: str) -> None:
    """Make what is missing, say how far it is, and judge what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [order for order in orders() if fnmatchcase(order.name, only)]
    wanted = list(dict.fromkeys([*(order.twin for order in named), *named]))
    missing = [order for order in wanted if not path_of(folder, order.name).exists()]
    print(f"{len(wanted)} runs, {len(wanted) - len(missing)} of them are there", file=sys.stderr)
    begun = time.monotonic()
    with get_context("spawn").Pool(jobs, _alone) as pool:
        for done, name in enumerate(pool.imap_unordered(partial(_make, folder), missing), 1):
            took = time.monotonic() - begun
            rest = took / done * (len(missing) - done)
            print(f"{done}/{len(missing)} {name}: {took:.0f} s, {rest:.0f} s to go", file=sys.stderr, flush=True)
    judge(folder)


def judge(folder: Path) -> None:
    """Compare every run that is there with its twin, and write what is known of them all."""
    save_truths(folder, dict(_truths(folder)))


def _truths(folder: Path) -> Iterator[tuple[str, Truth]]:
    for order in orders():
        fault, path = FAULTS.get(order.kind), path_of(folder, order.name)
        twin = path_of(folder, order.twin.name)
        if not path.exists() or not twin.exists():
            continue
        onset = fault.onset(order.arch, order.seed) if fault else None
        layers = fault.layers(WARDS[order.arch]) if fault else ()
        healthy = Truth(*order, onset, layers, {}, held_out(*order))
        yield order.name, healthy if onset is None else _compared(healthy, load(path), load(twin), onset)


def _compared(truth: Truth, run: Recording, twin: Recording, onset: int) -> Truth:
    return truth._replace(shown=shown(run, twin, onset), harm=harm(run, twin))


def _make(folder: Path, order: Order) -> str:
    save(perform(order), path_of(folder, order.name))
    return order.name


def _alone() -> None:
    """One thread per process, and no detour for numbers below 1e-38, which make a step ten times as slow."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
