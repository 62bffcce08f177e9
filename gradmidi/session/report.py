"""SessionReport: the outcome of a session, for people and for code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gradmidi.recording.findings import Finding
from gradmidi.session.problems import problems_of

if TYPE_CHECKING:
    from gradmidi.events import Event
    from gradmidi.outputs.live.report import LiveReport


@dataclass(frozen=True)
class SessionReport:
    """How many steps were recorded, what was wrong with them, and how the live performance went.

    Attributes:
        steps: number of recorded steps.
        layers: names of the layers.
        findings: NaN, Inf and gradients that stay exactly zero, each with its first layer and step.
        notices: what was not recorded or not played, and the remedy, one line each.
        live: the player's report, once a session with ``live`` has ended; otherwise None.
        events: what began, ended and lasted to the end of the run, as :attr:`Session.events` has them.
    """

    steps: int
    layers: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    notices: tuple[str, ...] = ()
    live: LiveReport | None = field(default=None)
    events: tuple[Event, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with the run, one sentence each."""
        return problems_of(self.findings, self.events)

    def __str__(self) -> str:
        lines = [f"{self.steps} steps × {len(self.layers)} layers", *self.problems, *self.notices]
        return "; ".join(lines + ([str(self.live)] if self.live is not None else []))
