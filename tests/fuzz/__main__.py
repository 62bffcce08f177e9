"""More mutants than the tests read: ``make fuzz ARGS="npz mid --count 5000 --seed 1"``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.readers import READERS
from tests.fuzz.room import FOUND, WORKERS, Tally, as_table, describe, run_part, run_reader, save

SHOWN = 10  # failures of a reader


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=…", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"all, or some of {', '.join(READERS)}")
    parser.add_argument("--count", type=int, default=2000, help="mutants of each reader (2000)")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other mutants (0)")
    parser.add_argument("--case", type=int, metavar="N", help="only this mutant")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes at once ({WORKERS})")
    parser.add_argument("--found", type=Path, default=FOUND, help="folder for the mutants that fail (tests/fuzz/found)")
    args = parser.parse_args()
    if unknown := [name for name in args.readers if name not in READERS]:
        parser.error(f"no reader is called {unknown[0]!r}; there are {', '.join(READERS)}")
    tallies = []
    for name in args.readers or READERS:
        if args.case is None:
            tally = run_reader(name, args.seed, args.count, args.workers, args.found)
        else:
            tally = Tally(name, args.seed)
            for report in run_part(name, args.seed, args.case, 1):
                tally.add(report)
                print(describe(tally, report))
                save(tally, report, args.found)
        tallies.append(tally)
        for failure in tally.failures[:SHOWN] if args.case is None else ():
            print(describe(tally, failure), flush=True)
    print(as_table([tally.row() for tally in tallies]))
    if any(tally.failures for tally in tallies):
        print(f"the mutants that failed are in {args.found}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
