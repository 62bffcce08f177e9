"""The clinic as a table: how many of the runs of each kind show, and in which ways."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.clinic.faults import FAULTS, held_out
from benchmarks.clinic.healthy import NUDGED, TWIN
from benchmarks.clinic.runs import load, load_runs, load_truths, path_of
from benchmarks.clinic.truth import FLAT_WINDOW, shown
from benchmarks.clinic.wards import SLOWER, WARDS

TUNED = "mlp"  # an architecture of which only the kinds that are held out are


def table(folder: Path) -> str:
    """A Markdown table, one row per kind of fault: runs that show, of those made, per architecture; ways, counted."""
    truths = list(load_truths(folder).values())
    lines = [f"| fault | {' | '.join(WARDS)} | ways |", "|---" * (len(WARDS) + 2) + "|"]
    for kind in FAULTS:
        runs = [truth for truth in truths if truth.fault == kind]
        cells = []
        for arch in WARDS:
            there = [truth.shows for truth in runs if truth.arch == arch]
            cells.append(f"{sum(there)}/{len(there)}" if there else "")
        ways = Counter(way for truth in runs for way in truth.ways)
        told = ", ".join(f"{way} {count}" for way, count in ways.most_common())
        mark = " (held out)" if held_out(TUNED, kind, 0) else ""
        lines.append(f"| {kind}{mark} | {' | '.join(cells)} | {told} |")
    return "\n".join([*lines, "", chaos(folder), unlearnt(folder)])


def chaos(folder: Path) -> str:
    """How many harmless runs, whose weights differ from their twin's by a hundred-thousandth, would show as faults."""
    nudged = list(load_runs(folder, f"*.{NUDGED}.*"))
    twins = [load(path_of(folder, f"{run.truth.arch}.{TWIN}.{run.truth.seed}")) for run in nudged]
    seen = sum(bool(shown(run.recording, twin, 0)) for run, twin in zip(nudged, twins, strict=True))
    return f"Nudged twins, in which nothing is wrong, that would show: {seen} of {len(nudged)}."


def unlearnt(folder: Path) -> str:
    """Which healthy runs did not learn, and so are none."""
    names = []
    for name, recording, truth in load_runs(folder, f"*.{TWIN}*"):
        most = WARDS[truth.arch].healthy_loss * (1 if truth.fault == TWIN else SLOWER)
        if not np.median(recording.metrics["loss"][-FLAT_WINDOW:]) < most:
            names.append(name)
    return f"Healthy runs that did not learn: {', '.join(names) or 'none'}."
