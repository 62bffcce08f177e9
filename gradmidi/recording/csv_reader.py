"""Reading the recording's CSV, and any other with a ``step`` column, a block of lines at a time."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.printable import shown
from gradmidi.recording.columns import twice
from gradmidi.recording.companion import ENDED, EVENTS_FORMAT, how_it_ended
from gradmidi.recording.names import (
    EXACT,
    FORMAT,
    LONGEST_LINE,
    MOST_COLUMNS,
    MOST_META,
    OWN_KEYS,
    STEP,
    Exact,
    old_columns,
    read_exact,
    read_layers,
)
from gradmidi.recording.number_blocks import PANDAS_BYTES, NumberReader, csv_reason
from gradmidi.recording.recording import RESUMED, Recording

# Columns of a plain CSV (one without our metadata) that are not layers, by their usual names.
METRIC_COLUMNS = frozenset(
    ("epoch", "loss", "train_loss", "val_loss", "lr", "learning_rate", "time", "seconds", "accuracy", "acc", "skipped")
)
RESUMED_AT = re.compile(rf"(?m)^# {RESUMED}: (-?\d+)\s*$".encode())
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ARCHIVE_START = b"PK\x03\x04"
ANY_FORMAT = "gradmidi recording "
OWN_START = f"# format: {ANY_FORMAT}".encode()
MOST_HEAD_LINES = MOST_META + 100


class Head(NamedTuple):
    """The lines above the numbers.

    Attributes:
        meta: text by key.
        names: of the columns.
        delimiter: between the columns.
        lines: how many there are above the numbers.
        exact: the contents of a ``#json:`` line, for names that the columns cannot hold.
    """

    meta: dict[str, str]
    names: list[str]
    delimiter: str
    lines: int
    exact: Exact | None = None

    @property
    def is_own(self) -> bool:
        """Whether gradmidi wrote the file."""
        return self.meta.get("format") == FORMAT


class Table(NamedTuple):
    """Which column, by position, holds what."""

    step: int
    layers: dict[str, int]
    metrics: dict[str, int]
    meta: dict[str, str]


def load(source: Source) -> Recording:
    """A recording from a file or pipe, archive or CSV; see :meth:`Recording.load`."""
    if is_archive(source):
        from gradmidi.recording.npz import load_npz

        return load_npz(source)
    with source.opened() as file:
        head = read_head(file, source.name)
        table = read_table(head, source.name)
        if head.is_own:
            _check_end(file, source.name)
        return _recording(file, source, head, table)


def is_archive(source: Source) -> bool:
    """Whether a source is a NumPy archive, by its extension, or by its first bytes if a pipe has no extension."""
    if source.is_folder or source.path.suffix.lower() == ".npz":
        return not source.is_folder
    with source.opened() as file:
        return file.read(len(ARCHIVE_START)) == ARCHIVE_START


def is_own(source: Source) -> bool:
    """Whether gradmidi wrote the file, as far as its beginning tells."""
    if source.is_folder or is_archive(source):
        return not source.is_folder
    with source.opened() as file:
        return file.read(len(OWN_START) + len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK).startswith(OWN_START)


def read_head(file: BinaryIO, name: object) -> Head:
    """Metadata (``# key: value`` lines) and header of a CSV; the file is then positioned at its first row.

    Raises:
        InputError: the file ``name`` is empty, not text or a file of events, or has more lines above its
            numbers than any table.
    """
    above, lines = [], 0
    for line in islice(_lines(file, name), MOST_HEAD_LINES):
        lines += 1
        if not (line.startswith("#") or line.isspace()):
            break
        above.append(line)
    else:
        if lines == MOST_HEAD_LINES:
            raise InputError(f"{name}: there is no header among its first {lines:,} lines")
        line = ""
    if not line:
        raise InputError(f"{name} is empty: it has no header line and no steps")
    meta: dict[str, str] = {}
    for text in above:
        if not text.startswith(EXACT):
            key, _, value = text.lstrip("# ").partition(":")
            meta[key.strip()] = value.strip()
    if meta.get("format", "").startswith(EVENTS_FORMAT[:-1]):
        raise InputError(f"{name} holds the events of a run, not its norms; give its recording, such as norms.csv")
    odd = next((text for text in above if text.startswith(EXACT)), None) if meta.get("format") == FORMAT else None
    delimiter = _delimiter(line)
    return Head(meta, _names(line, delimiter, f"{name}, line {lines}"), delimiter, lines, _exact(odd, name))


def read_table(head: Head, name: object) -> Table:
    """Which columns hold the layers and the metrics of a recording.

    Raises:
        InputError: there is no step or no layer, a name appears twice, or a named layer is missing.
    """
    where = f"{name}, line {head.lines}"
    at = {column: i for i, column in enumerate(head.names)}
    if STEP not in at:
        raise InputError(f"{where}: there is no column called 'step' among {shown(', '.join(head.names), 80)}")
    if len(at) < len(head.names):
        raise InputError(f"{where}: the column {shown(twice(head.names))} appears twice; rename one")
    if len(at) < 2:
        raise InputError(f"{where}: there is no number column besides 'step'")
    starts = head.meta.get("format", "").startswith(ANY_FORMAT)
    if starts and not head.is_own:
        raise InputError(f"{name} was written by a newer gradmidi ({shown(head.meta['format'])}); upgrade gradmidi")
    layers = _own_layers(head, name) if head.is_own and "layers" in head.meta else _plain_layers(head.names)
    if not layers:
        raise InputError(f"{name}: there is no layer column besides {shown(', '.join(head.names), 80)}")
    missing = [column for column in layers.values() if column not in at]
    if missing:
        raise InputError(f"{name}: the column {shown(missing[0])} is missing, though '# layers:' names it")
    taken = {STEP, *layers.values()}
    spoken = head.exact.metrics if head.exact else {}
    metrics = {spoken.get(column, column): i for column, i in at.items() if column not in taken}
    if len(metrics) + len(layers) + 1 < len(at) or len(set(layers.values())) < len(layers):
        raise InputError(f"{name}: two of its names share a column; its first lines were changed")
    meta = {key: value for key, value in head.meta.items() if key not in OWN_KEYS}
    meta |= head.exact.meta if head.exact else {}
    return Table(at[STEP], {layer: at[column] for layer, column in layers.items()}, metrics, meta)


def _lines(file: BinaryIO, name: object) -> Iterator[str]:
    """The lines of a file as text, none of them longer than ours are.

    Raises:
        InputError: it is not text.
    """
    first = True
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise InputError(f"{name}: a line above the numbers is longer than {LONGEST_LINE:,} bytes")
        try:
            text = (line.removeprefix(BYTE_ORDER_MARK) if first else line).decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise InputError(f"{name} is not a text file; give the norms.csv of a run")
        first = False
        yield text


def _delimiter(line: str) -> str:
    """What follows ``step``, or else what occurs most often outside of quotes."""
    after_step = re.match('"?step"?([,;\t])', line)
    bare = re.sub('"[^"]*"', "", line)
    return after_step[1] if after_step else max(",;\t", key=bare.count)


def _names(line: str, delimiter: str, where: str) -> list[str]:
    if line.count(delimiter) >= MOST_COLUMNS:
        raise InputError(f"{where}: there are more than {MOST_COLUMNS:,} columns")
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error as error:
        raise InputError(f"{where}: {csv_reason(error)}") from None


def _exact(line: str | None, name: object) -> Exact | None:
    try:
        return None if line is None else read_exact(line.removeprefix(EXACT))
    except ValueError:
        raise InputError(f"{name}: the line '{EXACT.strip()}' is damaged; take it from the file as it was") from None


def _own_layers(head: Head, name: object) -> dict[str, str]:
    """Column by layer, as named by the metadata of gradmidi's files."""
    try:
        layers = read_layers(head.meta["layers"])
    except ValueError:
        raise InputError(f"{name}: the line '# layers:' is not a JSON list of names") from None
    if len(set(layers)) < len(layers):
        raise InputError(f"{name}: the layer {shown(twice(layers))} appears twice in the line '# layers:'")
    if head.exact is None:
        return old_columns(layers, set(head.names))
    columns = {layer: column for column, layer in head.exact.layers.items()}
    return {layer: columns.get(layer, layer) for layer in layers}


def _plain_layers(names: list[str]) -> dict[str, str]:
    """Column by layer of another tool's table: every column that is not a usual metric."""
    return {name: name for name in names if name != STEP and name.lower() not in METRIC_COLUMNS}


def _check_end(file: BinaryIO, name: str) -> None:
    """Our own lines all have an end; one without may have lost digits."""
    begin = file.tell()
    file.seek(-1, 2)
    if file.read(1) != b"\n":
        file.seek(0)
        raise InputError(
            f"{name}, line {sum(1 for _ in file)}: the line is cut short; delete it, the lines before it are whole"
        )
    file.seek(begin)


def _recording(file: BinaryIO, source: Source, head: Head, table: Table) -> Recording:
    layers, others = list(table.layers.values()), list(table.metrics.values())
    large = source.size >= PANDAS_BYTES
    parts: list[tuple[NDArray[Any], ...]] = []
    reader = NumberReader(file, source.name, head.names, head.delimiter, large, table.step, RESUMED_AT)
    for block in reader.blocks():
        parts.append((block.whole, block.values[:, others], block.values[:, layers], block.empty[:, layers]))
    if not parts:
        raise InputError(f"{source.name} has a header but no steps: nothing was recorded")
    columns = [list(column) for column in zip(*parts, strict=True)]
    parts.clear()
    # One after another, so that no more than one of them is there twice.
    steps, rest, norms, gaps = (np.concatenate(columns.pop(0)) for _ in range(4))
    metrics = dict(zip(table.metrics, rest.T.copy(), strict=True))
    resumed = [*filter(None, [table.meta.get(RESUMED)]), *reader.comments]
    meta = table.meta | ({RESUMED: ", ".join(resumed)} if resumed else {})
    if head.is_own and (how := how_it_ended(source.path, int(steps[-1]))):
        meta |= {ENDED: how}
    return Recording(tuple(table.layers), steps, norms, metrics, meta, gaps)
