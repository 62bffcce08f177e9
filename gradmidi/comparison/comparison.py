"""compare: two runs in one call, and its result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from gradmidi.comparison.differences import Difference, Differences, Stretch, differences_of
from gradmidi.comparison.words import lines_of
from gradmidi.composition.options import COMPOSE_DEFAULTS, ComposeOptions
from gradmidi.composition.two_runs.duet import LEFT_RIGHT, Duet, duet
from gradmidi.composition.two_runs.material import LETTERS
from gradmidi.composition.two_runs.pairing import Pair, pair
from gradmidi.composition.two_runs.turns import DEFAULT_TURN
from gradmidi.errors import InputError
from gradmidi.events import Event
from gradmidi.events.verdict_text import sentence
from gradmidi.printable import printable, shown
from gradmidi.recording import Recording
from gradmidi.score import Score
from gradmidi.signatures import spelled_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs, A and B, against each other; ``print(comparison)`` says what differs.

    Attributes:
        names: what the runs are called.
        pair: the runs on the same steps and layers.
        differences: what differs, as numbers.
        duet: both as music; :attr:`score` is what is heard.
    """

    names: tuple[str, str]
    pair: Pair
    differences: Differences
    duet: Duet

    @property
    def score(self) -> Score:
        """Both runs as one piece, to be saved, rendered or played: ``comparison.score.render_wav("ab.wav")``."""
        return self.duet.score

    @property
    def lines(self) -> list[str]:
        """What differs, in words."""
        return lines_of(self.differences, self.pair, self.names)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        a, b = map(printable, self.names)
        compared = f"{len(self.pair.layers)} layers at {self.differences.compared} steps"
        return f"<Comparison of A, {a}, and B, {b}: {compared}>"

    def plot(self, path: str | Path | None = None, *, size: str | tuple[int, int] | None = None) -> Figure:
        """Draw both runs on the same axes: A's notes above B's, and their losses in one graph.

        Args:
            path: the file to write as well: .png, .svg or .pdf.
            size: width and height in pixels, also as text: ``"1600x900"``.

        Returns:
            The figure, which a notebook shows; no window opens.

        Raises:
            InputError: a size or a path that cannot be used.
            MissingPartError: matplotlib is not installed, or does not load.
        """
        from gradmidi.outputs.picture.two_runs import plot_two

        a, b = (side.run for side in self.pair.sides)
        return plot_two(self.duet, (a, b), self.names, path, size)

    def to_dict(self) -> dict[str, Any]:
        """What differs, for JSON, as docs/compare.md describes it: numbers that are not finite are None."""
        found = self.differences
        return {
            "runs": dict(zip(LETTERS, self._runs(), strict=True)),
            "steps": {"compared": found.compared, "first": found.steps[0], "last": found.steps[1]},
            "layers": [_as_dict(layer) for layer in found.layers],
            "only": dict(zip(LETTERS, map(list, self.pair.only), strict=True)),
            "whole": _as_dict(found.whole),
            "loss": None if found.loss is None else _as_dict(found.loss),
            "final_loss": None
            if found.ending is None
            else {
                "last": dict(zip(LETTERS, map(_number, found.ending.last), strict=True)),
                "shared": dict(zip(LETTERS, map(_number, found.ending.shared), strict=True)),
                "lower": found.ending.lower,
            },
            "summary": self.lines,
        }

    def _runs(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "steps": len(side.run),
                "first_step": verdict.first_step,
                "last_step": verdict.last_step,
                "every": side.every,
                "verdict": verdict.health,
                "summary": sentence(verdict),
                "events": [_event(event) for event in events],
            }
            for name, side, verdict, events in zip(
                self.names, self.pair.sides, self.differences.verdicts, self.differences.events, strict=True
            )
        ]


@spelled_out(ComposeOptions, COMPOSE_DEFAULTS)
def compare(
    a: Recording,
    b: Recording,
    *,
    names: Sequence[str] | None = None,
    how: str = LEFT_RIGHT,
    turn: str | float = DEFAULT_TURN,
    duration: str | float | None = None,
    **options: Unpack[ComposeOptions],
) -> Comparison:
    """Compare two runs: in words, by ear and as a picture.

    ::

        comparison = gm.compare(gm.Recording.load("a.csv"), gm.Recording.load("b.csv"))
        print(comparison)
        comparison.score.render_wav("ab.wav")
        comparison.plot("ab.png")

    Layers are matched by name, steps by number; see :func:`gradmidi.composition.two_runs.pairing.pair`.

    Args:
        a: run A, heard at the left.
        b: run B, heard at the right.
        names: what they are called; by default their titles or models.
        how: ``"left-right"``, or ``"alternating"`` for some steps of A, then the same steps of B.
        turn: length of a turn of ``"alternating"`` in seconds, or text: ``"5s"``, ``"40 steps"``.
        duration: maximum length of the piece, as for :func:`gradmidi.compose`.
        options: how both are composed, see :class:`gradmidi.composition.options.ComposeOptions`; a run at the left or
            right has at most 7 voices.

    Raises:
        InputError: runs without a common layer or step, or an option that cannot be used.
    """
    for run in (a, b):
        if not isinstance(run, Recording):
            raise InputError(f"compare() takes two recordings, not {shown(type(run).__name__)}; load them first")
    called = _names(a, b, names)
    matched = pair(a, b)
    options["title"] = options.get("title") or " and ".join(
        name if name == letter else f"{letter}: {name}" for letter, name in zip(LETTERS, called, strict=True)
    )
    music = duet(matched, how, turn, duration, **options)
    return Comparison(called, matched, differences_of(matched), music)


def _names(a: Recording, b: Recording, names: Sequence[str] | None) -> tuple[str, str]:
    if names is None:
        first, second = (run.meta.get("title") or run.meta.get("model") or "" for run in (a, b))
        return (first, second) if first and second and first != second else LETTERS
    if isinstance(names, str) or len(names) != 2:
        raise InputError(f"names is {shown(names)}; it must be two names, such as ['lr 0.1', 'lr 0.01']")
    return str(names[0]), str(names[1])


def _as_dict(difference: Difference) -> dict[str, Any]:
    return {
        "name": difference.name,
        "steps": difference.steps,
        **_figures(difference),
        "apart": [
            {"since": stretch.since, "until": stretch.until, **_figures(stretch)} for stretch in difference.apart
        ],
    }


def _figures(found: Difference | Stretch) -> dict[str, Any]:
    a, b = map(_number, found.sizes)
    return {"ratio": _number(found.ratio), "A": a, "B": b}


def _event(event: Event) -> dict[str, Any]:
    return {"kind": event.kind, "phase": event.phase, "step": event.step, "where": event.where, "text": event.text}


def _number(value: float | None) -> float | None:
    """JSON has neither NaN nor Infinity."""
    return value if value is not None and math.isfinite(value) else None
