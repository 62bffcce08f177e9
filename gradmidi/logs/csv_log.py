"""CSV of any shape as a log."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.logs.choosing import choose_step
from gradmidi.logs.points import EXACT, Points, PointStore
from gradmidi.logs.series import Part
from gradmidi.logs.text import begin_of
from gradmidi.logs.unreadable import check_file
from gradmidi.printable import shown
from gradmidi.recording.columns import twice
from gradmidi.recording.csv_reader import read_head
from gradmidi.recording.number_blocks import PANDAS_BYTES, NumberReader, csv_reason

AT_ONCE = 2**18  # cells that are processed at once
WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
HISTOGRAM = "{'_type': 'histogram'"  # how a cell begins that holds one from Weights & Biases


class Rows(NamedTuple):
    """Rows of a table: ``steps`` (n,), ``values`` (n, C), and ``known`` (n, C), where there is a number."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    known: NDArray[np.bool_]

    def steps_of(self, count: int) -> NDArray[np.int64]:
        """See :class:`gradmidi.logs.series.Part`."""
        return np.unique(self.steps[self.known[:, :count].any(axis=1)])

    def put(self, steps: NDArray[np.int64], values: NDArray[np.float64], known: NDArray[np.bool_]) -> None:
        """See :class:`gradmidi.logs.series.Part`."""
        length = max(1, AT_ONCE // self.known.shape[1])
        for begin in range(0, len(self.steps), length):
            part = slice(begin, begin + length)
            rows, columns = np.nonzero(self.known[part])
            Points(columns, self.steps[part][rows], self.values[part][rows, columns]).put(steps, values, known)


class CsvLog:
    """A CSV with a column of steps; comma, semicolon or tab; ``#`` lines at the top are skipped.

    An empty cell is not a point. A row without a step is skipped, as occurs in tables that several loggers wrote.

    Args:
        source: the file.
        step: the column that counts steps; by default one with a known name.
        title: of the recording; by default the file's name.

    Raises:
        InputError: the file is empty or not text, or has no column of steps, or the same column twice.
    """

    def __init__(self, source: Source, step: str | None = None, title: str | None = None) -> None:
        self.source, self.size = source.name, source.size
        self.meta = {"title": title or source.path.stem, "source": source.path.name}
        self.notices: list[str] = []
        self.histograms: list[str] = []
        check_file(source, begin_of(source))
        self._file = source
        with source.opened() as file:
            self._head = read_head(file, source.name)
        where = f"{source.name}, line {self._head.lines}"
        self._at = {name: i for i, name in enumerate(self._head.names)}
        if len(self._at) < len(self._head.names):
            raise InputError(f"{where}: the column {shown(twice(self._head.names))} appears twice; rename one")
        self.step = choose_step(self._head.names, step, where)
        self.names = [name for name in self._head.names if name != self.step]

    def parts(self, wanted: Sequence[str]) -> Sequence[Part]:
        """See :class:`gradmidi.logs.series.Log`.

        Raises:
            InputError: a cell of these columns is not a number, or a line is cut short.
        """
        columns = [self._at[name] for name in wanted]
        try:
            return list(self._by_block(columns))
        except InputError:  # cells of other columns may be text; errors in these are found row by row
            return [self._by_row(columns)]

    def _by_block(self, columns: Sequence[int]) -> Iterator[Rows]:
        """Reads a table that contains only numbers, several times as fast."""
        step, head = self._at[self.step], self._head
        with self._file.opened() as file:
            read_head(file, self.source)
            reader = NumberReader(file, self.source, head.names, head.delimiter, self.size >= PANDAS_BYTES)
            for block in reader.blocks():
                steps, has_step = block.values[:, step], ~block.empty[:, step]
                if not (np.abs(steps[has_step]) < EXACT).all() or (steps[has_step] % 1 != 0).any():
                    raise InputError(f"{self.source}: not whole numbers that a float holds")
                values, known = block.values[:, columns], ~block.empty[:, columns]
                yield Rows(steps[has_step].astype(np.int64), values[has_step], known[has_step])

    def _by_row(self, columns: Sequence[int]) -> Points:
        names, step_at = self._head.names, self._at[self.step]
        store = PointStore(self.source, self.size)
        for number, cells in self._rows():
            where = f"{self.source}, line {number}"
            if len(cells) != len(names):
                wrong = f"{len(cells)} columns where the header has {len(names)}"
                raise InputError(f"{where}: {wrong}; the line is cut short?")
            if not cells[step_at].strip():
                continue
            step = _step(cells[step_at], where, self.step)
            for at in columns:
                cell = cells[at]
                if cell and not cell.isspace():
                    store.add(names[at], step, _number(cell, where, names[at]))
        return store.points([names[at] for at in columns])

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        before = self._head.lines
        with self._file.opened() as file:
            read_head(file, self.source)
            lines = (line.decode("utf-8", errors="replace") for line in file)
            reader = csv.reader(lines, delimiter=self._head.delimiter)
            try:
                for cells in reader:
                    if cells and not cells[0].startswith("#"):
                        yield before + reader.line_num, cells
            except csv.Error as error:
                raise InputError(f"{self.source}, line {before + reader.line_num}: {csv_reason(error)}") from None


def _number(cell: str, where: str, column: str) -> float:
    try:
        return float(cell)
    except ValueError:
        if cell.startswith(HISTOGRAM):
            wrong = "holds histograms, not norms; choose other columns, or attach gradmidi to the next run"
            raise InputError(f"{where}: the column {shown(column)} {wrong}") from None
        raise InputError(f"{where}, column {shown(column)}: {shown(cell.strip())} is not a number") from None


def _step(cell: str, where: str, column: str) -> int:
    """A whole number of 64 bits, exactly, also where it is written as ``1e3`` or ``1000.0``."""
    cell = cell.strip()
    if WHOLE.fullmatch(cell) and -(2**63) <= int(cell) < 2**63:
        return int(cell)
    value = _number(cell, where, column)
    if not abs(value) < EXACT or value % 1 != 0:
        raise InputError(f"{where}: the column {shown(column)} must hold whole numbers, not {shown(cell)}")
    return int(value)
