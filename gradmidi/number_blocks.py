"""Lines of numbers → tables, block by block: the size of a file changes the time that it takes, not the memory.

The quick parsers know no empty cells, so these are found and filled in before. What they refuse is read cell by cell,
which is slow but can say which cell is wrong.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError

BLOCK_BYTES = 2**24
# Importing pandas takes half a second, which its parser, three times as fast as NumPy's, gains back from here on.
PANDAS_BYTES = 2**26
COMMENT, COMMENT_LINE = re.compile(rb"(?m)^#[^\n]*"), re.compile(rb"(?m)^#[^\n]*\n?")

Parser = Callable[[bytes, str], NDArray[np.float64]]


class Block(NamedTuple):
    """Rows of numbers: ``values`` (n, C) float64, nan where ``empty`` (n, C) bool says that the cell is empty."""

    values: NDArray[np.float64]
    empty: NDArray[np.bool_]


@dataclass
class NumberReader:
    """Reads the lines of an open file from where it stands.

    Args:
        file: open for bytes; UTF-8, ``\\n`` or ``\\r\\n``.
        name: of the file, for messages.
        columns: names of the C columns, for messages.
        delimiter: one character.
        large: the file is worth the import of pandas, if it is installed.

    Attributes:
        comments: the lines between the rows that begin with ``#``, as far as was read.
    """

    file: BinaryIO
    name: str
    columns: Sequence[str]
    delimiter: str
    large: bool = False
    comments: list[str] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        """The rows; empty lines are left out.

        Raises:
            InputError: a cell is not a number, or a line has more or fewer cells than there are columns.
        """
        parse = _by_pandas if self.large and _has_pandas() else _by_numpy
        has_empty_cells = False  # where one block has some, the next ones will
        while lines := self.file.read(BLOCK_BYTES):
            lines += self.file.readline()
            begin = self.file.tell() - len(lines)
            if b"\r" in lines:
                lines = lines.replace(b"\r\n", b"\n")
            rows = self._without_comments(lines) if b"#" in lines else lines
            if rows and not rows.isspace():
                block = None if has_empty_cells else self._without_empty_cells(rows, parse)
                if block is None:
                    block = self._with_empty_cells(rows, parse)
                    has_empty_cells = block is not None
                yield block or self._cell_by_cell(COMMENT.sub(b"", lines), begin)

    def _without_comments(self, lines: bytes) -> bytes:
        self.comments += (line.decode("utf-8", errors="replace") for line in COMMENT.findall(lines))
        return COMMENT_LINE.sub(b"", lines)

    def _without_empty_cells(self, lines: bytes, parse: Parser) -> Block | None:
        """``None`` for what the parser refuses."""
        try:
            values = parse(lines, self.delimiter)
        except ValueError:
            return None
        return Block(values, np.zeros(values.shape, dtype=bool)) if values.shape[1] == len(self.columns) else None

    def _with_empty_cells(self, lines: bytes, parse: Parser) -> Block | None:
        """The same with ``nan`` put into the empty cells, which are those between separators in a row."""
        cut, end = self.delimiter.encode(), b"\n"
        whole = lines if lines.endswith(end) else lines + end
        letters = np.frombuffer(whole, dtype=np.uint8)
        separators = np.flatnonzero((letters == cut[0]) | (letters == end[0]))
        empty = np.diff(separators, prepend=-1) == 1
        if len(empty) % len(self.columns):
            return None
        for left, right in ((cut, cut), (cut, cut), (cut, end), (end, cut)):
            whole = whole.replace(left + right, left + b"nan" + right)
        block = self._without_empty_cells(b"nan" * whole.startswith(cut) + whole, parse)
        empty = empty.reshape(-1, len(self.columns))
        return block and (Block(block.values, empty) if block.values.shape == empty.shape else None)

    def _cell_by_cell(self, text: bytes, offset: int) -> Block:
        rows = []
        before = self._line_at(offset) - 1
        reader = csv.reader(io.StringIO(text.decode("utf-8", errors="replace")), delimiter=self.delimiter)
        try:
            lines = [(before + reader.line_num, cells) for cells in reader if cells]
        except csv.Error as error:
            raise InputError(f"{self.name}, line {before + reader.line_num}: {error}") from None
        for number, cells in lines:
            where = f"{self.name}, line {number}"
            if len(cells) != len(self.columns):
                wrong = f"{len(cells)} columns where the header has {len(self.columns)}"
                raise InputError(f"{where}: {wrong}; the line is cut short?")
            rows.append([self._number(where, name, cell) for name, cell in zip(self.columns, cells, strict=True)])
        empty = np.array([[cell is None for cell in row] for row in rows])
        values = np.array([[np.nan if cell is None else cell for cell in row] for row in rows])
        return Block(values, empty)

    def _number(self, where: str, column: str, cell: str) -> float | None:
        """``None`` for an empty cell; ``2,3`` is 2.3 where the comma is not the delimiter, as spreadsheets write it."""
        if not cell.strip():
            return None
        try:
            return float(cell if self.delimiter == "," else cell.replace(",", "."))
        except ValueError:
            raise InputError(f"{where}, column {column!r}: {cell.strip()[:40]!r} is not a number") from None

    def _line_at(self, offset: int) -> int:
        """Number of the line that begins there; counted only for what is wrong with it."""
        here = self.file.tell()
        self.file.seek(0)
        count = 0
        while self.file.tell() < offset:
            count += self.file.read(min(BLOCK_BYTES, offset - self.file.tell())).count(b"\n")
        self.file.seek(here)
        return 1 + count


def _by_numpy(text: bytes, delimiter: str) -> NDArray[np.float64]:
    return np.loadtxt(io.BytesIO(text), delimiter=delimiter, comments=None, ndmin=2)


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
