"""How good a rule is: which faults it finds, how late, and how often it sees one where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.clinic.published import Alarm, Rule
from benchmarks.clinic.runs import Run
from gradmidi.events import ONSET, find_events
from gradmidi.recording import Recording

EPISODE = 20  # rows: alarms that are no farther from the one before are one event
PER = 10_000  # healthy steps

# Which of our kinds of event describe a way in which a fault shows, by the ways of benchmarks.clinic.truth.
FITTING = {
    "nan": {"nan"},
    "inf": {"inf"},
    "zero": {"zero"},
    "spike": {"spike", "explosion", "inf", "nan", "bad-start"},
    "larger": {"explosion", "drift", "spike", "bad-start"},
    "smaller": {"vanishing", "zero"},
    "noise": {"noise", "explosion", "spike"},
    "frozen": {"frozen", "zero", "vanishing"},
    "loss-higher": {"loss-spike", "plateau", "explosion", "drift", "bad-start"},
    "loss-flat": {"plateau", "frozen", "vanishing", "zero"},
}


class FalseEvent(NamedTuple):
    """An event where there is no fault: the run's name, and the alarm that began it."""

    run: str
    alarm: Alarm


class Found(NamedTuple):
    """What a rule made of a run with a fault that shows.

    Attributes:
        run: it.
        alarm: that begins the first event at or after the onset, None if the rule has missed the fault.
        fits: whether it was found, and an alarm after the onset is of a kind that fits a way in which the fault shows.
        kinds: of all alarms after the onset, in order, each once; none if it was missed.
    """

    run: Run
    alarm: Alarm | None
    fits: bool
    kinds: tuple[str, ...]

    @property
    def delay(self) -> int:
        """Steps from the onset to the first alarm."""
        assert self.alarm is not None and self.run.truth.onset is not None
        return self.alarm.row - self.run.truth.onset

    @property
    def delay_from_shown(self) -> int:
        """Steps from where the fault shows to the first alarm; negative if the alarm was first."""
        assert self.alarm is not None and self.run.truth.shown_at is not None
        return self.alarm.row - self.run.truth.shown_at


class Verdict(NamedTuple):
    """What is known of a rule.

    Attributes:
        found: one for each run with a fault that shows.
        false: events in healthy stretches.
        steps: measured steps of healthy stretches.
    """

    found: list[Found]
    false: list[FalseEvent]
    steps: int

    @property
    def recall(self) -> float:
        """Share of the faults that show which were found; nan if there are none."""
        return share(one.alarm is not None for one in self.found)

    @property
    def fitting(self) -> float:
        """Share of the faults that show which were found and given a name that fits."""
        return share(one.fits for one in self.found)

    @property
    def false_rate(self) -> float:
        """False events in 10,000 healthy steps; nan if there are none."""
        return PER * len(self.false) / self.steps if self.steps else float("nan")

    def of(self, fault: str = "", arch: str = "") -> Verdict:
        """The part of it that concerns one kind of fault, or one architecture; false events are left out."""
        there = [
            one
            for one in self.found
            if (not fault or one.run.truth.fault == fault) and (not arch or one.run.truth.arch == arch)
        ]
        return Verdict(there, [], 0)

    def or_else(self, other: Verdict) -> Verdict:
        """What is known of using two rules beside each other, this and another that was run on the same runs."""
        found = [_earlier(*pair) for pair in zip(self.found, other.found, strict=True)]
        return Verdict(found, [*self.false, *other.false], self.steps)

    def delays(self, from_shown: bool = False) -> tuple[float, float]:
        """Median and 90 % of the delays of what was found, in steps; nan if there is nothing."""
        taken = [one.delay_from_shown if from_shown else one.delay for one in self.found if one.alarm is not None]
        if not taken:
            return float("nan"), float("nan")
        return float(np.median(taken)), float(np.quantile(taken, 0.9))


def ours(recording: Recording) -> list[Alarm]:
    """What gradmidi finds: the onsets of its events."""
    return [
        Alarm(event.row, event.kind, event.layer, event.text)
        for event in find_events(recording)
        if event.phase == ONSET and event.kind != "finished"
    ]


def judged(rule: Rule, runs: Iterable[Run], merges: bool = True) -> Verdict:
    """Run a rule on each run and compare what it says with the truth.

    A fault counts as found if an event begins at or after its onset: what a rule has been saying all along does not
    count. Rows before an onset are those of the healthy
    twin with the same seed, bit for bit, so a stretch and the false events in it count once, however many runs begin
    with it. What a rule says after the onset of a fault that does not show counts for nothing.

    Args:
        rule: it sees the recording only.
        runs: with truth.
        merges: whether alarms of the rule that are close together are one event, see :data:`EPISODE`.
    """
    found: list[Found] = []
    stretches: dict[str, tuple[int, str, list[Alarm]]] = {}
    for run in runs:
        truth, ordered = run.truth, sorted(rule(run.recording), key=lambda alarm: alarm.row)
        healthy = len(run.recording) if truth.onset is None else truth.onset
        begun = episodes(ordered) if merges else ordered
        if truth.shows:
            found.append(_found(run, *([one for one in part if one.row >= healthy] for part in (begun, ordered))))
        stretch = f"{truth.arch}.{'healthy' if truth.onset is not None else truth.fault}.{truth.seed}"
        if healthy > stretches.get(stretch, (0,))[0]:
            stretches[stretch] = healthy, run.name, [alarm for alarm in begun if alarm.row < healthy]
    false = [FalseEvent(name, alarm) for _, name, before in stretches.values() for alarm in before]
    return Verdict(found, false, sum(steps for steps, _, _ in stretches.values()))


def episodes(alarms: Sequence[Alarm]) -> list[Alarm]:
    """The alarms, in order of row, that begin an episode."""
    rows = [alarm.row for alarm in alarms]
    return [alarm for i, alarm in enumerate(alarms) if not i or rows[i] - rows[i - 1] > EPISODE]


def share(of: Iterable[bool]) -> float:
    """The share of True; nan of nothing."""
    listed = list(of)
    return sum(listed) / len(listed) if listed else float("nan")


def _earlier(one: Found, other: Found) -> Found:
    if one.alarm is None or (other.alarm is not None and other.alarm.row < one.alarm.row):
        one, other = other, one
    return one._replace(fits=one.fits or other.fits, kinds=tuple(dict.fromkeys((*one.kinds, *other.kinds))))


def _found(run: Run, begun: Sequence[Alarm], said: Sequence[Alarm]) -> Found:
    kinds = tuple(dict.fromkeys(alarm.kind for alarm in said)) if begun else ()
    fitting = set().union(*(FITTING[way] for way in run.truth.ways))
    return Found(run, begun[0] if begun else None, bool(fitting & set(kinds)), kinds)
