"""TensorBoard's event files as logs: every point of every scalar, however it was written.

The files' records are framed here and parsed by TensorBoard's own message classes. Its reader checks each record's
checksum in Python, which takes five times as long, and its accumulator keeps 10,000 points per tag unless configured
otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.logs.points import Points, PointStore
from gradmidi.logs.runs import HERE, Choice, choose_runs
from gradmidi.requirements import require

EVENT_FILE = "tfevents"  # in the name of every event file
VERSION = b"brain.Event:"  # in the first record of every event file
LENGTH, CHECKSUM = 8, 4  # bytes: a record is its length, a checksum of that, the message, a checksum of that
# A message of nothing but empty values takes forty times its bytes; one that holds numbers is far shorter than this.
LARGEST = 2**20
SOME = 12  # histograms in a message

Files = dict[str, list[Source]]


class Point(NamedTuple):
    """A number that was logged; ``tag`` is empty for a restart, after which later points are written again."""

    tag: str
    step: int
    value: float


class EventLog:
    """One run, or several that fit a glob, of a folder of event files, or one file.

    Points that a restarted run wrote again replace those of before. A file that ends within a record, as that of a
    killed run may, is read up to that point, with a notice.

    Args:
        source: a folder, the folder of several runs, or an event file.
        runs: its event files by run, as :func:`event_runs` finds them.
        choice: what the user chose. A run is called as TensorBoard shows it, by its folder below the one given; a glob
            joins several, whose columns are then called ``run/tag``.

    Raises:
        InputError: there are no event files, several runs, or no run of that name.
        MissingPartError: tensorboard is not installed.
    """

    def __init__(self, source: Source, runs: Files, choice: Choice) -> None:
        self.source = source.name
        self.histograms: list[str] = []
        self.notices: list[str] = []
        chosen = choose_runs(self.source, runs, choice, lambda name: self._tags(runs[name]))
        self.size = sum(file.size for name in chosen for file in runs[name])
        self._store = PointStore(self.source, self.size)
        for name in chosen:
            self._read(runs[name], f"{name}/" if len(chosen) > 1 else "")
        self.names = self._store.names
        called = source.path.resolve().name
        title = called if chosen == [HERE] else f"{called}/{', '.join(chosen)}"
        self.meta = {"title": title, "source": called, "run": ", ".join(chosen)}

    def parts(self, wanted: Sequence[str]) -> list[Points]:
        """See :class:`gradmidi.logs.series.Log`."""
        return [self._store.points(wanted)]

    def _tags(self, files: list[Source]) -> Iterator[str]:
        """The tags of a run, each once; the files are read only as far as is asked for."""
        seen = {""}
        for tag in (point.tag for file in files for point in self._numbers(file)):
            if tag not in seen:
                seen.add(tag)
                yield tag

    def _read(self, files: list[Source], prefix: str) -> None:
        begin = len(self._store)
        for file in files:
            for tag, step, value in self._numbers(file):
                if tag:
                    self._store.add(prefix + tag, step, value)
                else:
                    self._store.restart(begin, step)

    def _numbers(self, file: Source) -> Iterator[Point]:
        proto = require("tensorboard.compat.proto.event_pb2", "tensorboard")
        start = proto.SessionLog.START
        for event in self._events(file, proto.Event):
            if event.HasField("session_log") and event.session_log.status == start:
                yield Point("", event.step, 0.0)
            for value in event.summary.value:
                number = _number(value)
                if number is not None:
                    yield Point(value.tag, event.step, number)
                elif _is_histogram(value) and len(self.histograms) < SOME and value.tag not in self.histograms:
                    self.histograms.append(value.tag)

    def _events(self, source: Source, kind: Any) -> Iterator[Any]:
        broken: type[Exception] = require("google.protobuf.message", "tensorboard").DecodeError
        left_out = 0
        with source.opened() as file:
            end = 0  # of the last whole record
            while begin := file.read(LENGTH + CHECKSUM):
                length = int.from_bytes(begin[:LENGTH], "little")
                try:
                    if file.tell() + length + CHECKSUM > source.size:
                        raise EOFError
                    event = kind.FromString(file.read(length)) if length <= LARGEST else None
                except (EOFError, broken):
                    if not end:
                        raise InputError(f"{source.name} is not an event file of TensorBoard") from None
                    what = f"is cut short or damaged at byte {end} of {source.size}; what is before is kept"
                    self._notice(f"{source.path.name} {what}")
                    break
                end = file.seek(end + LENGTH + CHECKSUM + length + CHECKSUM)
                if event is not None:
                    yield event
                left_out += event is None
        if left_out:
            what = f"records of more than {LARGEST // 2**20} MiB (pictures, a graph) are left out"
            self._notice(f"{source.path.name}: {left_out:,} {what}")

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


def event_runs(source: Source) -> Files:
    """Event files by the name of their run, the folder below that they lie in; in order of their names."""
    if not source.is_folder:
        return {HERE: [source]}
    runs: defaultdict[str, list[Source]] = defaultdict(list)
    for file in sorted(source.path.rglob(f"*{EVENT_FILE}*")):
        if file.is_file():
            runs[file.parent.relative_to(source.path).as_posix()].append(Source(file))
    return dict(runs)


def open_events(source: Source, choice: Choice) -> EventLog:
    """The log of a folder of event files, or of one of them; see :class:`EventLog`.

    Raises:
        InputError: there are no event files, several runs, or no run of that name.
        MissingPartError: tensorboard is not installed.
    """
    runs = event_runs(source)
    if not runs:
        raise InputError(f"{source.name}: there are no event files of TensorBoard in it or below it")
    return EventLog(source, runs, choice)


def _is_histogram(value: Any) -> bool:
    is_histogram: bool = value.metadata.plugin_data.plugin_name == "histograms"
    return is_histogram or value.WhichOneof("value") == "histo"


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
    except (TypeError, ValueError, OverflowError, LookupError):  # of a type that NumPy has not, or wrongly written
        return None
    return float(number.item()) if number.size == 1 and number.dtype.kind in "fiub" else None
