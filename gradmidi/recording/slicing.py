"""Rows of a recording by position, and recordings one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from operator import index
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.recording.columns import LARGEST, listed
from gradmidi.recording.recording import RESUMED, Recording
from gradmidi.recording.row import Row


class _Part(NamedTuple):
    """One of several recordings: its place among those given, counted from 1, and its rows."""

    place: int
    rows: Recording


def taken(recording: Recording, which: slice | NDArray[Any]) -> Recording:
    """The rows that a slice or an array of positions or of booleans picks, in that order.

    A seam moves to the next row that is kept.
    """
    metrics = {name: values[which] for name, values in recording.metrics.items()}
    meta = recording.meta
    if RESUMED in meta:
        meta = _with_seams(meta, _kept_seams(recording, which), recording.steps[which])
    return Recording(
        recording.layers, recording.steps[which], recording.norms[which], metrics, meta, recording.gaps[which]
    )


def row_at(recording: Recording, position: int) -> Row:
    """The row at a position, with its own arrays.

    Raises:
        IndexError: there is no such row.
    """
    count = len(recording)
    if not -count <= position < count:
        raise IndexError(f"there is no row {position}; the recording has {count} rows")
    metrics = {name: float(column[position]) for name, column in recording.metrics.items()}
    return Row(
        int(recording.steps[position]), recording.norms[position].copy(), recording.gaps[position].copy(), metrics
    )


def picked(recording: Recording, which: object) -> Recording | Row:
    """See :meth:`gradmidi.recording.Recording.__getitem__`."""
    if isinstance(which, slice):
        return taken(recording, which)
    if isinstance(which, np.ndarray | list):
        places = np.asarray(which if len(which) else np.empty(0, dtype=np.int64))
        if places.ndim == 1 and places.dtype.kind in "biu":
            return taken(recording, places)
    try:
        return row_at(recording, index(which))  # type: ignore[arg-type]
    except TypeError:
        wanted = "an int, a slice, or an array of positions or booleans"
        raise TypeError(
            f"rows are chosen by {wanted}, not {shown(which)}; for layers see only(), for steps between()"
        ) from None


def between(recording: Recording, first: int | None, last: int | None) -> Recording:
    """See :meth:`gradmidi.recording.Recording.between`."""
    if first is not None and last is not None and first > last:
        raise InputError(f"between({first}, {last}): the first step must not be larger than the last")
    inside = np.ones(len(recording), dtype=bool)
    if first is not None:
        inside &= recording.steps >= first
    if last is not None:
        inside &= recording.steps <= last
    return taken(recording, inside)


def concat(recordings: Iterable[Recording], renumber: bool) -> Recording:
    """See :meth:`gradmidi.recording.Recording.concat`."""
    given = _checked(recordings)
    layers = given[0].layers
    parts = [_Part(place, _in_order(part, layers, place)) for place, part in enumerate(given, 1)]
    parts = [part for part in parts if len(part.rows)]
    steps = _steps([part.rows for part in parts]) if renumber else _increasing(parts)
    rows = [part.rows for part in parts] or given[:1]
    starts = np.cumsum([0, *map(len, rows)])
    seams = [start + seam for start, part in zip(starts, rows, strict=False) for seam in part.seams().tolist()]
    meta: dict[str, str] = {}
    for one in given:
        meta = {**one.meta, **meta}
    whole_steps = np.concatenate(steps) if steps else given[0].steps
    return Recording(
        layers,
        whole_steps,
        np.concatenate([part.norms for part in rows]),
        _metrics(rows),
        _with_seams(meta, np.unique([*seams, *starts[1:-1]]).astype(np.int64), whole_steps),
        np.concatenate([part.gaps for part in rows]),
    )


def _kept_seams(recording: Recording, which: slice | NDArray[Any]) -> NDArray[np.int64]:
    """Positions, among the rows that are picked, of those at or after a seam; empty if rows change their order."""
    rows = np.arange(len(recording))[which]
    if (np.diff(rows) <= 0).any():
        return np.empty(0, dtype=np.int64)
    seams = recording.seams()
    at = np.searchsorted(rows, seams)
    first = rows[0] if len(rows) else 0
    return np.unique(at[(at < len(rows)) & (seams >= first)])


def _with_seams(
    meta: Mapping[str, str], seams: NDArray[np.int64] | Sequence[int], steps: NDArray[np.int64]
) -> dict[str, str]:
    """The metadata of rows with these ``steps``, which were resumed at the positions ``seams``."""
    others = {key: value for key, value in meta.items() if key != RESUMED}
    return {**others, RESUMED: ", ".join(map(str, steps[seams].tolist()))} if len(seams) else others


def _checked(recordings: Iterable[Recording]) -> list[Recording]:
    given = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not given:
        raise InputError("there is no recording to concatenate; give a list of loaded ones")
    for part in given:
        if not isinstance(part, Recording):
            raise InputError(f"{shown(part)} is not a recording; concat([Recording.load(path), ...]) takes loaded ones")
    return given


def _in_order(part: Recording, layers: tuple[str, ...], place: int) -> Recording:
    """The recording with its layers in the order of the first one's."""
    if part.layers == layers:
        return part
    for missing, where in ((set(layers) - set(part.layers), "not in"), (set(part.layers) - set(layers), "only in")):
        if missing:
            names = listed(sorted(missing))
            raise InputError(
                f"all recordings must have the same layers, but {shown(names, 80)} is {where} recording {place}; "
                "choose those that all have with only([...])"
            )
    order = [part.layers.index(layer) for layer in layers]
    return Recording(layers, part.steps, part.norms[:, order], part.metrics, part.meta, part.gaps[:, order])


def _increasing(parts: Sequence[_Part]) -> list[NDArray[np.int64]]:
    """The steps unchanged.

    Raises:
        InputError: a recording does not begin after the one before it.
    """
    for before, part in pairwise(parts):
        last, first = int(before.rows.steps[-1]), int(part.rows.steps[0])
        if first <= last:
            cut = f", or cut the other with between(None, {first - 1})" if first > before.rows.steps[0] else ""
            raise InputError(
                f"recording {part.place} begins at step {first}, but recording {before.place} ends at step {last}; "
                f"to count on from there give renumber=True{cut}"
            )
    return [part.rows.steps for part in parts]


def _steps(parts: Sequence[Recording]) -> list[NDArray[np.int64]]:
    """The steps, those of each later recording moved so that it begins after the last one before it."""
    found: list[NDArray[np.int64]] = []
    for part in parts:
        move = int(found[-1][-1]) + 1 - int(part.steps[0]) if found else 0
        if not -LARGEST - 1 <= move <= LARGEST or int(part.steps.max()) + move > LARGEST:
            raise InputError("the steps would be beyond 64 bits; give recordings with smaller ones")
        found.append(part.steps + move)
    return found


def _metrics(parts: Sequence[Recording]) -> dict[str, NDArray[np.float64]]:
    """Every metric that one of them has, nan where the others do not."""
    names = dict.fromkeys(name for part in parts for name in part.metrics)
    return {
        name: np.concatenate([part.metrics.get(name, np.full(len(part), np.nan)) for part in parts]) for name in names
    }
