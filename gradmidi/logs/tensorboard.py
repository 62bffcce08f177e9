"""TensorBoard's event files as logs: every point of every scalar, however it was written.

The files' records are framed here and parsed by TensorBoard's own message classes. Its reader checks each record's
checksum in Python, which takes five times as long, and its accumulator keeps 10,000 points a tag unless told otherwise.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gradmidi.errors import InputError
from gradmidi.logs.choosing import fits, looks_like_norms, shortened
from gradmidi.logs.points import Points, opened
from gradmidi.logs.series import Series
from gradmidi.requirements import require

EVENT_FILE = "tfevents"  # in the name of every event file
HERE = "."  # the run whose files lie in the folder itself
LENGTH, CHECKSUM = 8, 4  # bytes: a record is its length, a checksum of that, the message, a checksum of that


class Point(NamedTuple):
    """A number that was logged; ``tag`` is empty for a restart, after which later points are written again."""

    tag: str
    step: int
    value: float


class EventLog:
    """One run, or several that fit a glob, of a folder of event files, or one file.

    Points that a restarted run wrote again replace those of before. A file that ends within a record, as that of a
    killed run may, is read up to there; ``meta["notice"]`` says so.

    Args:
        path: a folder, the folder of several runs, or an event file.
        run: name of a run as TensorBoard shows it (its folder below ``path``), or a glob; with several runs their
            columns are called ``run/tag``.
        columns: globs of the columns that will be wanted, to tell runs that have such from others.

    Raises:
        InputError: there are no event files, several runs, or no run of that name.
        MissingPartError: tensorboard is not installed.
    """

    def __init__(self, path: Path, run: str | None = None, columns: Sequence[str] | None = None) -> None:
        self.source = str(path)
        self._notices: list[str] = []
        runs = event_runs(path)
        chosen = self._choose(runs, run, columns)
        self._points: defaultdict[str, Points] = defaultdict(Points)
        for name in chosen:
            self._read(runs[name], f"{name}/" if len(chosen) > 1 else "")
        self.names = list(self._points)
        title = path.resolve().name if chosen == [HERE] else f"{path.resolve().name}/{', '.join(chosen)}"
        self.meta = {"title": title, "source": path.resolve().name, "run": ", ".join(chosen)}
        if self._notices:
            self.meta["notice"] = "; ".join(self._notices)

    def series(self, wanted: Sequence[str]) -> dict[str, Series]:
        """See :class:`gradmidi.logs.series.Log`."""
        return {name: self._points[name].series() for name in wanted}

    def _choose(self, runs: dict[str, list[Path]], run: str | None, columns: Sequence[str] | None) -> list[str]:
        if run is not None:
            named = [name for name in runs if fits(name, [run])]
            if not named:
                raise InputError(f"{self.source}: no run is called {run!r}; there are {shortened(list(runs))}")
            return named
        if len(runs) == 1:
            return list(runs)
        # A hyper-parameter summary, for example, lies in a folder of its own and looks like a run.
        fitting = [name for name, files in runs.items() if self._has(files, columns)]
        if len(fitting) != 1:
            listed = fitting or list(runs)
            advice = "choose one with run (on the command line --run)"
            raise InputError(f"{self.source}: {len(listed)} runs: {shortened(listed)}; {advice}")
        return fitting

    def _has(self, files: list[Path], columns: Sequence[str] | None) -> bool:
        """Whether a run has a column that would be chosen; read only up to the first one."""
        seen = {""}
        for tag in (point.tag for file in files for point in self._numbers(file)):
            if tag not in seen and (looks_like_norms([tag]) if columns is None else fits(tag, columns)):
                return True
            seen.add(tag)
        return False

    def _read(self, files: list[Path], prefix: str) -> None:
        for file in files:
            for tag, step, value in self._numbers(file):
                if tag:
                    self._points[prefix + tag].add(step, value)
                    continue
                for name, points in self._points.items():
                    if name.startswith(prefix):
                        points.keep_before(step)

    def _numbers(self, path: Path) -> Iterator[Point]:
        proto = require("tensorboard.compat.proto.event_pb2", "tensorboard")
        start = proto.SessionLog.START
        for event in self._events(path, proto.Event):
            if event.HasField("session_log") and event.session_log.status == start:
                yield Point("", event.step, 0.0)
            for value in event.summary.value:
                number = _number(value)
                if number is not None:
                    yield Point(value.tag, event.step, number)

    def _events(self, path: Path, kind: Any) -> Iterator[Any]:
        broken: type[Exception] = require("google.protobuf.message", "tensorboard").DecodeError
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            end = 0  # of the last whole record
            while begin := file.read(LENGTH + CHECKSUM):
                length = int.from_bytes(begin[:LENGTH], "little")
                try:
                    if file.tell() + length + CHECKSUM > size:
                        raise EOFError
                    event = kind.FromString(file.read(length))
                except (EOFError, broken):
                    if not end:
                        raise InputError(f"{path} is not an event file of TensorBoard") from None
                    self._notice(f"{path.name} is cut short or damaged at byte {end} of {size}; what is before is kept")
                    return
                end = file.seek(CHECKSUM, os.SEEK_CUR)
                yield event

    def _notice(self, text: str) -> None:
        if text not in self._notices:
            self._notices.append(text)


def event_runs(path: Path) -> dict[str, list[Path]]:
    """Event files by the name of their run, the folder below ``path`` that they lie in; in order of their names.

    Raises:
        InputError: there are none, or there is no such path.
    """
    if path.is_file():
        return {HERE: [path]}
    if not path.exists():
        raise InputError(f"{path}: no such folder; give that of a TensorBoard run")
    runs: defaultdict[str, list[Path]] = defaultdict(list)
    for file in sorted(path.rglob(f"*{EVENT_FILE}*")):
        if file.is_file():
            runs[file.parent.relative_to(path).as_posix()].append(file)
    if not runs:
        raise InputError(f"{path}: there are no event files of TensorBoard in it or below it")
    return dict(runs)


def _number(value: Any) -> float | None:
    """The number of a summary value: a plain one, or a tensor of no dimensions; ``None`` for anything else."""
    what = value.WhichOneof("value")
    if what == "simple_value":
        return float(value.simple_value)
    if what != "tensor" or value.tensor.tensor_shape.dim:
        return None
    if len(value.tensor.float_val) == 1:
        return float(value.tensor.float_val[0])
    from tensorboard.util.tensor_util import make_ndarray

    try:
        number = make_ndarray(value.tensor)
    except (TypeError, ValueError, OverflowError, IndexError):  # of a type that NumPy has not, or wrongly written
        return None
    return float(number.item()) if number.size == 1 and number.dtype.kind in "fiub" else None
