"""LiveReport: how a live performance went."""

from __future__ import annotations

from dataclasses import dataclass

from gradmidi.printable import counted


@dataclass(frozen=True)
class LiveReport:
    """Counts and lateness of a performance, known when it is over.

    Attributes:
        port: the port that was opened, by its full name.
        system: what carries it: ALSA, JACK, CoreMIDI, Windows MM, FluidSynth or file.
        steps: rows that were fed.
        heard: steps that were sent as notes, alarms included.
        skipped: steps that were not played, as the music takes longer than the training.
        alarms: steps with a NaN, an Inf or an explosion.
        merged: alarms that were played together with another of their kind, as they came faster than they sound.
        messages: MIDI messages sent.
        notes: note-ons sent.
        late: notes sent more than 10 ms after their time.
        dropped: notes more than a second overdue, not sent at all.
        late_p50: s, how late the median note was sent; ``late_p99`` and ``late_max`` likewise.
        realtime: the player had real-time priority.
        failure: why the performance ended early, or "".
    """

    port: str = ""
    system: str = ""
    steps: int = 0
    heard: int = 0
    skipped: int = 0
    alarms: int = 0
    merged: int = 0
    messages: int = 0
    notes: int = 0
    late: int = 0
    dropped: int = 0
    late_p50: float = 0.0
    late_p99: float = 0.0
    late_max: float = 0.0
    realtime: bool = False
    failure: str = ""

    def __str__(self) -> str:
        steps = f"{self.heard} of {counted(self.steps, 'step')} heard, " if self.steps else ""
        alarms = f"{counted(self.alarms, 'alarm')} ({self.merged} merged), " if self.alarms else ""
        times = " / ".join(f"{1000 * s:.2f}" for s in (self.late_p50, self.late_p99, self.late_max))
        text = (
            f"{self.port} ({self.system}): {steps}{alarms}{counted(self.notes, 'note')}, "
            f"late by {times} ms (p50 / p99 / max), {self.late} by more than 10 ms"
        )
        dropped = f"; {counted(self.dropped, 'note')} overdue by a second and left out" if self.dropped else ""
        return text + dropped + (f"; ended early: {self.failure}" if self.failure else "")
