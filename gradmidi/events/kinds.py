"""The kinds of events: the one table behind texts, docs, pictures and advice."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of event.

    Attributes:
        name: as in :attr:`gradmidi.events.Event.kind`.
        title: for a heading or an axis.
        meaning: what it is, in one sentence.
        unit: of an event's ``value`` and ``usual``.
        momentary: whether it is over at once, as a single step is.
        sick: whether a run that has it is in trouble (``finished`` is not).
        onset: text of an onset, with the event's fields in braces.
        recovered: text of its end.
        causes: what usually causes it.
        remedies: what people try.
    """

    name: str
    title: str
    meaning: str
    unit: str
    sick: bool
    momentary: bool
    onset: str
    recovered: str
    causes: tuple[str, ...]
    remedies: tuple[str, ...]


def _read() -> dict[str, Kind]:
    text = resources.files(__package__).joinpath("kinds.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["kind"]
    return {row["name"]: Kind(**{**row, **{key: tuple(row[key]) for key in ("causes", "remedies")}}) for row in rows}


KINDS = _read()
