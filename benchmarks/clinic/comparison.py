"""Our rules beside the published ones: as published, and at equal false events."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from math import nan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.clinic.faults import FAULTS
from benchmarks.clinic.judge import Verdict, judged, ours
from benchmarks.clinic.published import RULES, not_finite
from benchmarks.clinic.runs import Run
from benchmarks.clinic.verdicts import markdown
from gradmidi.errors import InputError

FACTORS = np.geomspace(0.5, 1024, 23)  # of the published threshold, among which the one at equal false events is chosen
COLUMNS = (
    *("half", "rule", "threshold", "recall", "recall_with_nan_check", "fitting", "false_per_10000", "false", "steps"),
    *("delay_median", "delay_90", "since_shown_median", "since_shown_90"),
)
TUNING, HELD_OUT = "Tuning half", "Held-out half"
GOAL = 1.0  # false events in 10,000 healthy steps
OURS, FIXED = "ours", "not-finite"  # FIXED has no threshold to choose


class Judged(NamedTuple):
    """A rule with a threshold on some runs.

    Attributes:
        name: ``"ours"``, or a name in :data:`benchmarks.clinic.published.RULES`.
        threshold: nan for ours.
        alone: the verdict on the rule.
        checked: on the rule together with a plain check for NaN and Inf, which any script can do besides.
    """

    name: str
    threshold: float
    alone: Verdict
    checked: Verdict

    @property
    def title(self) -> str:
        """For a table."""
        return "**gradmidi**" if self.name == OURS else RULES[self.name].title


def judged_ours(runs: Sequence[Run]) -> Judged:
    """Our rules; each of their events counts, however close together."""
    verdict = judged(ours, runs, merges=False)
    return Judged(OURS, nan, verdict, verdict)


def judged_at(name: str, threshold: float, runs: Sequence[Run]) -> Judged:
    """A published rule; alarms that are close together count once."""
    alone = judged(partial(RULES[name].rule, threshold=threshold), runs)
    return Judged(name, threshold, alone, alone.or_else(judged(not_finite, runs)))


def as_published(names: Sequence[str], runs: Sequence[Run]) -> list[Judged]:
    """Each rule with the threshold of its authors."""
    return [judged_at(name, RULES[name].threshold, runs) for name in names]


def curve(name: str, runs: Sequence[Run]) -> list[Judged]:
    """A rule at a range of thresholds."""
    factors = [1.0] if name == FIXED else FACTORS.tolist()
    return [judged_at(name, factor * RULES[name].threshold, runs) for factor in factors]


def at_most(rate: float, points: Sequence[Judged]) -> Judged | None:
    """The one with the highest recall among those with at most so many false events; None if there is none."""
    quiet = [point for point in points if point.checked.false_rate <= rate]
    return max(quiet, key=lambda point: (point.checked.recall, -point.checked.false_rate), default=None)


def rules_table(judges: Sequence[Judged]) -> str:
    """A Markdown table, one row per rule."""
    head = ["rule", "threshold", "recall", "with NaN check", "fitting name", "false / 10,000 steps"]
    head += ["delay", "90 %", "since it shows", "90 %"]
    return markdown(head, _rows(judges))


def _rows(judges: Sequence[Judged]) -> Iterator[list[str]]:
    for one in judges:
        delays = (*one.checked.delays(), *one.checked.delays(from_shown=True))
        yield [
            one.title,
            "" if np.isnan(one.threshold) else f"{one.threshold:.3g}",
            f"{one.alone.recall:.3f}",
            f"{one.checked.recall:.3f}",
            f"{one.checked.fitting:.3f}",
            f"{one.checked.false_rate:.2f}",
            *("" if np.isnan(delay) else f"{delay:.0f}" for delay in delays),
        ]


def faults_table(judges: Sequence[Judged]) -> str:
    """A Markdown table, one row per kind of fault: how many each rule has found, with the check for NaN and Inf."""
    rows = []
    for fault in FAULTS:
        parts = [one.checked.of(fault) for one in judges]
        if parts and parts[0].found:
            found = [sum(one.alarm is not None for one in part.found) for part in parts]
            rows.append([fault, f"{len(parts[0].found)}", *map(str, found)])
    return markdown(["fault", "show", *(one.title for one in judges)], rows)


def compare(names: Sequence[str], tuning: Sequence[Run], held_out: Sequence[Run], path: Path | None) -> str:
    """Tables for the held-out half, and for the half on which rules and thresholds were chosen.

    Args:
        names: in :data:`benchmarks.clinic.published.RULES`.
        tuning: each rule has the threshold with which it finds most of these, with at most as many false events as
            ours or as the goal.
        held_out: on which it is then judged with that threshold.
        path: where all points are written as CSV.

    Raises:
        InputError: there is no such rule.
    """
    for name in names:
        if name not in RULES:
            raise InputError(f"{name!r} is not a published rule; there are {', '.join(RULES)}")
    ours_there = {TUNING: judged_ours(tuning), HELD_OUT: judged_ours(held_out)}
    runs = {TUNING: tuning, HELD_OUT: held_out}
    curves = {name: curve(name, tuning) for name in names}
    tables, points = {}, {TUNING: list(chain.from_iterable(curves.values())), HELD_OUT: []}
    allowed = {
        "no more false events than ours": ours_there[TUNING].checked.false_rate,
        f"at most {GOAL:g} false event in 10,000 steps": GOAL,
    }
    for beside, rate in allowed.items():
        chosen = {name: at_most(rate, curves[name]) for name in names}
        loud = [RULES[name].title for name, point in chosen.items() if point is None]
        never = f"\n\nWith no threshold so few: {', '.join(loud)}." if loud else ""
        equal = [point for point in chosen.values() if point]
        there = [judged_at(point.name, point.threshold, held_out) for point in equal]
        points[HELD_OUT] += there
        tables[f"{HELD_OUT}, {beside}"] = rules_table([ours_there[HELD_OUT], *there]) + never
        tables[f"{HELD_OUT}, faults found, {beside}"] = faults_table([ours_there[HELD_OUT], *there])
        tables[f"{TUNING}, {beside}"] = rules_table([ours_there[TUNING], *equal]) + never
    for half in (HELD_OUT, TUNING):
        published = as_published(names, runs[half])
        tables[f"{half}, thresholds as published"] = rules_table([ours_there[half], *published])
        points[half] += published
    if path:
        save_csv(path, [(half, [ours_there[half], *points[half]]) for half in (TUNING, HELD_OUT)])
    return "\n\n".join(f"### {title}\n\n{tables[title]}" for title in sorted(tables))


def save_csv(path: Path, halves: Sequence[tuple[str, Sequence[Judged]]]) -> None:
    """Write every point that was judged, one row each."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for half, points in halves:
            for one in points:
                verdict = one.checked
                figures = [one.threshold, one.alone.recall, verdict.recall, verdict.fitting, verdict.false_rate]
                delays = [*verdict.delays(), *verdict.delays(from_shown=True)]
                counts = [len(verdict.false), verdict.steps]
                writer.writerow([half, one.name, *map(_short, figures), *counts, *map(_short, delays)])


def _short(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
