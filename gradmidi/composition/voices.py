"""Layer → how it is played: channel, General MIDI instrument, pan, register. The choices are data (voices.toml)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple

from gradmidi.composition.grouping import MAX_VOICES
from gradmidi.errors import InputError
from gradmidi.files.small import read_toml
from gradmidi.printable import shown
from gradmidi.score import Voice

PERCUSSION_CHANNEL = 9  # General MIDI's channel 10, counted from 0
ALARM_NAME = "alarm"


@dataclass(frozen=True)
class Part:
    """One ``[[voice]]`` of a voices file: an instrument and its settings, not yet assigned to a layer."""

    program: int
    pan: int
    volume: int
    velocity: int
    octave: float


class Limit(NamedTuple):
    """A setting in a voices file: its lowest, highest and default value, and its type."""

    key: str
    low: int
    high: int
    default: int
    kind: type[int] | UnionType = int


LIMITS = (
    Limit("pan", 0, 127, 64),
    Limit("volume", 0, 127, 100),
    Limit("velocity", 1, 127, 88),
    Limit("octave", -5, 5, 0, int | float),
)
_PROGRAM = re.compile(r"\d{1,9}", re.ASCII)


@cache
def instrument_families() -> dict[str, tuple[str, ...]]:
    """The 128 General MIDI instruments, eight per family, in the order of their program numbers."""
    text = resources.files("gradmidi.composition").joinpath("instruments.toml").read_text(encoding="utf-8")
    return {family["name"]: tuple(family["instruments"]) for family in tomllib.loads(text)["family"]}


@cache
def instrument_names() -> tuple[str, ...]:
    """Name by program number, 0–127."""
    return tuple(name for names in instrument_families().values() for name in names)


def program_of(instrument: str | int) -> int:
    """Program number (0–127) of an instrument's name, upper or lower case, or of the number itself.

    Raises:
        InputError: no such instrument.
    """
    if isinstance(instrument, str) and not _PROGRAM.fullmatch(instrument.strip()):
        lowered = [name.lower() for name in instrument_names()]
        if instrument.strip().lower() in lowered:
            return lowered.index(instrument.strip().lower())
        raise InputError(f"no instrument is called {shown(instrument)}; `gradmidi instruments` lists them")
    if isinstance(instrument, bool) or not isinstance(instrument, str | int):
        raise InputError(f"instrument is {shown(instrument)}; give a name of `gradmidi instruments` or its number")
    if not 0 <= int(instrument) <= 127:
        raise InputError(f"instrument {shown(instrument)} is out of range; programs run from 0 to 127")
    return int(instrument)


def load_parts(path: str | Path | None = None) -> tuple[Part, ...]:
    """The parts of a voices file, or of the built-in one.

    Raises:
        InputError: the file is missing, is not TOML, or a value has the wrong type or is out of range; the message
            names file and voice.
    """
    if path is None:
        text = resources.files("gradmidi.composition").joinpath("voices.toml").read_text(encoding="utf-8")
        return read_parts(tomllib.loads(text), "voices.toml")
    return read_parts(read_toml(path, "a voices file like the one in docs/voices.md"), str(path))


def choose_parts(parts: Sequence[Part] | None, voices: str | Path | None) -> tuple[Part, ...]:
    """The given parts, those of a voices file, or the built-in ones.

    Raises:
        InputError: both are given, one of the wrong type, or a file that cannot be used.
    """
    if parts is None:
        if voices is not None and not isinstance(voices, str | Path):
            raise InputError(f"voices is {shown(voices)}; it must be the path of a TOML file, see docs/voices.md")
        return load_parts(voices)
    if voices is not None:
        raise InputError("give parts or voices, not both")
    chosen = tuple(parts) if isinstance(parts, Sequence) else ()
    if not chosen or not all(isinstance(part, Part) for part in chosen):
        raise InputError(f"parts is {shown(parts)}; it must be a list of Part; for a file write voices='mine.toml'")
    return chosen


def voices_for(layers: Sequence[str], parts: Sequence[Part] | None = None) -> tuple[Voice, ...]:
    """One voice per name; channel 10 is skipped.

    Raises:
        InputError: more layers than one MIDI port has channels.
    """
    if len(layers) > MAX_VOICES:
        raise InputError(f"{len(layers)} voices, but one MIDI port has {MAX_VOICES}; group them")
    parts = parts or load_parts()
    free = [channel for channel in range(16) if channel != PERCUSSION_CHANNEL]
    rows = [(layer, free[i], parts[i % len(parts)]) for i, layer in enumerate(layers)]
    return tuple(Voice(layer, channel, part.program, part.pan, part.volume) for layer, channel, part in rows)


def read_parts(table: Mapping[str, Any], source: str) -> tuple[Part, ...]:
    """The ``[[voice]]`` tables of a file called ``source``.

    Raises:
        InputError: the file has no such table, or one cannot be used.
    """
    rows = table.get("voice", [])
    if not rows:
        raise InputError(f"{source} holds no [[voice]]; one is needed for each layer")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{source}: 'voice' is {shown(rows)}; write a table [[voice]] for each layer")
    return tuple(_part(row, f"{source}, voice {number}") for number, row in enumerate(rows, 1))


def _part(row: Mapping[str, Any], where: str) -> Part:
    unknown = set(row) - {"instrument", *(limit.key for limit in LIMITS)}
    if unknown:
        raise InputError(f"{where}: {shown(min(unknown))} is not a setting of a voice")
    values = {limit.key: row.get(limit.key, limit.default) for limit in LIMITS}
    for key, low, high, _, kind in LIMITS:
        value: Any = values[key]
        if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
            number = "a whole number" if kind is int else "a number"
            raise InputError(f"{where}: {key} is {shown(value)}; it must be {number} from {low} to {high}")
    try:
        return Part(program_of(row.get("instrument", 0)), **values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
