"""The recording's file: ``# key: value`` lines, a header, then one line a step; plain CSV from elsewhere reads as well.

Columns are ``step``, the leading metrics (``epoch``, ``loss``), one column a layer, then any further metrics. Numbers
are written so that they read back as the same float64. ``nan`` and ``inf`` stand as such; an empty cell is a gap.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.recording import Recording

FORMAT = "gradmidi recording 1"
STEP = "step"
# Columns of a plain CSV (one without our metadata) that are not layers, by the names people give them.
METRIC_COLUMNS = frozenset(
    ("epoch", "loss", "train_loss", "val_loss", "lr", "learning_rate", "time", "seconds", "accuracy", "acc", "skipped")
)


class RecordingWriter:
    """Appends a recording to ``path`` while training runs; a killed process leaves every step appended before.

    Each row is one unbuffered write, so the file never holds half a line. A write that fails midway (full disk)
    is cut back to the last whole line before the error is passed on.

    Args:
        path: the file; an existing one is replaced.
        layers: names of the L layers.
        metrics: names of the numbers that go with every step, ``("epoch", "loss")`` by default.
        meta: text by key, written on top.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        layers: Sequence[str],
        metrics: Sequence[str] = ("epoch", "loss"),
        meta: Mapping[str, object] | None = None,
    ) -> None:
        self.path = Path(path)
        self.layers = tuple(layers)
        self.metrics = tuple(metrics)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb", buffering=0)
            self._file.write(_head(self.layers, self.metrics, meta or {}).encode())
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}; choose another folder") from error

    def append(
        self,
        step: int,
        norms: Sequence[float] | NDArray[np.floating],
        metrics: Mapping[str, float] | None = None,
        gaps: Sequence[bool] | NDArray[np.bool_] | None = None,
    ) -> None:
        """Write one step: norms (L,), the metrics named at the start (nan where absent), gaps (L,) bool.

        Raises:
            OSError: the disk refuses; the file then still ends with a whole line.
        """
        given = metrics or {}
        row = _line(step, [given.get(name, float("nan")) for name in self.metrics], norms, gaps).encode()
        before = self._file.tell()
        try:
            written = self._file.write(row)
            if written != len(row):
                raise OSError(28, "the disk is full")
        except OSError:
            os.ftruncate(self._file.fileno(), before)
            self._file.seek(before)
            raise

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def save(recording: Recording, path: Path) -> None:
    """See :meth:`Recording.save`."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(_head(recording.layers, tuple(recording.metrics), recording.meta))
        columns = [recording.metrics[name].tolist() for name in recording.metrics]
        gaps = recording.gaps if recording.gaps.any() else None
        for i, (step, norms) in enumerate(zip(recording.steps.tolist(), recording.norms.tolist(), strict=True)):
            file.write(_line(step, [column[i] for column in columns], norms, None if gaps is None else gaps[i]))


def load(path: Path) -> Recording:
    """See :meth:`Recording.load`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the norms.csv of a run") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file; give the norms.csv of a run") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    meta, body, skipped = _split_meta(text)
    if not body.strip():
        raise InputError(f"{path} is empty: it has no header line and no steps")
    own = meta.get("format") == FORMAT
    if own and not text.endswith("\n"):
        raise InputError(f"{path}, line {text.count(chr(10)) + 1}: the line is cut short; delete it and try again")
    header, _, rows = body.partition("\n")
    delimiter = max(",;\t", key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
    _check_header(path, names, skipped + 1)
    table = _numbers(path, rows, names, delimiter, skipped + 2)
    return _recording(path, names, table, meta)


def _head(layers: tuple[str, ...], metrics: tuple[str, ...], meta: Mapping[str, object]) -> str:
    out = io.StringIO()
    lines = {"format": FORMAT, "layers": json.dumps(list(layers), ensure_ascii=False)}
    lines |= {key: str(value) for key, value in meta.items() if key not in lines}
    for key, value in lines.items():
        out.write(f"# {key}: {' '.join(str(value).split())}\n")
    csv.writer(out, lineterminator="\n").writerow([STEP, *metrics, *layers])
    return out.getvalue()


def _line(
    step: int,
    metrics: Sequence[float],
    norms: Sequence[float] | NDArray[np.floating],
    gaps: Sequence[bool] | NDArray[np.bool_] | None,
) -> str:
    numbers = [repr(float(value)) for value in norms]
    if gaps is not None:
        numbers = ["" if gap else number for gap, number in zip(gaps, numbers, strict=True)]
    # A whole number (an epoch) reads better without ".0" and is the same number.
    extra = [str(int(m)) if m == m and abs(m) < 1e15 and m == int(m) else repr(float(m)) for m in metrics]
    return ",".join([str(int(step)), *extra, *numbers]) + "\n"


def _split_meta(text: str) -> tuple[dict[str, str], str, int]:
    """Metadata, the text after it, and how many lines were metadata."""
    meta: dict[str, str] = {}
    count = 0
    while text.startswith("#"):
        line, _, text = text.partition("\n")
        key, _, value = line.lstrip("# ").partition(":")
        meta[key.strip()] = value.strip()
        count += 1
    return meta, text, count


def _check_header(path: Path, names: list[str], line: int) -> None:
    if STEP not in names:
        raise InputError(f"{path}, line {line}: there is no column called 'step' among {', '.join(names)[:80]!r}")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"{path}, line {line}: the column {min(twice)!r} stands there twice; rename one")
    if len(names) < 2:
        raise InputError(f"{path}, line {line}: there is no number column beside 'step'")


def _numbers(path: Path, rows: str, names: list[str], delimiter: str, first_line: int) -> NDArray[np.float64]:
    """The table (N, columns); an empty cell is masked. The quick reader first, the exact one for the rest."""
    if not rows.strip():
        raise InputError(f"{path} has a header but no steps; the run ended before its first one")
    try:
        table = np.loadtxt(io.StringIO(rows), delimiter=delimiter, comments=None, ndmin=2)
    except ValueError:
        return _numbers_by_cell(path, rows, names, delimiter, first_line)
    return table if table.shape[1] == len(names) else _numbers_by_cell(path, rows, names, delimiter, first_line)


def _numbers_by_cell(path: Path, rows: str, names: list[str], delimiter: str, first_line: int) -> NDArray[np.float64]:
    table = []
    for number, cells in enumerate(csv.reader(io.StringIO(rows), delimiter=delimiter), first_line):
        if not cells:
            continue
        where = f"{path}, line {number}"
        if len(cells) != len(names):
            raise InputError(f"{where}: {len(cells)} columns where the header has {len(names)}; the line is cut short?")
        table.append([_cell(where, name, cell) for name, cell in zip(names, cells, strict=True)])
    values = np.array([[0.0 if cell is None else cell for cell in row] for row in table])
    return np.ma.array(values, mask=[[cell is None for cell in row] for row in table])


def _cell(where: str, name: str, cell: str) -> float | None:
    if not cell.strip():
        return None
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"{where}, column {name!r}: {cell.strip()[:40]!r} is not a number") from None


def _recording(path: Path, names: list[str], table: NDArray[np.float64], meta: dict[str, str]) -> Recording:
    layers = _layers(path, names, meta)
    gaps = np.ma.getmaskarray(table)
    values = np.where(gaps, np.nan, np.ma.getdata(table))
    column = {name: values[:, i] for i, name in enumerate(names)}
    steps = column.pop(STEP)
    if not (np.isfinite(steps) & (steps == np.floor(steps))).all():
        raise InputError(f"{path}: the column 'step' must hold whole numbers")
    where = [names.index(layer) for layer in layers]
    metrics = {name: numbers for name, numbers in column.items() if name not in layers}
    own_keys = ("format", "layers")
    kept = {key: value for key, value in meta.items() if key not in own_keys}
    return Recording(layers, steps.astype(np.int64), values[:, where], metrics, kept, gaps[:, where])


def _layers(path: Path, names: list[str], meta: dict[str, str]) -> tuple[str, ...]:
    """Named in the metadata of our own files; elsewhere every column that is not a usual metric."""
    if meta.get("format") == FORMAT and "layers" in meta:
        try:
            layers = tuple(str(name) for name in json.loads(meta["layers"]))
        except ValueError:
            raise InputError(f"{path}: the line '# layers:' is not a JSON list of names") from None
        missing = [layer for layer in layers if layer not in names]
        if missing:
            raise InputError(f"{path}: the column {missing[0]!r} is missing, though '# layers:' names it")
    else:
        layers = tuple(name for name in names if name != STEP and name.lower() not in METRIC_COLUMNS)
    if not layers:
        raise InputError(f"{path}: there is no layer column beside {', '.join(names)}")
    return layers
