"""Which clips are heard in which order: drawn by a seed, balanced over the kinds and over the runs of each kind."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.quiz.bank import HEALTHY, Known, known_runs

MAX_TRIALS = 1000


class Protocol(NamedTuple):
    """How a trial is heard.

    Attributes:
        name: as on the command line.
        seconds: how long a clip lasts unless said otherwise.
        earliest, latest: the share of the clip that is over when the fault begins, drawn anew for each trial.
        healthy: the least share of trials in which nothing happens.
    """

    name: str
    seconds: float
    earliest: float
    latest: float
    healthy: float


# In the single task the whole clip is listened to, so most of it is the fault; in the dual task the change is to be
# noticed, so it comes at a time that nobody can guess, and in every third trial not at all.
PROTOCOLS = {
    "single": Protocol("single", 8.0, 1 / 8, 1 / 4, 0.0),
    "dual": Protocol("dual", 40.0, 1 / 4, 3 / 4, 1 / 3),
}


def chosen_protocol(name: str) -> Protocol:
    """The protocol of a name.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"there is no protocol {shown(name)}; there are {' and '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


class Trial(NamedTuple):
    """One clip that is going to be heard.

    Attributes:
        number: counted from 1, in the order in which they are heard.
        order: the place that it had before the order was drawn, counted from 1: kind by kind.
        run: what is heard.
        begins: the share of the clip that is over when the fault begins.
        seconds: about how long the clip is.
    """

    number: int
    order: int
    run: Known
    begins: float
    seconds: float


def plan(
    trials: int,
    kinds: Sequence[str],
    protocol: Protocol,
    seed: int,
    seconds: float | None = None,
    *,
    practice: bool = False,
) -> list[Trial]:
    """The trials of a session; the same seed gives the same session.

    Args:
        trials: how many.
        kinds: names in :data:`gradmidi.quiz.bank.KINDS`; each gets as many trials as every other, or one more.
        protocol: where the fault begins, and how many trials are healthy at least.
        seed: of the order, of the runs, and of where the fault begins.
        seconds: about how long each clip is; by default what the protocol says.
        practice: with the runs for practice, which are in no other trial.

    Raises:
        InputError: a number of trials that is out of range.
    """
    if not 1 <= trials <= MAX_TRIALS:
        raise InputError(f"--trials {trials}: use 1 to {MAX_TRIALS}")
    draw = random.Random(seed)
    chosen: list[Known] = []
    for kind, count in _counts(trials, kinds, protocol, draw).items():
        those = [run for run in known_runs() if (run.kind, run.practice) == (kind, practice)]
        draw.shuffle(those)
        chosen += [those[i % len(those)] for i in range(count)]
    places = list(range(len(chosen)))
    draw.shuffle(places)
    length = protocol.seconds if seconds is None else seconds
    return [
        Trial(i + 1, place + 1, chosen[place], draw.uniform(protocol.earliest, protocol.latest), length)
        for i, place in enumerate(places)
    ]


def plan_practice(kinds: Sequence[str], protocol: Protocol, seed: int) -> tuple[list[Trial], list[Trial]]:
    """Short examples, one of each kind in the order of ``kinds``, and the trials of the practice round.

    In the single protocol these are one of each kind; in the dual one, whose clips are long, one with a change and one
    without it.
    """
    single = PROTOCOLS["single"]
    examples = plan(len(kinds), kinds, single, seed, practice=True)
    trials = len(kinds) if protocol is single else 2
    return sorted(examples, key=lambda trial: trial.order), plan(trials, kinds, protocol, seed + 1, practice=True)


def _counts(trials: int, kinds: Sequence[str], protocol: Protocol, draw: random.Random) -> dict[str, int]:
    """How many trials each kind gets; which kinds get one more than others is drawn."""
    healthy = round(trials * protocol.healthy) if HEALTHY in kinds else 0
    if healthy * len(kinds) <= trials:
        return _shared(trials, kinds, draw)
    return {HEALTHY: healthy} | _shared(trials - healthy, [kind for kind in kinds if kind != HEALTHY], draw)


def _shared(trials: int, kinds: Sequence[str], draw: random.Random) -> dict[str, int]:
    each, rest = divmod(trials, len(kinds))
    more = draw.sample(list(kinds), rest)
    return {kind: each + (kind in more) for kind in kinds}
