"""Reading the recording's CSV, and any other with a ``step`` column, a block of lines at a time."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from gradmidi.errors import InputError
from gradmidi.number_blocks import PANDAS_BYTES, NumberReader
from gradmidi.recording import RESUMED, Recording
from gradmidi.recording_csv import FORMAT, OWN_KEYS, STEP, layer_column

# Columns of a plain CSV (one without our metadata) that are not layers, by the names people give them.
METRIC_COLUMNS = frozenset(
    ("epoch", "loss", "train_loss", "val_loss", "lr", "learning_rate", "time", "seconds", "accuracy", "acc", "skipped")
)
RESUMED_AT = re.compile(rf"# {RESUMED}: (-?\d+)\s*$")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Head(NamedTuple):
    """What stands above the numbers: metadata, names of the columns, their delimiter, and how many lines that was."""

    meta: dict[str, str]
    names: list[str]
    delimiter: str
    lines: int

    @property
    def is_own(self) -> bool:
        """Whether gradmidi wrote the file."""
        return self.meta.get("format") == FORMAT


def load_csv(path: Path) -> Recording:
    """See :meth:`Recording.load`."""
    try:
        with path.open("rb") as file:
            head = read_head(file, path)
            _check_names(path, head)
            if head.is_own:
                _check_end(path, file)
            return _recording(path, file, head)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the norms.csv of a run") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def read_head(file: BinaryIO, path: Path) -> Head:
    """Metadata (``# key: value`` lines) and header of a CSV; the file then stands at its first row.

    Raises:
        InputError: the file is empty or not text.
    """
    meta: dict[str, str] = {}
    lines = 1
    try:
        line = file.readline().removeprefix(BYTE_ORDER_MARK).decode("utf-8")
        while line.startswith("#") or line.isspace():
            key, _, value = line.lstrip("# ").partition(":")
            meta[key.strip()] = value.strip()
            line = file.readline().decode("utf-8")
            lines += 1
    except UnicodeDecodeError:
        line = "\0"
    if "\0" in line:
        raise InputError(f"{path} is not a text file; give the norms.csv of a run")
    if not line:
        raise InputError(f"{path} is empty: it has no header line and no steps")
    delimiter = max(",;\t", key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    return Head(meta, names, delimiter, lines)


def _check_names(path: Path, head: Head) -> None:
    names, where = head.names, f"{path}, line {head.lines}"
    if STEP not in names:
        raise InputError(f"{where}: there is no column called 'step' among {', '.join(names)[:80]!r}")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"{where}: the column {min(twice)!r} stands there twice; rename one")
    if len(names) < 2:
        raise InputError(f"{where}: there is no number column beside 'step'")


def _check_end(path: Path, file: BinaryIO) -> None:
    """Our own lines all have an end; one without may have lost digits."""
    begin = file.tell()
    file.seek(-1, 2)
    if file.read(1) != b"\n":
        file.seek(0)
        raise InputError(
            f"{path}, line {sum(1 for _ in file)}: the line is cut short; delete it, the lines before it are whole"
        )
    file.seek(begin)


def _recording(path: Path, file: BinaryIO, head: Head) -> Recording:
    names, layers = head.names, _layers(path, head.names, head.meta)
    where = [names.index(column) for column in layers.values()]
    others = [i for i in range(len(names)) if i not in set(where)]
    large = path.stat().st_size >= PANDAS_BYTES
    norms, gaps, rest = [], [], []
    reader = NumberReader(file, str(path), names, head.delimiter, large)
    for block in reader.blocks():
        norms.append(block.values[:, where])
        gaps.append(block.empty[:, where])
        rest.append(block.values[:, others])
    if not norms:
        raise InputError(f"{path} has a header but no steps; the run ended before its first one")
    metrics = dict(zip((names[i] for i in others), np.concatenate(rest).T.copy(), strict=True))
    steps = metrics.pop(STEP)
    if not (np.isfinite(steps) & (steps == np.floor(steps))).all():
        raise InputError(f"{path}: the column 'step' must hold whole numbers")
    meta = {key: value for key, value in head.meta.items() if key not in OWN_KEYS}
    if resumed := [match[1] for line in reader.comments if (match := RESUMED_AT.match(line))]:
        meta[RESUMED] = ", ".join([*filter(None, [meta.get(RESUMED)]), *resumed])
    return Recording(tuple(layers), steps.astype(np.int64), np.concatenate(norms), metrics, meta, np.concatenate(gaps))


def _layers(path: Path, names: list[str], meta: dict[str, str]) -> dict[str, str]:
    """Column by layer: named in the metadata of our own files; elsewhere every column that is not a usual metric."""
    if meta.get("format") == FORMAT and "layers" in meta:
        try:
            found = {str(name): layer_column(str(name), names) for name in json.loads(meta["layers"])}
        except ValueError:
            raise InputError(f"{path}: the line '# layers:' is not a JSON list of names") from None
        missing = [layer for layer, column in found.items() if column is None]
        if missing:
            raise InputError(f"{path}: the column {missing[0]!r} is missing, though '# layers:' names it")
        layers = {layer: column for layer, column in found.items() if column is not None}
    else:
        layers = {name: name for name in names if name != STEP and name.lower() not in METRIC_COLUMNS}
    if not layers:
        raise InputError(f"{path}: there is no layer column beside {', '.join(names)}")
    return layers
