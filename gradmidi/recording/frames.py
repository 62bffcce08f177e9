"""A recording as a table of pandas, and such tables as recordings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.recording.columns import listed, twice, whole_numbers
from gradmidi.recording.csv_reader import METRIC_COLUMNS
from gradmidi.recording.names import STEP, columns_of
from gradmidi.recording.recording import Recording
from gradmidi.requirements import require

if TYPE_CHECKING:
    from pandas import DataFrame, Series

ATTRIBUTE = "gradmidi"  # under which a table keeps exact names and metadata
Kept = dict[str, dict[str, str]]


def to_pandas(recording: Recording) -> DataFrame:
    """See :meth:`gradmidi.recording.Recording.to_pandas`."""
    pandas: Any = require("pandas", "pandas")
    columns = columns_of(recording.layers, list(recording.metrics))
    table: dict[str, Any] = dict(zip(columns.metrics, recording.metrics.values(), strict=True))
    for i, column in enumerate(columns.layers):
        values, gaps = recording.norms[:, i].copy(), recording.gaps[:, i].copy()
        table[column] = pandas.arrays.FloatingArray(values, gaps) if gaps.any() else values
    frame = pandas.DataFrame(table, index=pandas.Index(recording.steps, name=STEP))
    frame.attrs[ATTRIBUTE] = {
        "layers": dict(zip(columns.layers, recording.layers, strict=True)),
        "metrics": dict(zip(columns.metrics, recording.metrics, strict=True)),
        "meta": dict(recording.meta),
    }
    return frame


def from_pandas(frame: DataFrame, metrics: Iterable[str] | None) -> Recording:
    """See :meth:`gradmidi.recording.Recording.from_pandas`."""
    pandas: Any = require("pandas", "pandas")
    if not isinstance(frame, pandas.DataFrame):
        raise InputError(f"from_pandas() takes a DataFrame, not {shown(type(frame).__name__)}")
    names = list(map(str, frame.columns))
    if len(set(names)) < len(names):
        raise InputError(f"the table's column {shown(twice(names))} appears twice; rename one")
    at = {name: i for i, name in enumerate(names)}
    steps = frame.iloc[:, at.pop(STEP)] if STEP in at else frame.index
    kept = _kept(frame.attrs.get(ATTRIBUTE))
    wanted = _metric_columns(list(at), metrics, kept)
    layers = [name for name in at if name not in wanted]
    if not layers:
        raise InputError(f"the table has no layer column besides {shown(listed([STEP, *wanted]), 80)}")
    numbers = {name: _numbers(frame.iloc[:, i], name) for name, i in at.items()}
    return Recording(
        tuple(kept["layers"].get(name, name) for name in layers),
        whole_numbers(steps.to_numpy(), "the table's steps"),
        np.stack([numbers[name][0] for name in layers], axis=1),
        {kept["metrics"].get(name, name): numbers[name][0] for name in wanted},
        kept["meta"],
        np.stack([numbers[name][1] for name in layers], axis=1),
    )


def _kept(attribute: object) -> Kept:
    """Exact names by column and the metadata that a table of ours keeps; empty for any other."""
    found = attribute if isinstance(attribute, dict) else {}
    parts = {key: found.get(key) for key in ("layers", "metrics", "meta")}
    return {key: value if isinstance(value, dict) else {} for key, value in parts.items()}


def _metric_columns(names: list[str], metrics: Iterable[str] | None, kept: Kept) -> list[str]:
    """The columns that are metrics, in the table's order.

    Raises:
        InputError: one that was named is missing.
    """
    if metrics is not None:
        named = {metrics} if isinstance(metrics, str) else set(metrics)
        if missing := named - set(names):
            raise InputError(f"the table has no column {shown(min(missing))}; it has {listed(names)}")
        return [name for name in names if name in named]
    if kept["layers"]:
        return [name for name in names if name not in kept["layers"]]
    return [name for name in names if name.lower() in METRIC_COLUMNS]


def _numbers(column: Series[Any], name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers (N,), NaN in missing cells, and the mask (N,) of the missing cells."""
    from pandas import NA

    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "O":
        empty = np.array([value is None or value is NA for value in column], dtype=bool)
    elif isinstance(column.dtype, np.dtype):
        empty = np.zeros(len(column), dtype=bool)  # NaN is a number here
    else:
        empty = column.isna().to_numpy(dtype=bool)
    try:
        if column.dtype.kind in "biufO":
            return column.to_numpy(dtype=np.float64, na_value=np.nan), empty
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"the table's column {shown(name)} does not hold numbers but {column.dtype}; drop it")
