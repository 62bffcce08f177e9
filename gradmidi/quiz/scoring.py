"""What answers amount to: confusion, accuracy, d′ of each kind, reaction times.

d′ = z(H) − z(F), and the criterion c = −(z(H) + z(F)) / 2, with H the rate of hits, F that of false alarms, and z the
inverse of the standard normal distribution. As either rate may be 0 or 1, both are corrected by the log-linear rule,
always: H = (hits + 0.5) / (signal trials + 1), F = (false alarms + 0.5) / (other trials + 1). Source: Hautus, M. J.
(1995), Corrections for extreme proportions and their biasing effects on estimated values of d′, Behavior Research
Methods, Instruments & Computers 27, 46–51; recommended by Stanislaw and Todorov (1999), ibid. 31, 137–149.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from statistics import NormalDist, median
from typing import NamedTuple

from gradmidi.quiz.answers import ALL_LAYERS, Answer
from gradmidi.quiz.bank import HEALTHY, KINDS

NORMAL = NormalDist()
CONFIDENCE = 0.95


class Sensitivity(NamedTuple):
    """How well a signal is distinguished from everything else; see the module.

    Attributes:
        hits, signals: trials with the signal that were called so, and all of them.
        false_alarms, others: trials without it that were called so, and all of them.
        d_prime, criterion: as the module defines them; a criterion below 0 is readiness to say yes.
    """

    hits: int
    signals: int
    false_alarms: int
    others: int
    d_prime: float
    criterion: float


class Share(NamedTuple):
    """So many of so many, and the 95 % interval of the share by Wilson (1927)."""

    right: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself."""
        return self.right / self.of


class Table(NamedTuple):
    """What a set of answers amounts to.

    Attributes:
        kinds: those that could be answered, in order.
        confusion: {truth: {answer: trials}}.
        accuracy: right answers.
        sensitivity: of each kind against all others; only kinds with trials with and without it.
        reaction: s, median of right answers to clips that were heard once; None if there is none. In the dual protocol
            from the change in the sound to the key, of changes that were reported; otherwise from the clip's beginning.
        layers: right answers about the layer, of those who named the right kind; None where it was not asked.
        noticing: in the dual protocol, a report after the change against one in a healthy trial; None otherwise.
        early: in the dual protocol, reports before there was a change.
        sums: in the dual protocol, right answers of the primary task; None otherwise.
    """

    kinds: tuple[str, ...]
    confusion: dict[str, dict[str, int]]
    accuracy: Share
    sensitivity: dict[str, Sensitivity]
    reaction: float | None
    layers: Share | None
    noticing: Sensitivity | None
    early: int
    sums: Share | None


class Condition(NamedTuple):
    """The answers under one condition: a sound, a protocol and the kinds that could be answered.

    Attributes:
        sound, protocol: as in the answers.
        whole: of everybody together.
        listeners: of each, by code; by number of the file where there is none.
    """

    sound: str
    protocol: str
    whole: Table
    listeners: dict[str, Table]


def by_condition(files: Sequence[Sequence[Answer]]) -> list[Condition]:
    """What the answers of several files amount to, apart for each condition; of one code are one listener."""
    sorted_out: dict[tuple[str, str, str], dict[str, list[Answer]]] = {}
    for number, answers in enumerate(files, 1):
        for one in answers:
            people = sorted_out.setdefault((one.sound, one.protocol, one.kinds), {})
            people.setdefault(one.code or f"file {number}", []).append(one)
    return [
        Condition(
            sound,
            protocol,
            table([one for answers in people.values() for one in answers]),
            {name: table(answers) for name, answers in people.items()},
        )
        for (sound, protocol, _), people in sorted_out.items()
    ]


def sensitivity(hits: int, signals: int, false_alarms: int, others: int) -> Sensitivity:
    """d′ and criterion with the log-linear correction."""
    hit = NORMAL.inv_cdf((hits + 0.5) / (signals + 1))
    false = NORMAL.inv_cdf((false_alarms + 0.5) / (others + 1))
    return Sensitivity(hits, signals, false_alarms, others, hit - false, -(hit + false) / 2)


def share(right: int, of: int) -> Share:
    """So many of so many, with its interval."""
    z = NORMAL.inv_cdf((1 + CONFIDENCE) / 2)
    middle, half = right / of + z * z / (2 * of), z * sqrt(right * (of - right) / of**3 + z * z / (4 * of * of))
    return Share(right, of, max(0.0, (middle - half) / (1 + z * z / of)), min(1.0, (middle + half) / (1 + z * z / of)))


def table(answers: Sequence[Answer]) -> Table:
    """What answers amount to; they are of one protocol, at least one."""
    asked_for = {kind for one in answers for kind in (*one.kinds.split(), one.truth, one.answer)}
    kinds = tuple(kind for kind in KINDS if kind in asked_for)
    said = Counter((one.truth, one.answer) for one in answers)
    confusion = {truth: {kind: said[truth, kind] for kind in kinds} for truth in kinds}
    right = [one for one in answers if one.right]
    asked = [one for one in right if one.layer_answer]
    dual = [one for one in answers if one.protocol == "dual"]
    sums = sum(one.sums for one in dual)
    return Table(
        kinds,
        confusion,
        share(len(right), len(answers)),
        {kind: found for kind in kinds if (found := _of_kind(answers, kind)) is not None},
        _reaction(dual or right),
        share(_count(asked, layer_is_right), len(asked)) if asked else None,
        _noticing(dual),
        _count(dual, lambda one: one.early),
        share(sum(one.sums_right for one in dual), sums) if sums else None,
    )


def layer_is_right(one: Answer) -> bool:
    """Whether the layers named are among those affected; all of them is right where all are."""
    named, affected = set(one.layer_answer.split()), set(one.layers.split())
    return bool(named) and (named == affected if ALL_LAYERS in named | affected else named <= affected)


def _of_kind(answers: Sequence[Answer], kind: str) -> Sensitivity | None:
    signals = [one for one in answers if one.truth == kind]
    others = [one for one in answers if one.truth != kind]
    if not signals or not others:
        return None
    hits, false = (_count(those, lambda one: one.answer == kind) for those in (signals, others))
    return sensitivity(hits, len(signals), false, len(others))


def _noticing(dual: Sequence[Answer]) -> Sensitivity | None:
    changes = [one for one in dual if one.truth != HEALTHY]
    still = [one for one in dual if one.truth == HEALTHY]
    if not changes or not still:
        return None
    hits = _count(changes, lambda one: one.reported_s is not None and not one.early)
    return sensitivity(hits, len(changes), _count(still, lambda one: one.reported_s is not None), len(still))


def _reaction(answers: Iterable[Answer]) -> float | None:
    times = [one.reaction_s for one in answers if one.reaction_s is not None and not one.repeats]
    return median(times) if times else None


def _count(answers: Iterable[Answer], condition: Callable[[Answer], bool]) -> int:
    return sum(map(condition, answers))
