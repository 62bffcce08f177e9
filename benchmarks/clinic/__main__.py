"""Make the clinic's recordings, judge them again, or show what there is.

python -m benchmarks.clinic make --out DIR [--jobs 2] [--only 'lstm.*']
python -m benchmarks.clinic judge --out DIR
python -m benchmarks.clinic table --out DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m benchmarks.clinic", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["make", "judge", "table"])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the recordings are kept")
    parser.add_argument("--jobs", type=int, default=2, help="how many trainings run at a time")
    parser.add_argument("--only", default="*", metavar="GLOB", help="make only the runs whose name matches")
    options = parser.parse_args()
    if options.what == "make":
        from benchmarks.clinic.making import make

        make(options.out, options.jobs, options.only)
    elif options.what == "judge":
        from benchmarks.clinic.making import judge

        judge(options.out)
    else:
        from benchmarks.clinic.table import table

        print(table(options.out))


if __name__ == "__main__":
    main()
