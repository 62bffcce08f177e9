"""JSONL, one object a line, as a log."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradmidi.errors import InputError
from gradmidi.logs.choosing import choose_step
from gradmidi.logs.points import Points, opened, whole_number
from gradmidi.logs.series import Series


class JsonlLog:
    """A file of JSON objects, one a line; the names of nested keys are joined by ``/``.

    Numbers are points, ``"NaN"`` and ``"Infinity"`` as well, which JSON has no numbers for; everything else is no
    column. A line without a step is left out.

    Raises:
        InputError: the file is missing, holds something else, or has no column of steps.
    """

    def __init__(self, path: Path, step: str | None = None) -> None:
        self.source = str(path)
        self.meta = {"title": path.stem, "source": path.name}
        rows = list(_objects(path))
        names = list(dict.fromkeys(name for _, row in rows for name in row))
        if not names:
            raise InputError(f"{path} is empty: it holds no numbers")
        self.step = choose_step(names, step, str(path))
        self.names = [name for name in names if name != self.step]
        self._points: defaultdict[str, Points] = defaultdict(Points)
        for number, row in rows:
            if self.step in row:
                at = whole_number(row[self.step], f"{path}, line {number}", self.step)
                for name, value in row.items():
                    self._points[name].add(at, value)

    def series(self, wanted: Sequence[str]) -> dict[str, Series]:
        """See :class:`gradmidi.logs.series.Log`."""
        return {name: self._points[name].series() for name in wanted}


def _objects(path: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """The numbers of each line by the path of their keys, with the line's number."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
                numbers = dict(_numbers(found)) if isinstance(found, dict) else None
            except (ValueError, OverflowError, RecursionError):
                raise InputError(f"{path}, line {number} is not JSON; one object a line is expected") from None
            if numbers is None:
                raise InputError(f'{path}, line {number} is not a JSON object such as {{"step": 0, "loss": 2.3}}')
            yield number, numbers


def _numbers(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _numbers(inner, f"{prefix}{key}/")
        elif _is_number(inner):
            yield f"{prefix}{key}", float(inner)


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return value.lstrip("+-").lower() in ("nan", "inf", "infinity")
    return isinstance(value, int | float) and not isinstance(value, bool)
