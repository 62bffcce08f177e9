"""The tables of a listening test, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradmidi.printable import counted
from gradmidi.quiz.bank import named

if TYPE_CHECKING:
    from gradmidi.cli.console import Reporter
    from gradmidi.quiz.scoring import Condition, Sensitivity, Share, Table


def show(reporter: Reporter, condition: Condition) -> None:
    """Print what the answers under one condition amount to."""
    whole = condition.whole
    people = counted(len(condition.listeners), "listener")
    reporter.line(f"Sound {condition.sound}, protocol {condition.protocol}: {people}, {_trials(whole.accuracy.of)}")
    for line in _lines(whole):
        reporter.line(line)
    reporter.line("")
    heads = ("truth", *(f"heard {named(kind)}" for kind in whole.kinds))
    rows = [(named(truth), *(str(whole.confusion[truth][kind]) for kind in whole.kinds)) for truth in whole.kinds]
    reporter.table(heads, rows, title="Confusion: a row is the truth, a column what was heard, a number counts trials")
    reporter.line("")
    signals = {f"{named(kind)} or not": found for kind, found in whole.sensitivity.items()}
    if whole.noticing is not None:
        signals["a change or none"] = whole.noticing
    reporter.table(
        ("distinguished", "hits", "false alarms", "d'", "criterion"),
        [(name, *_cells(found)) for name, found in signals.items()],
        title="d' with the log-linear correction (Hautus 1995)",
    )
    reporter.line("")
    if len(condition.listeners) > 1:
        reporter.table(
            ("listener", "trials", "right", "mean d'", "median reaction s"),
            [(name, *_person(one)) for name, one in condition.listeners.items()],
            title="Each listener",
        )
        reporter.line("")


def as_json(condition: Condition) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "sound": condition.sound,
        "protocol": condition.protocol,
        "whole": _plain(condition.whole),
        "listeners": {name: _plain(one) for name, one in condition.listeners.items()},
    }


def _lines(found: Table) -> list[str]:
    # In the dual protocol the kinds are not equally frequent, so there is no single share that guessing gives.
    chance = "" if found.noticing else f"; guessing gives {1 / len(found.kinds):.0%}"
    lines = [f"Right kind: {_share(found.accuracy)}{chance}"]
    if found.layers is not None:
        lines.append(f"Right layer, where the kind was right: {_share(found.layers)}")
    if found.reaction is not None:
        lines.append(f"Median reaction: {found.reaction:.2f} s")
    if found.early:
        lines.append(f"Changes reported before there was one: {found.early}")
    if found.sums is not None:
        lines.append(f"Right sums: {_share(found.sums)}")
    return lines


def _share(found: Share) -> str:
    return f"{found.right} of {found.of}, {found.value:.0%} (95% interval {found.low:.0%} to {found.high:.0%})"


def _cells(found: Sensitivity) -> tuple[str, ...]:
    hits, false = f"{found.hits} of {found.signals}", f"{found.false_alarms} of {found.others}"
    return hits, false, f"{found.d_prime:.2f}", f"{found.criterion:.2f}"


def _person(found: Table) -> tuple[str, ...]:
    each = [one.d_prime for one in found.sensitivity.values()]
    d_prime = f"{sum(each) / len(each):.2f}" if each else ""
    reaction = "" if found.reaction is None else f"{found.reaction:.2f}"
    return str(found.accuracy.of), f"{found.accuracy.value:.0%}", d_prime, reaction


def _trials(number: int) -> str:
    return counted(number, "trial")


def _plain(value: Any) -> Any:
    """Named tuples as dictionaries, however deep."""
    if hasattr(value, "_asdict"):
        return {name: _plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value
