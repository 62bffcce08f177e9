"""Break the code on purpose and see whether the tests of its room notice: ``make mutants ARGS="theory --count 100"``.

The mutants are Cosmic Ray's. They are made in a copy of the tree, so that the tree itself is never broken.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import TestOutcome, WorkItem

ROOT = Path(__file__).parents[2]
# What is mutated, and the tests that are to notice: those of the room, without those that are slow.
ROOMS = {
    "composition": ("gradmidi/composition/*.py", "tests/composition"),
    "theory": ("gradmidi/theory/*.py", "tests/theory"),
    "outputs": ("gradmidi/outputs/*.py", "tests/outputs --ignore tests/outputs/live"),
    "recording": ("gradmidi/recording/*.py", "tests/recording"),
}
TESTS = f"{sys.executable} -m pytest -x -p no:cacheprovider -m 'not slow'"
TIMEOUT = 300.0  # s, after which a mutant that never ends counts as noticed


class Tally(NamedTuple):
    """How many mutants a room had, and the differences that its tests did not notice."""

    room: str
    tried: int
    survivors: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants ARGS=…", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"all, or some of {', '.join(ROOMS)}")
    parser.add_argument("--count", type=int, default=40, help="mutants of each room (40)")
    parser.add_argument("--seed", type=int, default=0, help="another seed chooses other mutants (0)")
    args = parser.parse_args()
    if unknown := [name for name in args.rooms if name not in ROOMS]:
        parser.error(f"no room is called {unknown[0]!r}; there are {', '.join(ROOMS)}")
    with tempfile.TemporaryDirectory(prefix="gradmidi-mutants-") as folder:
        copy_tree(Path(folder))
        os.chdir(folder)
        os.environ["PYTHONPATH"] = folder
        tallies = [run_room(room, args.count, args.seed) for room in args.rooms or ROOMS]
    print("| room | mutants | noticed | share |\n| --- | --- | --- | --- |")
    for room, tried, survivors in tallies:
        noticed = tried - len(survivors)
        print(f"| {room} | {tried} | {noticed} | {noticed / max(tried, 1):.0%} |")
    return 0


def copy_tree(folder: Path) -> None:
    """What git knows of the tree, as it is now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())


def run_room(room: str, count: int, seed: int) -> Tally:
    """Try a random sample of a room's mutants; each survivor is printed when it is found."""
    pattern, tests = ROOMS[room]
    command = f"{TESTS} {tests}"
    outcome, output = _unbroken(command)
    if outcome:
        raise SystemExit(f"the tests of {room} fail without any mutant:\n{output}")
    mutants = all_mutants(sorted(Path().glob(pattern)))
    chosen = random.Random(seed).sample(mutants, min(count, len(mutants)))
    survivors = []
    for number, mutant in enumerate(chosen, 1):
        result = mutate_and_test(mutations=mutant.mutations, test_command=command, timeout=TIMEOUT)
        if result.test_outcome == TestOutcome.SURVIVED:
            survivors.append(str(result.diff))
            print(f"{room} {number}/{len(chosen)}: not noticed\n{result.diff}", flush=True)
    return Tally(room, len(chosen), survivors)


def _unbroken(command: str) -> tuple[int, str]:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def all_mutants(files: list[Path]) -> list[WorkItem]:
    """Every mutant of some files, in an order of their own; those in type hints are left out, as nothing runs them."""
    database = WorkDB(":memory:", WorkDB.Mode.create)
    init(files, database, {})
    hints = {file: hint_spans(file) for file in files}
    found = [item for item in database.work_items if not _in_hint(item, hints)]
    database.close()
    return sorted(found, key=lambda item: str(item.mutations))


def hint_spans(file: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Begin and end, as line and column, of each type hint."""
    hints = []
    for node in ast.walk(ast.parse(file.read_text())):
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(hint, ast.expr):
                hints.append(((hint.lineno, hint.col_offset), (hint.end_lineno or 0, hint.end_col_offset or 0)))
    return hints


def _in_hint(item: WorkItem, hints: dict[Path, list[tuple[tuple[int, int], tuple[int, int]]]]) -> bool:
    mutation = item.mutations[0]
    return any(start <= mutation.start_pos < end for start, end in hints[mutation.module_path])


if __name__ == "__main__":
    sys.exit(main())
