"""A verdict in about ten lines of plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gradmidi.events.kinds import KINDS
from gradmidi.events.rules import DEFAULTS
from gradmidi.events.telling import as_times
from gradmidi.events.verdict import HEALTHY, UNKNOWN, Trouble, Verdict
from gradmidi.printable import counted

MOST_ALONE = 2  # troubles of one kind that have a line each; more of them share one
MOST_LINES = 5  # of troubles; more of them are told by kind, and the least grave kinds by name only
FEW_LINES = 3  # with which there is room for the advice on a third kind
MOST_ADVICE = 3  # kinds whose causes and remedies are told
MOST_POINTS = 3  # causes or remedies of each of them
WINDOWED = ("drift", "noise")  # a mean over a window decides, which begins before them

# The figures of a trouble: with what they were compared with, and without. {…_factor} is e to their power.
EVIDENCE = {
    "explosion": ("norm {value}, {times} times its recent peak of {usual}", "norm {value}"),
    "bad-start": ("norm {value} at a loss of {usual}", "norm {value}"),
    "drift": ("norm {value}, {times} times that of the first steps, {usual}", "norm {value}"),
    "spike": ("norm {value}, {times} times its recent peak of {usual}", "norm {value}"),
    "vanishing": ("norm {value}, compared with {usual}", "norm {value}"),
    "frozen": ("update ratio {value}, compared with {usual}", "update ratio {value}"),
    "noise": ("norms vary by a factor of {factor} from step to step, at first by {usual_factor}", ""),
    "loss-spike": ("loss {value}, {times} times its recent peak of {usual}", "loss {value}"),
    "plateau": ("loss {value}, in the first steps {usual}", "loss {value}"),
}


def lines_of(verdict: Verdict, name: str) -> list[str]:
    """What happened when, in which layer, what usually causes it and what people try.

    Args:
        verdict: of a run.
        name: what the run is called.
    """
    troubles = _trouble_lines(verdict)
    advised = verdict.kinds[: MOST_ADVICE - (len(troubles) > FEW_LINES)]
    return [
        f"{name}: {about(verdict)}",
        sentence(verdict),
        *(f"  {line}" for line in troubles),
        *_advice(advised),
        *_unchecked(verdict),
    ]


def about(verdict: Verdict) -> str:
    """The size of a run and its loss."""
    if verdict.first_step is None or verdict.last_step is None:
        return f"no steps × {counted(verdict.layers, 'layer')}"
    span = f"steps {verdict.first_step} to {verdict.last_step}"
    apart = verdict.last_step - verdict.first_step + 1 != verdict.steps
    size = f"{verdict.steps} measured, {span}" if apart else span
    return f"{size}, {counted(verdict.layers, 'layer')}, {loss_of(verdict)}"


def loss_of(verdict: Verdict) -> str:
    """The loss at both ends of a run."""
    if verdict.loss is None:
        return "loss unknown"
    first, last = (f"{value:.3g}" for value in verdict.loss)
    return f"loss {first} → {last.replace('nan', 'NaN')}"


def sentence(verdict: Verdict) -> str:
    """The verdict in one line."""
    if verdict.health == UNKNOWN:
        return f"no verdict: {counted(verdict.steps, 'measured step')} cannot tell; {DEFAULTS.warm_up} are needed"
    if verdict.health == HEALTHY:
        return "healthy: nothing was found"
    first, *more = verdict.troubles
    lasting = [KINDS[kind].title for kind in verdict.kinds if _lasts(verdict, kind)]
    others = [title for title in lasting if not (first.is_lasting and title == KINDS[first.kind].title)]
    said = f"sick: {'first ' if more else ''}{named(first, verdict.layers)} {when(first)}"
    if others:
        return f"{said}; {_listed(others)} to the end{', too' if first.is_lasting else ''}"
    return f"{said}; all over" if more and not lasting else said


def found(verdict: Verdict) -> str:
    """What was found first, and the other kinds, in a cell of a table."""
    if not verdict.troubles:
        return ""
    first = verdict.troubles[0]
    others = [KINDS[kind].title for kind in verdict.kinds if kind != first.kind]
    return f"{named(first, verdict.layers)} {when(first)}" + (f"; also {_listed(others)}" if others else "")


def named(trouble: Trouble, layers: int) -> str:
    """What it is and in which of ``layers`` layers."""
    return KINDS[trouble.kind].title + _place(trouble, layers)


def when(trouble: Trouble) -> str:
    """Its steps."""
    if trouble.is_momentary:
        return f"at step {trouble.since}"
    about = "about " if trouble.kind in WINDOWED else ""
    return f"from {about}step {trouble.since}" + (
        " to the end" if trouble.until is None else f", over by step {trouble.until}"
    )


def evidence(trouble: Trouble) -> str:
    """Its figures, or an empty text."""
    compared, alone = EVIDENCE.get(trouble.kind, ("", ""))
    if math.isnan(trouble.value):
        return "no gradient" if trouble.kind == "frozen" else ""
    return (alone if math.isnan(trouble.usual) else compared).format(
        value=f"{trouble.value:.3g}",
        usual=f"{trouble.usual:.3g}",
        times=as_times(trouble.ratio),
        factor=_factor(trouble.value),
        usual_factor=_factor(trouble.usual),
    )


def _factor(value: float) -> str:
    return f"{math.exp(min(value, 700.0)):.2g}"


def _place(trouble: Trouble, layers: int) -> str:
    if KINDS[trouble.kind].unit == "loss":
        return ""
    if len(trouble.layers) == layers > 1:
        return f" in all {layers} layers"
    more = len(trouble.layers) - 1
    return f" in {trouble.where}" + (f" and {counted(more, 'more layer')}" if more > 0 else "")


def _lasts(verdict: Verdict, kind: str) -> bool:
    return any(trouble.is_lasting for trouble in verdict.troubles if trouble.kind == kind)


def _trouble_lines(verdict: Verdict) -> list[str]:
    """In order of their first step; troubles of one kind together."""
    lines = _lines_of_kinds(verdict, verdict.kinds, MOST_ALONE)
    if len(lines) <= MOST_LINES:
        return lines
    shown = verdict.kinds if len(verdict.kinds) <= MOST_LINES else verdict.kinds[: MOST_LINES - 1]
    others = [KINDS[kind].title for kind in verdict.kinds if kind not in shown]
    return _lines_of_kinds(verdict, shown, 1) + ([f"also {_listed(others)}"] if others else [])


def _lines_of_kinds(verdict: Verdict, kinds: Sequence[str], alone: int) -> list[str]:
    lines: list[str] = []
    for kind in dict.fromkeys(trouble.kind for trouble in verdict.troubles if trouble.kind in kinds):
        same = [trouble for trouble in verdict.troubles if trouble.kind == kind]
        if len(same) > alone:
            lines.append(_together(same, verdict.layers))
        else:
            lines += [_with(f"{named(one, verdict.layers)} {when(one)}", evidence(one)) for one in same]
    return lines


def _together(same: Sequence[Trouble], layers: int) -> str:
    """Several troubles of one kind in one line."""
    first, last = same[0], same[-1]
    concerned = len({layer for trouble in same for layer in trouble.layers})
    often = f"{len(same)} times" + (f" in {concerned} layers" if concerned > 1 else "")
    begun = _with(f"the first{_place(first, layers)} {when(first)}", evidence(first))
    lasting = sum(trouble.is_lasting for trouble in same)
    state = f"{lasting} of them to the end" if lasting else "all over"
    return f"{KINDS[first.kind].title} {often}: {begun}; the last{_place(last, layers)} {when(last)}; {state}"


def _with(text: str, figures: str) -> str:
    return f"{text} ({figures})" if figures else text


def _advice(kinds: Sequence[str]) -> Iterator[str]:
    for name in kinds:
        kind = KINDS[name]
        yield f"{kind.title}, usual causes: {'; '.join(kind.causes[:MOST_POINTS])}"
        yield f"{kind.title}, people try: {'; '.join(kind.remedies[:MOST_POINTS])}"


def _unchecked(verdict: Verdict) -> Iterator[str]:
    if verdict.unchecked:
        parts = (f"{_listed([KINDS[kind].title for kind in kinds])} ({why})" for kinds, why in verdict.unchecked)
        yield f"not examined: {'; '.join(parts)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)
