"""Many mutants of one reader, over several processes; a process that a case takes with it is started again."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.readers import make_case
from tests.fuzz.worker import LOADED, REFUSED, ROOM, write_case

ROOT = Path(__file__).parents[2]
FOUND = Path(__file__).with_name("found")
HUNG = 60.0  # s without a word
WORKERS = min(4, os.cpu_count() or 1)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MPLBACKEND": "agg"}


@dataclass
class Tally:
    """What came of a reader's mutants."""

    reader: str
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    memory: float = 0.0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, report: dict[str, Any]) -> None:
        self.counts[report["outcome"]] += 1
        self.slowest = max(self.slowest, report["seconds"])
        self.memory = max(self.memory, report["memory"])
        if report["outcome"] not in (LOADED, REFUSED):
            self.failures.append(report)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def row(self) -> tuple[str, ...]:
        """Cells below HEADS."""
        numbers = (self.total, self.counts[LOADED], self.counts[REFUSED], len(self.failures))
        return (
            self.reader,
            *(f"{number:,}" for number in numbers),
            f"{self.slowest:.2f} s",
            f"{self.memory / 1e6:.0f} MB",
        )


COUNTS = "fuzz counts"  # the property of a test's report, which comes from a worker of xdist too
HEADS = ("reader", "mutants", "loaded", "refused", "failed", "slowest", "most memory")


def run_reader(reader: str, seed: int, count: int, workers: int = WORKERS, found: Path | None = FOUND) -> Tally:
    """Read the mutants 0 … ``count`` − 1 of ``reader`` and save those that failed below ``found``."""
    tally, share = Tally(reader, seed), -(-count // workers)
    parts = [(first, min(share, count - first)) for first in range(0, count, share)]
    with ThreadPoolExecutor(len(parts)) as pool:
        for reports in pool.map(lambda part: list(run_part(reader, seed, *part)), parts):
            for report in reports:
                tally.add(report)
    for failure in tally.failures if found is not None else ():
        save(tally, failure, found)
    return tally


def run_part(reader: str, seed: int, first: int, count: int) -> Iterator[dict[str, Any]]:
    """Reports of ``count`` mutants, from as many processes as it takes."""
    end = first + count
    while first < end:
        begun = first
        for report in _process(reader, seed, first, end - first):
            if "begun" in report:
                begun = report["begun"]
                continue
            yield {"seconds": 0.0, "memory": 0, "number": begun} | report
            first = begun + 1


def _process(reader: str, seed: int, first: int, count: int) -> Iterator[dict[str, Any]]:
    """What one process says; if it ends or falls silent before its last case, that is the last report."""
    with tempfile.TemporaryDirectory(prefix="fz") as folder:
        command = [sys.executable, "-m", "tests.fuzz.worker", reader, *map(str, (seed, first, count)), f"{folder}/c"]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | ONE_THREAD)
        assert worker.stdout is not None
        left, silent, rest = count, False, b""
        try:
            while left and not silent:
                silent = not select.select([worker.stdout], [], [], HUNG)[0]
                piece = b"" if silent else os.read(worker.stdout.fileno(), 65536)
                if not piece:
                    worker.wait(HUNG) if not silent else None
                    break
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    report = json.loads(line)
                    left -= "outcome" in report
                    yield report
        finally:
            worker.kill()
            code = worker.wait()
            worker.stdout.close()
    if left:
        yield (
            {"outcome": "hung", "detail": f"{HUNG:g} s"}
            if silent
            else {"outcome": "crash", "detail": f"exit code {code}"}
        )


def save(tally: Tally, failure: dict[str, Any], found: Path) -> None:
    """The mutant's files, and what came of it, in a folder of their own."""
    folder = found / f"{tally.reader}-{tally.seed}-{failure['number']}"
    folder.mkdir(parents=True, exist_ok=True)
    if failure["outcome"] != ROOM:
        write_case(make_case(tally.reader, tally.seed, failure["number"]), folder)
    (folder / "outcome.txt").write_text(f"{describe(tally, failure)}\n")


def describe(tally: Tally, failure: dict[str, Any]) -> str:
    """A failure with the command that repeats it."""
    again = f'make fuzz ARGS="{tally.reader} --seed {tally.seed} --case {failure["number"]}"'
    return f"{tally.reader} {failure['number']}: {failure['outcome']}: {failure['detail']}\n  again: {again}"


def as_table(counts: Sequence[Sequence[str]]) -> str:
    """The rows of tallies in Markdown, aligned."""
    rows = [HEADS, *counts]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join(" " + "-" * width + " " for width in widths) + "|", *lines[1:]])
