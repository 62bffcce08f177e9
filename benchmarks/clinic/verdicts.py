"""Verdicts on rules as tables and lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.clinic.faults import FAULTS
from benchmarks.clinic.judge import Verdict
from benchmarks.clinic.wards import WARDS


def by_fault(verdict: Verdict) -> str:
    """A Markdown table, one row per kind of fault: found / shown per architecture, and how many have a fitting name."""
    faults = [name for name in FAULTS if verdict.of(name).found]
    rows = [*([name, *_cells(verdict.of(name))] for name in faults), ["**all**", *_cells(verdict)]]
    return markdown(["fault", *WARDS, "all", "fitting name", "delay", "90 %"], rows)


def missed(verdict: Verdict) -> Iterator[str]:
    """A line for each fault that shows and was not found, or not given a fitting name."""
    for one in verdict.found:
        if not one.fits:
            ways = sorted(one.run.truth.shown.items(), key=lambda item: item[1])
            shown = ", ".join(f"{way} {at}" for way, at in ways)
            said = f"only {', '.join(one.kinds)}" if one.kinds else "nothing"
            yield f"{one.run.name}: {said}; onset {one.run.truth.onset}, shows {shown}"


def false_events(verdict: Verdict) -> Iterator[str]:
    """A line for each false event."""
    for name, alarm in verdict.false:
        yield f"{name}: {alarm.kind} at row {alarm.row}: {alarm.text}"


def summary(verdict: Verdict) -> str:
    """The figures in one line."""
    delay, late = verdict.delays()
    since, latest = verdict.delays(from_shown=True)
    return (
        f"recall {verdict.recall:.3f} (fitting name {verdict.fitting:.3f}) of {len(verdict.found)} faults that show; "
        f"{len(verdict.false)} false events in {verdict.steps} healthy steps: {verdict.false_rate:.2f} in 10,000; "
        f"delay median {delay:.0f}, 90 % {late:.0f}; since it shows {since:.0f}, {latest:.0f}"
    )


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def _cells(verdict: Verdict) -> list[str]:
    parts = [*(verdict.of(arch=arch) for arch in WARDS), verdict]
    found = [f"{sum(one.alarm is not None for one in part.found)}/{len(part.found)}" for part in parts]
    return [
        *("" if cell == "0/0" else cell for cell in found),
        f"{sum(one.fits for one in verdict.found)}",
        *(f"{delay:.0f}" for delay in verdict.delays()),
    ]
