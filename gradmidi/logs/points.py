"""Points that are read one after the other, of any number of columns, kept in 20 bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown

EXACT = 2**53  # from here on a float may stand for its neighbours, so it cannot be a step
MOST_COLUMNS = 2**20  # no model has a million layers
LONGEST_NAME = 10_000  # characters
MOST_LETTERS = 2**24  # of all names together, in addition to the size of the file


class Points(NamedTuple):
    """Points in the order in which they were written.

    Attributes:
        columns: (P,) index of the wanted column of each.
        steps: (P,) int64.
        values: (P,) float64.
    """

    columns: NDArray[np.int64]
    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def steps_of(self, count: int) -> NDArray[np.int64]:
        """See :class:`gradmidi.logs.series.Part`."""
        return np.unique(self.steps[self.columns < count])

    def put(self, steps: NDArray[np.int64], values: NDArray[np.float64], known: NDArray[np.bool_]) -> None:
        """See :class:`gradmidi.logs.series.Part`."""
        rows = np.searchsorted(steps, self.steps)
        fits = rows < len(steps)
        fits[fits] = steps[rows[fits]] == self.steps[fits]
        rows, columns = rows[fits], self.columns[fits]
        values[rows, columns] = self.values[fits]  # of several at one position NumPy keeps the last
        known[rows, columns] = True


class PointStore:
    """Points by the names of their columns, which need not be known in advance.

    Args:
        source: what messages call the log.
        size: bytes that the log has, which bounds how long its names can be together.
    """

    def __init__(self, source: str, size: int) -> None:
        self._source = source
        self._letters_left = MOST_LETTERS + 4 * size
        self._numbers: dict[str, int] = {}  # of the columns
        self._columns, self._steps, self._values = array("i"), array("q"), array("d")
        self._restarts: list[tuple[int, int, int]] = []  # from which point on, at which point, from which step on

    def __len__(self) -> int:
        return len(self._values)

    @property
    def names(self) -> list[str]:
        """All columns, in the order of their first points."""
        return list(self._numbers)

    def add(self, name: str, step: int, value: float) -> None:
        """One more point.

        Raises:
            InputError: there are too many columns for a log of a training, or their names are too long.
        """
        number = self._numbers.get(name)
        if number is None:
            number = self._new(name)
        self._columns.append(number)
        self._steps.append(step)
        self._values.append(value)

    def restart(self, since: int, step: int) -> None:
        """Points that were added since the one numbered ``since`` count only before ``step``; later ones all do."""
        self._restarts.append((since, len(self), step))

    def points(self, wanted: Sequence[str]) -> Points:
        """The points of some columns."""
        place = np.full(len(self._numbers), -1)
        for at, name in enumerate(wanted):
            if name in self._numbers:
                place[self._numbers[name]] = at
        columns = place[np.frombuffer(self._columns, dtype=np.int32)]
        steps, values = np.frombuffer(self._steps, dtype=np.int64), np.frombuffer(self._values)
        kept = columns >= 0
        for since, stop, limits in self._forgotten():
            kept[since:stop] &= steps[since:stop] < limits
        return Points(columns[kept], steps[kept], values[kept])

    def _forgotten(self) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
        """Stretches of points, and for each point the step from which on a later restart wrote them again."""
        for since, found in groupby(self._restarts, key=lambda restart: restart[0]):
            ends, limits = np.array([(end, step) for _, end, step in found]).T
            least = np.minimum.accumulate(limits[::-1])[::-1]
            yield since, ends[-1], least[np.searchsorted(ends, np.arange(since, ends[-1]), side="right")]

    def _new(self, name: str) -> int:
        self._letters_left -= len(name)
        if len(self._numbers) >= MOST_COLUMNS:
            raise InputError(f"{self._source}: more than {MOST_COLUMNS:,} columns are not supported")
        if self._letters_left < 0 or len(name) > LONGEST_NAME:
            what = (
                f"{shown(name)}, a name of {len(name):,} characters"
                if self._letters_left >= 0
                else "far too long names"
            )
            raise InputError(f"{self._source}: it has {what}; it is not the log of a run")
        return self._numbers.setdefault(name, len(self._numbers))
