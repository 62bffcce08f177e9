"""`gradmidi doctor RUN …`: the health of runs as text, a table or JSON."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradmidi.cli.source_options import read_recording
from gradmidi.errors import InputError, MissingPartError

if TYPE_CHECKING:
    from gradmidi.cli.console import Reporter
    from gradmidi.events.verdict import Trouble, Verdict

UNREADABLE = "unreadable"
STYLES = {"healthy": "bold green", "sick": "bold red", "unknown": "bold yellow"}
HEADS = ("file", "verdict", "steps", "loss", "found")


def check_runs(args: argparse.Namespace, reporter: Reporter) -> int:
    """Examine the runs of a command line; returns 1 if any of them is sick, otherwise 0.

    Raises:
        InputError: a run cannot be read; those that can are reported before.
    """
    names = _without_events(args.runs, reporter)
    verdicts: dict[str, Verdict] = {}
    errors: dict[str, str] = {}
    with reporter.progress("examining", len(names)) as bar:
        for number, name in enumerate(names):
            bar.show(number, name)
            try:
                verdicts[name] = _examined(args, name, reporter)
            except (InputError, MissingPartError) as error:  # the exit code of a part that is missing means sick here
                errors[name] = str(error)
    if len(names) > 1:
        reporter.table(HEADS, [_row(name, verdicts.get(name)) for name in names])
    elif verdicts:
        _tell(reporter, names[0], verdicts[names[0]])
    reporter.result([_as_json(name, verdicts.get(name), errors.get(name)) for name in names])
    if errors:
        raise InputError("; ".join(errors.values()))
    return int(any(verdict.troubles for verdict in verdicts.values()))


def _without_events(names: Sequence[str], reporter: Reporter) -> list[str]:
    """Each name once, without the events files that lie next to recordings and match ``runs/*.csv``, too."""
    from gradmidi.recording.companion import is_events

    events = [name for name in names if name.endswith("events.csv") and is_events(Path(name))]
    kept = [name for name in dict.fromkeys(names) if name not in events]
    if not kept:
        raise InputError(f"{events[0]}: these are the events of a recording; give the recording next to it")
    if events:
        reporter.say(f"left out, as they are events and not recordings: {', '.join(events)}")
    return kept


def _examined(args: argparse.Namespace, name: str, reporter: Reporter) -> Verdict:
    from gradmidi.events.verdict import verdict_of

    recording = read_recording(args, name)
    if "notice" in recording.meta:
        reporter.say(recording.meta["notice"], style="yellow")
    return verdict_of(recording)


def _tell(reporter: Reporter, name: str, verdict: Verdict) -> None:
    from gradmidi.events.verdict_text import lines_of

    for number, line in enumerate(lines_of(verdict, name)):
        reporter.line(line, style=STYLES[verdict.health] if number == 1 else "")


def _row(name: str, verdict: Verdict | None) -> tuple[str, ...]:
    from gradmidi.events.verdict_text import found, loss_of

    if verdict is None:
        return name, UNREADABLE, "", "", ""
    return name, verdict.health, str(verdict.steps), loss_of(verdict).removeprefix("loss "), found(verdict)


def _as_json(name: str, verdict: Verdict | None, error: str | None) -> dict[str, Any]:
    """A verdict as docs/events.md describes it; the keys are a contract."""
    from gradmidi.events import KINDS
    from gradmidi.events.verdict_text import sentence

    if verdict is None:
        return {"run": name, "verdict": UNREADABLE, "error": error}
    loss = None if verdict.loss is None else dict(zip(("first", "last"), map(_number, verdict.loss), strict=True))
    return {
        "run": name,
        "verdict": verdict.health,
        "lasting": verdict.is_lasting,
        "summary": sentence(verdict),
        "steps": verdict.steps,
        "first_step": verdict.first_step,
        "last_step": verdict.last_step,
        "layers": verdict.layers,
        "loss": loss,
        "troubles": [_trouble(trouble) for trouble in verdict.troubles],
        "advice": [
            {
                "kind": kind,
                "meaning": KINDS[kind].meaning,
                "causes": list(KINDS[kind].causes),
                "remedies": list(KINDS[kind].remedies),
            }
            for kind in verdict.kinds
        ],
        "unchecked": [{"kinds": list(kinds), "why": why} for kinds, why in verdict.unchecked],
    }


def _trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "kind": trouble.kind,
        "where": trouble.where,
        "layers": list(trouble.layers),
        "since": trouble.since,
        "step": trouble.step,
        "until": trouble.until,
        "momentary": trouble.is_momentary,
        "lasting": trouble.is_lasting,
        "value": _number(trouble.value),
        "usual": _number(trouble.usual),
        "ratio": _number(trouble.ratio),
        "seen": trouble.seen,
    }


def _number(value: float) -> float | None:
    """JSON has neither NaN nor Infinity."""
    return value if math.isfinite(value) else None
