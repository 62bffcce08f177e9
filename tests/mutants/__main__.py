"""Break the code on purpose and see whether the tests of its room notice: ``make mutants ARGS="theory --count 100"``.

The mutants are Cosmic Ray's. They are made in a copy of the tree, so that the tree itself is never broken.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tests.mutants.choosing import all_mutants, equivalents, made, outdated
from tests.mutants.trying import Room

ROOT = Path(__file__).parents[2]
# What is mutated, and the tests that are to notice: those of the room, without those that are slow.
ROOMS = {
    "composition": ("gradmidi/composition/*.py", "tests/composition"),
    "theory": ("gradmidi/theory/*.py", "tests/theory"),
    "outputs": ("gradmidi/outputs/*.py", "tests/outputs --ignore tests/outputs/live"),
    "recording": ("gradmidi/recording/*.py", "tests/recording"),
}


class Tally(NamedTuple):
    """How many mutants of a room were tried, how many of them are equivalent to the original, and how many noticed."""

    room: str
    tried: int
    equivalent: int
    noticed: int

    def __str__(self) -> str:
        share = self.noticed / max(self.tried - self.equivalent, 1)
        return f"| {self.room} | {self.tried} | {self.equivalent} | {self.noticed} | {share:.1%} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants ARGS=…", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"all, or some of {', '.join(ROOMS)}")
    parser.add_argument("--count", type=int, default=40, help="mutants of each room (40)")
    parser.add_argument("--seed", type=int, default=0, help="another seed chooses other mutants (0)")
    parser.add_argument("--quick", action="store_true", help="run only the tests that run the line of the mutant")
    parser.add_argument("--leave-out", nargs="*", default=(), metavar="FILE", help="names of files not to mutate")
    args = parser.parse_args()
    if unknown := [name for name in args.rooms if name not in ROOMS]:
        parser.error(f"no room is called {unknown[0]!r}; there are {', '.join(ROOMS)}")
    with tempfile.TemporaryDirectory(prefix="gradmidi-mutants-") as folder:
        copy_tree(Path(folder))
        os.chdir(folder)
        os.environ.update(PYTHONPATH=folder, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        for file, line in outdated():
            print(f"tests/mutants/equivalent.toml: {file} has no such line any more, judge it again: {line}")
        tallies = [run_room(room, args.count, args.seed, args.leave_out, args.quick) for room in args.rooms or ROOMS]
    print("| room | mutants | equivalent | noticed | of those that are not equivalent |\n|---|---:|---:|---:|---:|")
    print(*tallies, sep="\n")
    return 0


def copy_tree(folder: Path) -> None:
    """What git knows of the tree, as it is now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())


def run_room(room: str, count: int, seed: int, left_out: list[str], quick: bool) -> Tally:
    """Try a random sample of a room's mutants; each that is not noticed is printed when it is found."""
    pattern, tests = ROOMS[room]
    known = equivalents()
    room_tests = Room(tests)
    mutants = all_mutants([file for file in sorted(Path().glob(pattern)) if file.name not in left_out])
    random.Random(seed).shuffle(mutants)
    tried = equivalent = noticed = 0
    for tried, mutant in enumerate(islice(filter(None, map(made, mutants)), count), 1):
        if mutant.change in known:
            equivalent += 1
            continue
        started = time.monotonic()
        seen, output = room_tests.notices(mutant, quick)
        noticed += seen
        outcome = _failure(output) if seen else "not noticed"
        if "FAILED" not in outcome:
            outcome += f"\n{mutant.diff}"
        print(f"{room} {tried}/{count} in {time.monotonic() - started:.1f} s: {outcome}", flush=True)
    return Tally(room, tried, equivalent, noticed)


def _failure(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0][:150] if lines else "noticed, as it never ends or ends the process"


if __name__ == "__main__":
    sys.exit(main())
