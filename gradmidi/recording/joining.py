"""Recordings of the ranks of one run, joined side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.recording.recording import Recording

RANK = "rank"  # the key of the metadata under which a recording says which rank made it
ALIKE = 1e-5  # relative difference allowed between two ranks


@dataclass
class _Column:
    """One layer or metric over the N rows of the joined recording, as measured identically by one or more ranks.

    Attributes:
        places: which of the recordings have it.
        values: (N,) nan where there is no value.
        gaps: (N,) bool, True where there is no value.
        there: (N,) bool, False at steps that none of the recordings has.
    """

    name: str
    places: list[int]
    values: NDArray[np.float64]
    gaps: NDArray[np.bool_]
    there: NDArray[np.bool_]

    def take_in(self, other: _Column) -> None:
        self.places += other.places
        self.values = np.where(self.gaps, other.values, self.values)
        self.gaps &= other.gaps
        self.there |= other.there


def join(recordings: Iterable[Recording]) -> Recording:
    """See :meth:`gradmidi.recording.Recording.join`."""
    parts, ranks = _in_order(recordings)
    prefixes = [f"rank{rank}." for rank in ranks]
    steps, rows = _aligned(parts)
    found = [
        _column(name, place, part.norms[:, i], part.gaps[:, i], rows[place], len(steps))
        for place, part in enumerate(parts)
        for i, name in enumerate(part.layers)
    ]
    layers = _named(_together(found, _same_layer), prefixes, first_keeps_its_name=False)
    called = {(place, column.name): name for name, column in layers.items() for place in column.places}
    numbers = [
        _column(_with_layer(name, place, called), place, values, np.isnan(values), rows[place], len(steps))
        for place, part in enumerate(parts)
        for name, values in part.metrics.items()
    ]
    metrics = _named(_together(numbers, _no_conflict), prefixes, first_keeps_its_name=True)
    return Recording(
        tuple(layers),
        steps,
        np.stack([column.values for column in layers.values()], axis=1),
        {name: column.values for name, column in metrics.items()},
        _meta(parts, prefixes),
        np.stack([column.gaps for column in layers.values()], axis=1),
    )


def _in_order(recordings: Iterable[Recording]) -> tuple[list[Recording], list[int]]:
    """Sorted by rank if each states its rank, as file names sort ``rank10`` before ``rank2``; otherwise as given."""
    parts = list(recordings)
    if not parts:
        raise InputError("there is no recording to join; give those of the ranks, such as norms.rank0.csv, loaded")
    for part in parts:
        if not isinstance(part, Recording):
            raise InputError(f"{part!r} is not a recording; load it first: join([Recording.load(path), ...])")
    ranks = [part.meta.get(RANK, "") for part in parts]
    if not all(rank.isdecimal() and len(rank) < 10 for rank in ranks) or len(set(ranks)) < len(ranks):
        return parts, list(range(len(parts)))
    numbers = sorted(map(int, ranks))
    return sorted(parts, key=lambda part: int(part.meta[RANK])), numbers


def _aligned(parts: Sequence[Recording]) -> tuple[NDArray[np.int64], list[NDArray[np.intp]]]:
    """The steps (N,) of all recordings, and for each of them which of the N its rows are.

    A resumed run counts some steps twice: when the count goes back, a new stretch begins. Rows of the same stretch and
    step belong together.
    """
    keys = []
    for part in parts:
        stretch = np.cumsum(np.diff(part.steps, prepend=part.steps[:1] - 1) <= 0)
        keys.append(np.stack([stretch, part.steps], axis=1))
    every, inverse = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return every[:, 1], np.split(inverse.ravel(), ends)


def _column(
    name: str,
    place: int,
    values: NDArray[np.float64],
    gaps: NDArray[np.bool_],
    rows: NDArray[np.intp],
    size: int,
) -> _Column:
    column = _Column(name, [place], np.full(size, np.nan), np.ones(size, dtype=bool), np.zeros(size, dtype=bool))
    column.values[rows] = values
    column.gaps[rows] = gaps
    column.there[rows] = True
    return column


def _together(columns: Iterable[_Column], alike: Callable[[_Column, _Column], bool]) -> list[_Column]:
    """Merge columns of one name with the same contents; in the order of ranks, then of columns."""
    found: dict[str, list[_Column]] = {}
    order = []
    for column in columns:
        namesakes = found.setdefault(column.name, [])
        one = next((one for one in namesakes if alike(one, column)), None)
        if one is None:
            namesakes.append(column)
            order.append(column)
        else:
            one.take_in(column)
    return order


def _same_layer(one: _Column, other: _Column) -> bool:
    """Whether two ranks measured the same thing, as the replicas of data parallelism do, rather than namesakes."""
    both = one.there & other.there
    if not np.array_equal(one.gaps[both], other.gaps[both]):
        return False
    measured = both & ~one.gaps
    a, b = one.values[measured], other.values[measured]
    telling = np.isfinite(a) & (a != 0)
    return bool(telling.any()) and _equal(a, b)


def _no_conflict(one: _Column, other: _Column) -> bool:
    both = ~one.gaps & ~other.gaps
    return _equal(one.values[both], other.values[both])


def _equal(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool(np.isclose(a, b, rtol=ALIKE, atol=0, equal_nan=True).all())


def _named(columns: Iterable[_Column], prefixes: Sequence[str], first_keeps_its_name: bool) -> dict[str, _Column]:
    """Columns by name; different columns of one name get the prefix of the first rank that has them."""
    columns = list(columns)
    bare = {name for name, uses in Counter(column.name for column in columns).items() if uses == 1}
    named: dict[str, _Column] = {}
    for column in columns:
        alone = column.name in bare or (first_keeps_its_name and column.name not in named)
        name = column.name if alone else prefixes[column.places[0]] + column.name
        if name in named:
            raise InputError(
                f"two ranks have {column.name!r}, and {name!r} is taken as well; rename one of them before joining"
            )
        named[name] = column
    return named


def _with_layer(metric: str, place: int, called: Mapping[tuple[int, str], str]) -> str:
    """``weight_norm 0`` → ``weight_norm rank1.0`` if that is the layer's name now."""
    quantity, space, layer = metric.partition(" ")
    return quantity + space + called.get((place, layer), layer)


def _meta(parts: Sequence[Recording], prefixes: Sequence[str]) -> dict[str, str]:
    meta: dict[str, str] = {}
    for part, prefix in zip(parts, prefixes, strict=True):
        for key, value in part.meta.items():
            if key != RANK and meta.setdefault(key, value) != value:
                meta[prefix + key] = value
    return meta
