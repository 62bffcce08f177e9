"""Which regime a run is in, from five seconds: by sound in each room, and by the true numbers, the ceiling."""

from __future__ import annotations

import argparse
import hashlib
import pickle
from pathlib import Path

import numpy as np

from benchmarks.hearing.features import of_numbers, of_sound
from benchmarks.hearing.listener import Told, confusion, leave_one_out
from benchmarks.hearing.rooms import heard_in
from benchmarks.hearing.segments import HEALTHY, NOISY, REGIMES, Segment, segments
from benchmarks.hearing.sounding import SINE, Pieces, sounding

NUMBERS = "numbers"


def regimes(options: argparse.Namespace) -> None:
    """Print the tables."""
    learn = list(segments(options.data, held_out=False, runs=options.runs))
    ask = list(segments(options.data, held_out=True, runs=options.runs)) if options.held_out else learn
    print(f"{len(learn)} segments to learn from, {len(ask)} to tell:", _count(ask))
    names = [name for name in (NUMBERS, *options.sounds.split(",")) if name]
    print("| heard | room | new kinds: accuracy | balanced | noisy, not healthy | new nets: accuracy | balanced |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for name in names:
        for room in [""] if name == NUMBERS else options.rooms.split(","):
            known, new = (features(part, name, room, options.cache) for part in (learn, ask))
            kinds = told(known, learn, new, ask, "kind", options.model)
            nets = told(known, learn, new, ask, "arch", options.model)
            noisy = _noisy(kinds)
            print(
                f"| {name} | {room} | {kinds.accuracy:.3f} | {kinds.balanced:.3f} | {noisy:.3f} | "
                f"{nets.accuracy:.3f} | {nets.balanced:.3f} |",
                flush=True,
            )
            if options.confusion:
                print(confusion(kinds))


def told(known: np.ndarray, learn: list[Segment], new: np.ndarray, ask: list[Segment], by: str, model: str) -> Told:
    """The listener's answers, with one kind of run or one architecture left out at a time."""
    groups = [[_group(one, by) for one in part] for part in (learn, ask)]
    regime = [[one.regime for one in part] for part in (learn, ask)]
    return leave_one_out(known, regime[0], groups[0], new, regime[1], groups[1], model)


def features(part: list[Segment], name: str, room: str, cache: Path | None) -> np.ndarray:
    """Features (K, F), kept in a folder ``cache`` from one call to the next."""
    key = repr([(one.run.name, one.first, one.last) for one in part] + [name, room])
    place = None if cache is None else cache / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.pickle"
    if place is not None and place.exists():
        return np.asarray(pickle.loads(place.read_bytes()))
    pieces = None if name in (NUMBERS, SINE) else Pieces(name)
    found = np.array([_features(one, pieces, name, room) for one in part])
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(pickle.dumps(found))
    return found


def _features(one: Segment, pieces: Pieces | None, name: str, room: str) -> np.ndarray:
    if name == NUMBERS:
        past = one.run.recording.rows(0, max(one.first, 5))
        return of_numbers(one.rows, past)
    return of_sound(heard_in(room, sounding(one, pieces), seed=one.first))


def _group(one: Segment, by: str) -> str:
    return one.run.truth.arch if by == "arch" else one.run.truth.fault


def _count(part: list[Segment]) -> str:
    return ", ".join(f"{sum(one.regime == name for one in part)} {name}" for name in REGIMES)


def _noisy(answers: Told) -> float:
    """Of the noisy segments, how many were not taken for healthy ones."""
    at = answers.true == NOISY
    return float((answers.said[at] != HEALTHY).mean()) if at.any() else float("nan")
