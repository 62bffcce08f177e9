"""Tables of text: columns and rows that are missing, doubled, ragged or of another kind."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from random import Random

from tests.fuzz.mutators.values import NAMES, NUMBERS, times

Rows = list[list[str]]
COLUMNS = 400
ROWS = 5000


def duplicate_column(rows: Rows, rng: Random) -> Rows:
    at = _column(rows, rng)
    return [row[: at + 1] + row[at:] for row in rows]


def drop_column(rows: Rows, rng: Random) -> Rows:
    at = _column(rows, rng)
    return [row[:at] + row[at + 1 :] for row in rows]


def shuffle_columns(rows: Rows, rng: Random) -> Rows:
    order = rng.sample(range(len(rows[0])), len(rows[0]))
    return [[row[at] for at in order if at < len(row)] for row in rows]


def rename_column(rows: Rows, rng: Random) -> Rows:
    head = list(rows[0])
    head[_column(rows, rng)] = rng.choice(NAMES)
    return [head, *rows[1:]]


def many_columns(rows: Rows, rng: Random) -> Rows:
    count = times(sum(len("".join(row[-1:])) + 1 for row in rows), COLUMNS)
    names = [f"{rows[0][-1]}{at}" for at in range(count)]
    return [rows[0] + names, *(row + row[-1:] * count for row in rows[1:])]


def no_header(rows: Rows, rng: Random) -> Rows:
    return rows[1:]


def second_header(rows: Rows, rng: Random) -> Rows:
    at = rng.randrange(len(rows))
    return [*rows[:at], rows[0], *rows[at:]]


def ragged(rows: Rows, rng: Random) -> Rows:
    at = rng.randrange(len(rows))
    return [*rows[:at], rng.choice((rows[at][:-1], [*rows[at], "1"], [], rows[at] * 2)), *rows[at + 1 :]]


def empty_column(rows: Rows, rng: Random) -> Rows:
    at = _column(rows, rng)
    return [rows[0], *([*row[:at], "", *row[at + 1 :]] for row in rows[1:])]


def strange_cell(rows: Rows, rng: Random) -> Rows:
    row, at = rng.randrange(len(rows)), _column(rows, rng)
    return _with(rows, row, at, rng.choice(NUMBERS))


def strange_cells(rows: Rows, rng: Random) -> Rows:
    """A whole column of one kind."""
    at, value = _column(rows, rng), rng.choice(NUMBERS)
    return [rows[0], *([*row[:at], value, *row[at + 1 :]] for row in rows[1:])]


def long_cell(rows: Rows, rng: Random) -> Rows:
    row, at = rng.randrange(len(rows)), _column(rows, rng)
    return _with(rows, row, at, rng.choice(("1", "a", "é", '"', "0", "\n")) * 200_000)


def no_rows(rows: Rows, rng: Random) -> Rows:
    return rows[:1]


def many_rows(rows: Rows, rng: Random) -> Rows:
    size = sum(len(cell) + 1 for row in rows for cell in row)
    return rows + rows[1:] * times(size, ROWS // max(1, len(rows)))


def shuffle_rows(rows: Rows, rng: Random) -> Rows:
    return [rows[0], *rng.sample(rows[1:], len(rows) - 1)]


def same_step(rows: Rows, rng: Random) -> Rows:
    return [rows[0], *([rows[-1][0], *row[1:]] for row in rows[1:])]


TABLE = (
    *(duplicate_column, drop_column, shuffle_columns, rename_column, rename_column, many_columns, no_header),
    *(second_header, ragged, empty_column, strange_cell, strange_cell, strange_cells, strange_cells, long_cell),
    *(no_rows, many_rows, shuffle_rows, same_step),
)


def points(data: bytes, rng: Random) -> bytes:
    """A file of MLflow's points, ``timestamp value step`` a line, as a table without a header."""
    rows = [line.split(" ") for line in data.decode("utf-8", "replace").split("\n") if line]
    if not rows:
        return data + b"1 2 3\n"
    return "".join(" ".join(row) + "\n" for row in rng.choice(TABLE)(rows, rng)).encode("utf-8", "replace")


def table(data: bytes, rng: Random) -> bytes:
    """One of TABLE, on the rows below the ``#`` lines; written as it was read, or with other quotes or delimiters."""
    lines = data.decode("utf-8", "replace").splitlines(keepends=True)
    top = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    body = "".join(lines[top:])
    try:
        delimiter = max(",;\t", key=body.count)
        rows = [row for row in csv.reader(io.StringIO(body, newline=""), delimiter=delimiter) if row]
    except csv.Error:
        rows = []
    if not rows or not rows[0]:
        return data + b"step,a\n0,1\n"
    rows = rng.choice(TABLE)(rows, rng)
    if rng.random() < 0.2:
        delimiter = rng.choice((",", ";", "\t", "|", " "))
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE))
    written = io.StringIO(newline="")
    with suppress(csv.Error):  # a row of one empty cell cannot be written without quotes; the rows before it are
        csv.writer(written, delimiter=delimiter, quoting=quoting, escapechar="\\", lineterminator="\n").writerows(rows)
    return ("".join(lines[:top]) + written.getvalue()).encode("utf-8", "replace")


HEADS = (
    *('"conv1"', "null", "1", "[]", "{}", "[1, 2]", "[null]", "[[]]", '["conv1", "conv1"]', '["step"]', '["nosuch"]'),
    *('{"conv1": 1}', '["conv1", {"a": 1}]', "[" * 100_000, "[" * 900 + "]" * 900, '["' + "a" * 200_000 + '"]'),
    *('["\\u0000", "conv1"]', '["\\ud800"]', '["conv1", "loss"]', "[NaN]", "[" + "9" * 5000 + "]", '["conv1",]', ""),
    *("gradmidi norms 1", "gradmidi norms 2", "gradmidi norms 999999999999", "\x1b[31mred", "a" * 1_000_000, "# # #"),
)


def metadata(data: bytes, rng: Random) -> bytes:
    """A ``# key: value`` line that is missing, doubled, moved, or says something else."""
    lines = data.decode("utf-8", "replace").split("\n")
    heads = [n for n, line in enumerate(lines) if line.startswith("#")]
    if not heads:
        return f"# layers: {rng.choice(HEADS)}\n".encode("utf-8", "replace") + data
    at = rng.choice(heads)
    key = lines[at].partition(":")[0]
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(rng.choice((0, at, len(lines) - 1)), lines[at])
        case 2:
            lines[at] = f"# {json.dumps(rng.choice(NAMES))[1:-1]}: {rng.choice(HEADS)}"
        case 3:
            lines[at:at] = [f"# key{n}: {n}" for n in range(rng.choice((1, ROWS)))]
        case _:
            lines[at] = f"{key}: {rng.choice(HEADS)}"
    return "\n".join(lines).encode("utf-8", "replace")


def _column(rows: Rows, rng: Random) -> int:
    return rng.randrange(len(rows[0]))


def _with(rows: Rows, row: int, at: int, value: str) -> Rows:
    changed = [list(cells) for cells in rows]
    changed[row][at : at + 1] = [value]
    return changed
