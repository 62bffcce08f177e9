"""Any log by its path: what it is decides who reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradmidi.errors import InputError
from gradmidi.logs.choosing import looks_like_norms
from gradmidi.logs.points import opened
from gradmidi.logs.series import Log, recording_of
from gradmidi.logs.tables import JSONL, open_table
from gradmidi.logs.tensorboard import EVENT_FILE, EventLog
from gradmidi.logs.wandb import WandbLog, is_export
from gradmidi.recording import Recording
from gradmidi.recording_load import read_head
from gradmidi.recording_names import STEP

ARCHIVE = ".npz"


def read_source(
    path: Path,
    columns: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    step: str | None = None,
    run: str | None = None,
) -> Recording:
    """A recording from a recording, an event file or folder, a CSV, a JSONL or an export of Weights & Biases.

    Args:
        path: the file or folder.
        columns: globs of the columns that become layers; of one's own choice if not given.
        metrics: globs of those that become metrics.
        step: name of the column that counts steps; event files have none.
        run: name or glob of the run where there are several.

    Raises:
        InputError: what cannot be read or chosen; one line says what and why.
        MissingPartError: tensorboard is needed and not installed.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a recording or the log of a run")
    choice = (columns, metrics, step, run)
    if is_recording(path) and choice == (None, None, None, None):
        return Recording.load(path)
    if path.suffix.lower() == ARCHIVE:
        raise InputError(f"{path} is a recording; there is nothing to choose in it")
    return recording_of(_log(path, columns, step, run), columns, metrics)


def is_recording(path: Path) -> bool:
    """Whether :meth:`Recording.load` knows best what is in a file.

    It does for what gradmidi wrote and for a CSV with a column ``step`` whose names do not look like gradient norms.
    """
    if path.is_dir() or path.suffix.lower() in JSONL or EVENT_FILE in path.name:
        return False
    if path.suffix.lower() == ARCHIVE:
        return True
    with opened(path) as file:
        head = read_head(file, path)
    return head.is_own or (STEP in head.names and not looks_like_norms(head.names))


def _log(path: Path, columns: Sequence[str] | None, step: str | None, run: str | None) -> Log:
    if path.is_dir() or EVENT_FILE in path.name:
        if step is not None:
            raise InputError(f"{path}: the points of TensorBoard have their steps with them; leave --step out")
        return EventLog(path, run, columns)
    table = open_table(path, step)
    if is_export([*table.names, table.step]):
        return WandbLog(table, run)
    if run is not None:
        raise InputError(f"{path}: it holds one run, without a name; leave --run out")
    return table
