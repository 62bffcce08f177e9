"""Lines of numbers → tables, block by block: the size of a file affects the time needed, not the memory.

The fast parsers do not support empty cells, so these are filled in first. What they refuse is read cell by cell,
which is slow but can say which cell is wrong.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown

BLOCK_BYTES = 2**21  # a block briefly takes about thirty times as much
# Importing pandas takes half a second; above this size its parser, three times as fast as NumPy's, makes up for it.
PANDAS_BYTES = 2**26
COMMENT, COMMENT_LINE = re.compile(rb"(?m)^#[^\n]*"), re.compile(rb"(?m)^#[^\n]*\n?")
NONE = re.compile(rb"(?!)")

Parser = Callable[[bytes, str], NDArray[np.float64]]


class Block(NamedTuple):
    """Rows of numbers.

    Attributes:
        values: (n, C) float64, nan where ``empty`` (n, C) bool says that the cell is empty.
        whole: (n,) int64, the exact numbers of the column that must hold integers; (0,) if there is no such column.
    """

    values: NDArray[np.float64]
    empty: NDArray[np.bool_]
    whole: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass
class NumberReader:
    """Reads the lines of an open file from its current position.

    Args:
        file: open for bytes; UTF-8, ``\\n`` or ``\\r\\n``.
        name: the file's name in messages.
        columns: names of the C columns, for messages.
        delimiter: one character.
        large: the file is large enough to import pandas for it, if it is installed.
        whole: position of the column that must hold integers, such as the step, if there is one.
        comment: pattern for lines between the rows that begin with ``#``; its group is kept.

    Attributes:
        comments: matches of ``comment`` in the part read so far.
    """

    file: BinaryIO
    name: str
    columns: Sequence[str]
    delimiter: str
    large: bool = False
    whole: int | None = None
    comment: re.Pattern[bytes] = NONE
    comments: list[str] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        """The rows; empty lines are left out.

        Raises:
            InputError: a cell is not a number, or not a 64-bit integer where one is required, or a line has more or
                fewer cells than there are columns.
        """
        parse = _by_pandas if self.large and _has_pandas() else _by_numpy
        has_empty_cells = False  # if one block has some, the next ones will
        while lines := self.file.read(BLOCK_BYTES):
            lines += self.file.readline()
            begin = self.file.tell() - len(lines)
            if b"\r" in lines:
                lines = lines.replace(b"\r\n", b"\n")
            rows = self._without_comments(lines) if b"#" in lines else lines
            if rows and not rows.isspace():
                even = self._even(rows)
                block = None if has_empty_cells or even is None else self._without_empty_cells(even, parse)
                if block is None and even is not None:
                    block = self._with_empty_cells(even, parse)
                    has_empty_cells = block is not None
                yield self._with_whole(block or self._cell_by_cell(lines, begin), lines, begin)

    def _without_comments(self, lines: bytes) -> bytes:
        self.comments += (found[1].decode("utf-8", errors="replace") for found in self.comment.finditer(lines))
        return COMMENT_LINE.sub(b"", lines)

    def _even(self, lines: bytes) -> bytes | None:
        """The lines without blank ones and decimal commas, each with its end; ``None`` if not all can have C cells.

        A fast parser would need too much memory for a single line with a hundred million cells.
        """
        rows = lines if lines.endswith(b"\n") else lines + b"\n"
        if b"\n\n" in rows or rows.startswith(b"\n"):
            rows = re.sub(rb"\n\n+", b"\n", rows).lstrip(b"\n")
        if self.delimiter != ",":
            rows = rows.replace(b",", b".")
        cells = rows.count(self.delimiter.encode()) + rows.count(b"\n")
        return rows if cells == rows.count(b"\n") * len(self.columns) else None

    def _without_empty_cells(self, lines: bytes, parse: Parser) -> Block | None:
        """The table, or ``None`` if the parser refuses it."""
        try:
            values = parse(lines, self.delimiter)
        except ValueError:
            return None
        return Block(values, np.zeros(values.shape, dtype=bool)) if values.shape[1] == len(self.columns) else None

    def _with_empty_cells(self, lines: bytes, parse: Parser) -> Block | None:
        """The same with ``nan`` in the empty cells, which are those between consecutive separators."""
        cut, end = self.delimiter.encode(), b"\n"
        letters = np.frombuffer(lines, dtype=np.uint8)
        separators = np.flatnonzero((letters == cut[0]) | (letters == end[0]))
        empty = np.diff(separators, prepend=-1) == 1
        for left, right in ((cut, cut), (cut, cut), (cut, end), (end, cut)):
            lines = lines.replace(left + right, left + b"nan" + right)
        block = self._without_empty_cells(b"nan" * lines.startswith(cut) + lines, parse)
        empty = empty.reshape(-1, len(self.columns))
        return block and (Block(block.values, empty) if block.values.shape == empty.shape else None)

    def _with_whole(self, block: Block, lines: bytes, offset: int) -> Block:
        """The block with its integers, read from the text if a float cannot hold them."""
        if self.whole is None:
            return block
        numbers = block.values[:, self.whole]
        if (np.abs(numbers) < 2**53).all() and (numbers == np.floor(numbers)).all():
            return block._replace(whole=numbers.astype(np.int64))
        column = self.columns[self.whole]
        exact = [self._whole_number(where, column, cells[self.whole]) for where, cells in self._rows(lines, offset)]
        return block._replace(whole=np.array(exact, dtype=np.int64))

    def _cell_by_cell(self, lines: bytes, offset: int) -> Block:
        rows = []
        for where, cells in self._rows(lines, offset):
            if len(cells) != len(self.columns):
                wrong = f"{len(cells)} columns where the header has {len(self.columns)}"
                raise InputError(f"{where}: {wrong}; the line is cut short?")
            rows.append([self._number(where, name, cell) for name, cell in zip(self.columns, cells, strict=True)])
        empty = np.array([[cell is None for cell in row] for row in rows])
        values = np.array([[np.nan if cell is None else cell for cell in row] for row in rows])
        return Block(values, empty)

    def _rows(self, lines: bytes, offset: int) -> Iterator[tuple[str, list[str]]]:
        """The cells of each row, and its location."""
        before = self._line_at(offset) - 1
        text = io.StringIO(COMMENT.sub(b"", lines).decode("utf-8", errors="replace"))
        reader = csv.reader(text, delimiter=self.delimiter)
        try:
            for cells in reader:
                if cells:
                    yield f"{self.name}, line {before + reader.line_num}", cells
        except csv.Error as error:
            raise InputError(f"{self.name}, line {before + reader.line_num}: {csv_reason(error)}") from None

    def _number(self, where: str, column: str, cell: str) -> float | None:
        """``None`` for an empty cell; ``2,3`` is 2.3 if the comma is not the delimiter, as spreadsheets write it."""
        if not cell.strip():
            return None
        try:
            return float(cell if self.delimiter == "," else cell.replace(",", "."))
        except ValueError:
            raise InputError(f"{where}, column {shown(column)}: {shown(cell.strip())} is not a number") from None

    def _whole_number(self, where: str, column: str, cell: str) -> int:
        try:
            number = Decimal(cell.strip() if self.delimiter == "," else cell.strip().replace(",", "."))
        except ArithmeticError:  # raised by decimal for text that is not a number
            number = Decimal("nan")
        # The size is checked first, as 1e999999999 is a finite integer that no memory holds.
        fits = number.is_finite() and number.adjusted() < 19 and number == number.to_integral_value()
        if not fits or not -(2**63) <= int(number) < 2**63:
            raise InputError(
                f"{where}: the column {shown(column)} must hold whole numbers of 64 bits, not {shown(cell)}"
            )
        return int(number)

    def _line_at(self, offset: int) -> int:
        """Number of the line that begins there; counted only for error messages."""
        here = self.file.tell()
        self.file.seek(0)
        count = 0
        while self.file.tell() < offset:
            count += self.file.read(min(BLOCK_BYTES, offset - self.file.tell())).count(b"\n")
        self.file.seek(here)
        return 1 + count


def csv_reason(error: csv.Error) -> str:
    """An error of Python's CSV reader in plain words."""
    if "field limit" in str(error):
        return f"a cell is longer than {csv.field_size_limit():,} characters"
    if "new-line" in str(error):
        return "a line ends with a bare carriage return; save the table with line ends of \\n or \\r\\n"
    return str(error)


def _by_numpy(text: bytes, delimiter: str) -> NDArray[np.float64]:
    return np.loadtxt(io.BytesIO(text), delimiter=delimiter, quotechar='"', comments=None, ndmin=2)


def _by_pandas(text: bytes, delimiter: str) -> NDArray[np.float64]:
    from pandas import read_csv

    # Before its version 3, pandas rounded the last digit unless asked not to.
    exact = {} if int(version("pandas").partition(".")[0]) >= 3 else {"float_precision": "round_trip"}
    table = read_csv(
        io.BytesIO(text),
        header=None,
        sep=delimiter,
        dtype=np.float64,
        keep_default_na=False,
        na_values=["nan", "NaN"],
        **exact,
    )
    return np.asarray(table, dtype=np.float64)


def _has_pandas() -> bool:
    try:
        version("pandas")
    except PackageNotFoundError:
        return False
    return True
