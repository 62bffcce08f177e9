"""What was wrong with a run in a few sentences: the findings, and the events that say more than these."""

from __future__ import annotations

from collections.abc import Sequence

from gradmidi.events import KINDS, ONSET, RECOVERED, Event
from gradmidi.recording.findings import Finding, sentences


def problems_of(findings: Sequence[Finding], events: Sequence[Event]) -> tuple[str, ...]:
    """One sentence for each finding, and for each kind of trouble among the events that no finding has told."""
    untold = [event for event in events if KINDS[event.kind].sick and not _is_told(event, findings)]
    kinds = [kind for kind in KINDS if any(event.kind == kind and event.phase == ONSET for event in untold)]
    return (*sentences(findings), *(_sentence([event for event in untold if event.kind == kind]) for kind in kinds))


def _is_told(event: Event, findings: Sequence[Finding]) -> bool:
    """Whether a finding says it: NaN and Inf anywhere, and zeros of a layer that last to the end."""
    same = [finding for finding in findings if finding.kind == event.kind]
    return any(event.kind != "zero" or finding.layer == event.where for finding in same)


def _sentence(events: Sequence[Event]) -> str:
    """All events of one kind: how it began, how often it came, and when the last was over."""
    onsets = [event for event in events if event.phase == ONSET]
    over = [event for event in events if event.phase == RECOVERED]
    more = [f"{len(onsets)} times, the last at step {onsets[-1].step}"] if len(onsets) > 1 else []
    if len(over) >= len(onsets):
        more.append(f"over at step {over[-1].step}")
    return onsets[0].text + (f" ({'; '.join(more)})" if more else "")
