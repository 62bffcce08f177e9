"""The events file next to a recording: what it is called, and how it follows when its recording is renamed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

EVENTS_FORMAT = "gradmidi events 1"
EVENTS_MARK = b"# format: gradmidi events"  # how such a file begins
ENDED = "ended"  # key of a recording's metadata: "well", "stopped" or "failed"
RECORDING, EVENTS, CSV = "norms", "events", ".csv"
LAST_BYTES = 4_096  # of an events file, more than its longest line


def events_paths(path: Path) -> tuple[Path, ...]:
    """Where the events of the recording at ``path`` go; a later name where a file of someone else's has an earlier one.

    ``norms.csv`` has ``events.csv``, ``norms.1.csv`` ``events.1.csv``, and any other ``run.csv`` ``run.events.csv``.
    """
    name = path.name if path.suffix.lower() == CSV else path.name + CSV
    stem = name[: -len(CSV)]
    other = path.with_name(f"{stem}.{EVENTS}{name[-len(CSV) :]}")
    if stem != RECORDING and not stem.startswith(f"{RECORDING}."):
        return (other,)
    return path.with_name(EVENTS + name.removeprefix(RECORDING)), other


def is_events(path: Path) -> bool:
    """Whether there is an events file of ours at ``path``; an empty one is what a Ctrl-C can leave of it."""
    try:
        with path.open("rb") as file:
            return file.read(len(EVENTS_MARK)) in (EVENTS_MARK, b"")
    except OSError:
        return False


def how_it_ended(path: Path, last_step: int) -> str:
    """How the recording at ``path``, whose last step is given, ended by its events file; "" if that does not tell."""
    for place in events_paths(path):
        if not is_events(place):
            continue
        with suppress(OSError, UnicodeDecodeError), place.open("rb") as file:
            file.seek(max(0, place.stat().st_size - LAST_BYTES))
            line = file.read().decode().rstrip("\n").rpartition("\n")[2]
            step, _, kind, *_ = [*line.split(","), "", ""]
            ways = {"ended well": "well", "ended early": "stopped", "ended with": "failed"}
            if kind == "finished" and step == str(last_step):
                return next((how for text, how in ways.items() if text in line), "")
    return ""


def is_taken(path: Path) -> bool:
    """Whether a recording that is renamed to ``path`` would find events files there."""
    return any(place.exists() for place in events_paths(path))


def take_along(path: Path, target: Path, move: Callable[[Path, Path], None]) -> None:
    """Rename the events of a recording that has been renamed from ``path`` to ``target``."""
    for events, place in zip(events_paths(path), events_paths(target), strict=False):
        if is_events(events):
            with suppress(OSError):  # the recording is what matters
                move(events, place)
