"""NVIDIA's DLLogger as a log: lines of ``DLLL {…}``, also among other lines, as where the output was kept.

A step is a number, or the epoch and the iteration in it (and a third number in a validation), or only the epoch for
its summary. The format: https://github.com/NVIDIA/dllogger (read as documented, none of it copied).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.logs.json_log import Row
from gradmidi.logs.json_text import numbers, parse
from gradmidi.logs.row_log import RowLog
from gradmidi.logs.text import lines_of

MARK = "DLLL "
PREFIX = 40  # characters that a launcher may put before it, such as the rank
STEP, EPOCH = "step", "epoch"


def open_dllogger(source: Source) -> RowLog:
    """The log; if iterations restart with each epoch, the steps continue from the previous epoch.

    Raises:
        InputError: a line is not what DLLogger writes, or there are no numbers.
    """
    notices: list[str] = []
    histograms: list[str] = []
    rows = _rows(source, notices, histograms)
    meta = {"title": source.path.stem, "source": source.path.name}
    return RowLog(source.name, source.size, meta, rows, STEP, notices=notices, histograms=histograms)


def _rows(source: Source, notices: list[str], histograms: list[str]) -> Iterator[Row]:
    clock, others = _Clock(), 0
    for number, line in lines_of(source):
        begin = line.find(MARK, 0, PREFIX)
        if begin < 0:
            others += 1
            continue
        try:
            found = parse(line[begin + len(MARK) :], source.name, number)
        except InputError:
            if line.endswith("\n"):
                raise
            notices.append(f"{source.path.name}, line {number} is cut short; the lines before it are kept")
            continue
        if not isinstance(found, dict) or found.get("type") != "LOG" or not isinstance(found.get("data"), dict):
            continue
        where = f"{source.name}, line {number}"
        if (at := clock.read(found.get("step"), where)) is not None:
            yield number, _numbers(at, found["data"], where, histograms)
    if others:
        notices.append(f"{others:,} lines of {source.path.name} are not DLLogger's and were left out")


def _numbers(
    at: Mapping[str, float], data: Mapping[str, Any], where: str, histograms: list[str]
) -> Iterator[tuple[str, float]]:
    yield from ((name, value) for name, value in at.items() if name not in data or name == STEP)
    yield from ((name, value) for name, value in numbers(data, where, histograms) if name != STEP)


class _Clock:
    """Steps from what DLLogger calls so."""

    def __init__(self) -> None:
        self._epoch = 0.0
        self._begun = 0.0  # steps before this epoch
        self._last = -1.0  # largest iteration of this epoch
        self._from_zero = False
        self._has_iterations = False

    def read(self, step: Any, where: str) -> dict[str, float] | None:
        """The step, and the epoch where it is known; ``None`` for what is no step, as parameters and summaries.

        Raises:
            InputError: a step is of another shape.
        """
        if isinstance(step, str) or step is None or step == []:
            return None
        parts = step if isinstance(step, list) else [step]
        if not all(isinstance(part, int | float) and not isinstance(part, bool) for part in parts):
            raise InputError(f"{where}: a step of DLLogger is a number or some of them")
        if not isinstance(step, list):
            return {STEP: float(step)}
        if len(parts) == 1:
            return None if self._has_iterations else {STEP: float(parts[0]), EPOCH: float(parts[0])}
        return {STEP: self._step(float(parts[0]), float(parts[1])), EPOCH: float(parts[0])}

    def _step(self, epoch: float, iteration: float) -> float:
        self._has_iterations = True
        if epoch != self._epoch:
            if iteration <= self._last:  # it is not counted through all epochs
                self._begun += self._last + self._from_zero
                self._last = -1.0
            self._epoch = epoch
        self._from_zero |= iteration == 0
        self._last = max(self._last, iteration)
        return self._begun + iteration
