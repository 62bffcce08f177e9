"""The output folder of Lightning's CSVLogger as a log: ``lightning_logs/version_N/metrics.csv``, a run per version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from gradmidi.files.reading import Source
from gradmidi.logs.csv_log import CsvLog
from gradmidi.logs.runs import Choice, choose_runs, the_only

METRICS = "metrics.csv"
# In the folder of a run, of the logger, or of the training; the logger may have been given another name and version.
WHERE = (METRICS, f"version_*/{METRICS}", f"*/version_*/{METRICS}")


def csv_runs(folder: Path) -> dict[str, Path]:
    """Tables by the name of their run, the folder below ``folder`` in which they lie."""
    found = sorted(path for where in WHERE for path in folder.glob(where))
    return {path.parent.relative_to(folder).as_posix(): path for path in found if path.is_file()}


def open_csv_run(source: Source, runs: Mapping[str, Path], choice: Choice) -> CsvLog:
    """The table of one run.

    Args:
        source: the folder.
        runs: as :func:`csv_runs` finds them.
        choice: what the user chose.

    Raises:
        InputError: there are several runs, or none of that name, or the table cannot be read.
    """
    opened = cache(lambda name: _opened(runs[name], choice.step))
    return opened(the_only(source.name, choose_runs(source.name, runs, choice, lambda name: opened(name).names)))


def _opened(path: Path, step: str | None) -> CsvLog:
    folder = path.resolve().parent
    return CsvLog(Source(path), step, title=f"{folder.parent.name}/{folder.name}")
