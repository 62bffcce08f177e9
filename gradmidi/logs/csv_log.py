"""CSV of any shape as a log."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gradmidi.errors import InputError
from gradmidi.logs.choosing import choose_step
from gradmidi.logs.points import Points, opened, whole_number
from gradmidi.logs.series import Series
from gradmidi.number_blocks import PANDAS_BYTES, NumberReader
from gradmidi.recording_load import read_head


class CsvLog:
    """A CSV with a column of steps; comma, semicolon or tab; ``#`` lines on top are left out.

    An empty cell is no point. A row without a step is left out, as tables are that several loggers wrote into.

    Raises:
        InputError: the file is missing, empty or not text, or has no column of steps.
    """

    def __init__(self, path: Path, step: str | None = None) -> None:
        self.source = str(path)
        self.meta = {"title": path.stem, "source": path.name}
        self._path = path
        with opened(path) as file:
            self._head = read_head(file, path)
        where = f"{path}, line {self._head.lines}"
        twice = {name for name in self._head.names if self._head.names.count(name) > 1}
        if twice:
            raise InputError(f"{where}: the column {min(twice)!r} stands there twice; rename one")
        self.step = choose_step(self._head.names, step, where)
        self.names = [name for name in self._head.names if name != self.step]

    def series(self, wanted: Sequence[str]) -> dict[str, Series]:
        """See :class:`gradmidi.logs.series.Log`.

        Raises:
            InputError: a cell of these columns is not a number, or a line is cut short.
        """
        try:
            return self._by_block(wanted)
        except InputError:  # cells of other columns may well be text; what is wrong with these is found row by row
            return self._by_row(wanted)

    def _by_block(self, wanted: Sequence[str]) -> dict[str, Series]:
        """A table that holds nothing but numbers, several times as fast."""
        at = [self._head.names.index(name) for name in (self.step, *wanted)]
        large = self._path.stat().st_size >= PANDAS_BYTES
        with opened(self._path) as file:
            head = read_head(file, self._path)
            reader = NumberReader(file, self.source, head.names, head.delimiter, large)
            blocks = [(block.values[:, at], block.empty[:, at]) for block in reader.blocks()]
        if not blocks:
            return {name: Points().series() for name in wanted}
        values, empty = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        steps, has_step = values[:, 0], ~empty[:, 0]
        if not (np.abs(steps[has_step]) < 2**53).all() or (steps[has_step] % 1 != 0).any():
            raise InputError(f"{self.source}: not whole numbers")
        found = {}
        for column, name in enumerate(wanted, 1):
            rows = has_step & ~empty[:, column]
            found[name] = Series(steps[rows].astype(np.int64), values[rows, column])
        return found

    def _by_row(self, wanted: Sequence[str]) -> dict[str, Series]:
        all_names = self._head.names
        at = [(all_names.index(name), name, Points()) for name in wanted]
        step_at = all_names.index(self.step)
        for number, cells in self._rows():
            where = f"{self._path}, line {number}"
            if len(cells) != len(all_names):
                wrong = f"{len(cells)} columns where the header has {len(all_names)}"
                raise InputError(f"{where}: {wrong}; the line is cut short?")
            if not cells[step_at].strip():
                continue
            step = whole_number(_number(cells[step_at], where, self.step), where, self.step)
            for index, name, points in at:
                cell = cells[index]
                if cell and not cell.isspace():
                    points.add(step, _number(cell, where, name))
        return {name: points.series() for _, name, points in at}

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with self._path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for _ in range(self._head.lines):
                file.readline()
            reader = csv.reader(file, delimiter=self._head.delimiter)
            try:
                for cells in reader:
                    if cells and not cells[0].startswith("#"):
                        yield self._head.lines + reader.line_num, cells
            except csv.Error as error:
                raise InputError(f"{self._path}, line {self._head.lines + reader.line_num}: {error}") from None


def _number(cell: str, where: str, column: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"{where}, column {column!r}: {cell.strip()[:40]!r} is not a number") from None
