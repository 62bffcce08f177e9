"""Any log by its path. Two tables, one of files and one of folders, map each kind of log to its reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.logs.choosing import fits, looks_like_norms
from gradmidi.logs.csv_log import CsvLog
from gradmidi.logs.csv_runs import csv_runs, open_csv_run
from gradmidi.logs.dllogger import MARK, PREFIX, open_dllogger
from gradmidi.logs.json_log import is_json, open_json
from gradmidi.logs.mlflow import MlflowLog, mlflow_runs
from gradmidi.logs.row_log import RowLog
from gradmidi.logs.runs import Choice
from gradmidi.logs.series import Log, recording_of
from gradmidi.logs.tensorboard import EVENT_FILE, VERSION, EventLog, event_runs, open_events
from gradmidi.logs.text import begin_of
from gradmidi.logs.trainer import open_trainer, trainer_runs
from gradmidi.logs.unreadable import check_file, check_folder
from gradmidi.logs.wandb import WandbLog, is_export
from gradmidi.recording import Recording
from gradmidi.recording.csv_reader import is_archive, load, read_head
from gradmidi.recording.names import STEP

GIVE = "a recording or the log of a run"
DLLOGGER = re.compile(rb"^.{0,%d}%b\{" % (PREFIX, MARK.encode()), re.MULTILINE)


class FolderKind(NamedTuple):
    """A kind of folder: what it holds, its runs by name, what opens one of them, and whether a column counts steps."""

    what: str
    runs: Callable[[Source], Mapping[str, Any]]
    open: Callable[[Source, Any, Choice], Log]
    has_step: bool


class FileKind(NamedTuple):
    """A kind of file: whether a file with this beginning is one, what opens it, and whether a column counts steps."""

    fits: Callable[[Source, bytes], bool]
    open: Callable[[Source, Choice], Log]
    has_step: bool


# Of several kinds in one folder the first is read: the Trainer's own history is whole also where a run was resumed.
FOLDERS = (
    FolderKind("states of a Hugging Face Trainer", lambda source: trainer_runs(source.path), open_trainer, True),
    FolderKind("tables of Lightning's CSVLogger", lambda source: csv_runs(source.path), open_csv_run, True),
    FolderKind("runs of MLflow", lambda source: mlflow_runs(source.path), MlflowLog, False),
    FolderKind("event files of TensorBoard", event_runs, EventLog, False),
)

# A file is of the first kind that it matches.
FILES = (
    FileKind(lambda source, begin: EVENT_FILE in source.path.name or VERSION in begin[:64], open_events, False),
    FileKind(lambda _, begin: DLLOGGER.search(begin) is not None, lambda source, _: open_dllogger(source), False),
    FileKind(is_json, lambda source, choice: open_json(source, choice.step), True),
    FileKind(lambda *_: True, lambda source, choice: CsvLog(source, choice.step), True),
)


def read_source(
    path: str | Path,
    columns: Iterable[str] | None = None,
    metrics: Iterable[str] | None = None,
    step: str | None = None,
    run: str | None = None,
) -> Recording:
    """A recording from a recording file or the log of a run; see docs/logs.md for the supported formats.

    Args:
        path: the file or folder; ``"-"`` is standard input.
        columns: globs of the columns that become layers; by default those that look like gradient norms.
        metrics: globs of those that become metrics.
        step: name of the column that counts steps, if there is such a column.
        run: name or glob of the run, if there are several.

    Raises:
        InputError: what cannot be read or chosen; one line says what and why.
        MissingPartError: tensorboard is needed and not installed.
    """
    with Source(path, GIVE) as source:
        return read_opened(source, columns, metrics, step, run)


def read_opened(
    source: Source,
    columns: Iterable[str] | None = None,
    metrics: Iterable[str] | None = None,
    step: str | None = None,
    run: str | None = None,
) -> Recording:
    """The same of a source; see :func:`read_source`."""
    choice = Choice(None if columns is None else _globs(columns), step, run)
    if is_recording(source):
        if choice == Choice() and metrics is None:
            return load(source)
        if is_archive(source):
            raise InputError(f"{source.name} is a recording; there is nothing to choose in it")
    return recording_of(open_log(source, choice), choice.columns, metrics)


def is_recording(source: Source) -> bool:
    """Whether a file is to be read by :meth:`Recording.load`.

    True for what gradmidi wrote and for a CSV with a column ``step`` whose names do not look like gradient norms.

    Raises:
        InputError: the file cannot be read.
    """
    if source.is_folder:
        return False
    if is_archive(source):
        return True
    begin = begin_of(source)
    check_file(source, begin)
    if any(kind.fits(source, begin) for kind in FILES[:-1]):
        return False
    with source.opened() as file:
        head = read_head(file, source.name)
    return head.is_own or (STEP in head.names and not looks_like_norms(head.names))


def open_log(source: Source, choice: Choice) -> Log:
    """The log that a file or folder holds.

    Raises:
        InputError: it holds no readable log, or nothing of what was chosen.
    """
    if source.is_folder:
        return _open_folder(source, choice)
    begin = begin_of(source)
    kind = next(kind for kind in FILES if kind.fits(source, begin))
    _check_step(source, choice, kind.has_step)
    log = kind.open(source, choice)
    if isinstance(log, CsvLog | RowLog):
        if is_export([*log.names, log.step]):
            return WandbLog(log, choice.run)
        if choice.run is not None:
            raise InputError(f"{source.name}: it holds one run, without a name; leave --run out")
    return log


def open_table(source: Source, step: str | None = None) -> CsvLog | RowLog:
    """A file of JSON or of CSV.

    Raises:
        InputError: it is neither, or has no column of steps.
    """
    return open_json(source, step) if is_json(source, begin_of(source)) else CsvLog(source, step)


def _open_folder(source: Source, choice: Choice) -> Log:
    found = [(kind, runs) for kind in FOLDERS if (runs := kind.runs(source))]
    if not found:
        check_folder(source.path, source.name)
        wanted = ", ".join(kind.what for kind in FOLDERS)
        raise InputError(f"{source.name}: there is no log in it or below it; looked for {wanted}")
    run = choice.run
    named = [(kind, runs) for kind, runs in found if run is None or any(fits(name, [run]) for name in runs)]
    kind, runs = (named or found)[0]
    _check_step(source, choice, kind.has_step)
    log = kind.open(source, runs, choice)
    if choice.run is None and len(found) > 1:
        others = " and ".join(other.what for other, _ in found if other is not kind)
        log.notices.append(f"{source.name}: the {kind.what} are read; for the {others} give their own folder")
    return log


def _check_step(source: Source, choice: Choice, has_step: bool) -> None:
    if choice.step is not None and not has_step:
        raise InputError(f"{source.name}: its points have their steps with them; leave --step out")


def _globs(globs: Iterable[str]) -> list[str]:
    return [globs] if isinstance(globs, str) else list(globs)
