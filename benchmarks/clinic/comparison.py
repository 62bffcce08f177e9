"""Our rules beside the published ones: as published, and at equal false events."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from math import nan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.clinic.faults import FAULTS
from benchmarks.clinic.judge import Verdict, judged, judged_alarms, ours
from benchmarks.clinic.published import RULES, not_finite
from benchmarks.clinic.runs import Run
from benchmarks.clinic.verdicts import markdown

FACTORS = np.geomspace(0.5, 1024, 23)  # of the published threshold, among which the one at equal false events is chosen
COLUMNS = (
    *("half", "rule", "threshold", "recall", "recall_with_nan_check", "fitting", "false_per_10000", "false", "steps"),
    *("delay_median", "delay_90", "since_shown_median", "since_shown_90"),
)
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
    said = [RULES[name].rule(run.recording, threshold) for run in runs]
    checked = [[*one, *not_finite(run.recording)] for one, run in zip(said, runs, strict=True)]
    return Judged(name, threshold, judged_alarms(said, runs), judged_alarms(checked, runs))


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
