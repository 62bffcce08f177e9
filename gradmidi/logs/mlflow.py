"""MLflow's file store as a log: a folder per experiment, in it one per run, in it ``metrics/NAME``, a line per point.

A line is ``timestamp value step``. A name with slashes is a path of folders. MLflow 2 writes such a store by default,
later ones where ``MLFLOW_ALLOW_FILE_STORE`` is set.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.logs.points import Points, PointStore
from gradmidi.logs.runs import Choice, choose_runs, the_only

# Where the folders of runs are, from that of one run up to the one that the training was started in.
WHERE = (".", "*", "*/*", "mlruns/*/*")
META, METRICS, NAME = "meta.yaml", "metrics", "tags/mlflow.runName"
RUN_IDS, DELETED = (b"run_id:", b"run_uuid:"), b"lifecycle_stage: deleted"  # lines of the first
MOST_META, MOST_NAME = 2**16, 2**12  # bytes of the first and the last that are read
LONGEST_STEP = 20  # characters of a step that 64 bits hold


class MlflowLog:
    """One run of a store.

    Args:
        source: folder of the store, of what holds it, of an experiment, or of a run.
        runs: its runs, as :func:`mlflow_runs` finds them.
        choice: what the user chose; a run also by its id.

    Raises:
        InputError: there are several runs, or none of that name, or a file of points is damaged.
    """

    histograms: Sequence[str] = ()

    def __init__(self, source: Source, runs: Mapping[str, Path], choice: Choice) -> None:
        self.source = source.name
        self.notices: list[str] = []
        by_id = {folder.name: name for name, folder in runs.items()}
        if choice.run in by_id:
            choice = choice._replace(run=by_id[choice.run])
        found = choose_runs(self.source, runs, choice, lambda name: dict(_metrics(runs[name])))
        chosen = the_only(self.source, found)
        files = dict(_metrics(runs[chosen]))
        self.size = sum(path.stat().st_size for path in files.values())
        self._store = PointStore(self.source, self.size)
        for name, path in files.items():
            self._read(name, path)
        self.names = self._store.names
        self.meta = {"title": chosen, "source": source.path.resolve().name, "run": chosen}

    def parts(self, wanted: Sequence[str]) -> list[Points]:
        """See :class:`gradmidi.logs.series.Log`."""
        return [self._store.points(wanted)]

    def _read(self, name: str, path: Path) -> None:
        with Source(path) as source, source.opened() as file:
            for number, line in enumerate(file, 1):
                words = line.split(maxsplit=3)
                try:
                    step, value = _step(words[2]) if len(words) > 2 else 0, float(words[1])
                except (ValueError, IndexError):
                    if not line.endswith(b"\n"):  # of a run that was killed while it wrote
                        continue
                    wrong = "is not 'timestamp value step', as MLflow writes it"
                    raise InputError(f"{source.name}, line {number} {wrong}; delete the line") from None
                self._store.add(name, step, value)


def mlflow_runs(folder: Path) -> dict[str, Path]:
    """Folders of the runs in or below a folder by the runs' names, with the id appended if two have the same name."""
    found = [run for where in WHERE for run in sorted(_below(folder, where)) if _is_run(run)]
    called = [_name(run) for run in found]
    times = Counter(called)
    return {name if times[name] == 1 else f"{name} {run.name}": run for name, run in zip(called, found, strict=True)}


def _below(folder: Path, where: str) -> Iterable[Path]:
    return [folder] if where == "." else folder.glob(where)


def _is_run(folder: Path) -> bool:
    """Whether a folder is that of a run that was not deleted; logged models have such folders as well."""
    try:
        with (folder / META).open("rb") as file:
            lines = file.read(MOST_META).splitlines()
        return (folder / METRICS).is_dir() and DELETED not in lines and any(line.startswith(RUN_IDS) for line in lines)
    except OSError:
        return False


def _name(run: Path) -> str:
    """The name of a run in one short line; its id if it has no name."""
    try:
        with (run / NAME).open("rb") as file:
            return file.read(MOST_NAME).decode(errors="replace").strip() or run.name
    except OSError:
        return run.name


def _metrics(run: Path) -> Iterator[tuple[str, Path]]:
    """Names of the run's metrics, and their files."""
    top = run / METRICS
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_file():
                yield path.relative_to(top).as_posix(), path


def _step(word: bytes) -> int:
    step = int(word[:LONGEST_STEP])
    if len(word) > LONGEST_STEP or not -(2**63) <= step < 2**63:
        raise ValueError(word)
    return step
