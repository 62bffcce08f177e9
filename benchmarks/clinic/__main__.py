"""Make the clinic's recordings, show what there is, and judge the rules on them.

python -m benchmarks.clinic make --data DIR [--jobs 2] [--only 'lstm.*']
python -m benchmarks.clinic truths --data DIR          compare the faulty runs with their twins again
python -m benchmarks.clinic table --data DIR
python -m benchmarks.clinic sample --data DIR          copy the few runs that tests use into the repository
python -m benchmarks.clinic quiz --data DIR            take the runs of `gradmidi quiz` into the package
python -m benchmarks.clinic judge --data DIR [--held-out] [--list] [--only 'mlp.*']            our events
python -m benchmarks.clinic judge --data DIR --rules all [--csv FILE]      published rules beside them, on both halves
python -m benchmarks.clinic agree --data DIR [--only 'mlp.*']          our events, a row at a time and all at once
python -m benchmarks.clinic targets                                    six runs on which the old rules misfired
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m benchmarks.clinic", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=COMMANDS)
    parser.add_argument("--data", "--out", type=Path, metavar="DIR", help="where the recordings are kept")
    parser.add_argument("--jobs", type=int, default=2, help="how many trainings run at a time")
    parser.add_argument("--only", default="*", metavar="GLOB", help="only the runs whose name matches")
    parser.add_argument("--held-out", action="store_true", help="judge on the half that no rule was tuned on")
    parser.add_argument("--list", action="store_true", help="name each fault that was missed and each false event")
    parser.add_argument("--rules", default="ours", help="rules to judge: ours, all, or names of published ones: a,b,c")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write each rule at each threshold")
    options = parser.parse_args()
    if options.data is None and options.what not in WITHOUT_DATA:
        parser.error(f"{options.what} needs --data DIR")
    COMMANDS[options.what](options)


def _make(options: argparse.Namespace) -> None:
    from benchmarks.clinic.making import make

    make(options.data, options.jobs, options.only)


def _truths(options: argparse.Namespace) -> None:
    from benchmarks.clinic.making import judge

    judge(options.data)


def _table(options: argparse.Namespace) -> None:
    from benchmarks.clinic.table import table

    print(table(options.data))


def _sample(options: argparse.Namespace) -> None:
    from benchmarks.clinic.sample import SAMPLE_FOLDER, take_sample

    take_sample(options.data, SAMPLE_FOLDER)


def _quiz(options: argparse.Namespace) -> None:
    from benchmarks.clinic.quiz import take_runs

    take_runs(options.data)


def _judge(options: argparse.Namespace) -> None:
    from benchmarks.clinic.comparison import compare
    from benchmarks.clinic.judge import judged, ours
    from benchmarks.clinic.published import RULES
    from benchmarks.clinic.runs import Run, load_runs
    from benchmarks.clinic.verdicts import by_fault, false_events, missed, summary

    halves: dict[bool, list[Run]] = {False: [], True: []}
    for run in load_runs(options.data, options.only):
        halves[run.truth.held_out].append(run)
    if options.rules != "ours":
        names = list(RULES) if options.rules == "all" else options.rules.split(",")
        print(compare(names, halves[False], halves[True], options.csv))
        return
    runs = halves[options.held_out]
    verdict = judged(ours, runs, merges=False)
    print(by_fault(verdict), summary(verdict), sep="\n\n")
    if options.list:
        print(
            "\nmissed, or without a fitting name:",
            *missed(verdict),
            "\nfalse events:",
            *false_events(verdict),
            sep="\n",
        )


def _agree(options: argparse.Namespace) -> None:
    from benchmarks.clinic.agreement import agreement
    from benchmarks.clinic.runs import load_runs

    runs, events, different = agreement(load_runs(options.data, options.only))
    print(f"{runs} runs with {events} events, {len(different)} differences", *different, sep="\n")
    sys.exit(bool(different))


def _targets(options: argparse.Namespace) -> None:
    from benchmarks.clinic.targets import targets

    print(targets())


WITHOUT_DATA = ("targets",)
COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "make": _make,
    "truths": _truths,
    "table": _table,
    "sample": _sample,
    "quiz": _quiz,
    "judge": _judge,
    "agree": _agree,
    "targets": _targets,
}

if __name__ == "__main__":
    main()
