"""Layer → who plays it: channel, General MIDI instrument, pan, register. The choices are data (voices.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from gradmidi.composition.grouping import MAX_VOICES
from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.score import Voice

PERCUSSION_CHANNEL = 9  # General MIDI's channel 10, counted from 0
ALARM_NAME = "alarm"


@dataclass(frozen=True)
class Part:
    """One row of a voices file: how a layer is played, before it is known which layer."""

    program: int
    pan: int
    volume: int
    velocity: int
    octave: float


# What may stand in a voices file: key, lowest, highest and default value.
LIMITS = (("pan", 0, 127, 64), ("volume", 0, 127, 100), ("velocity", 1, 127, 88), ("octave", -5, 5, 0))


@cache
def instrument_families() -> dict[str, tuple[str, ...]]:
    """The 128 General MIDI instruments, eight a family, in the order of their program numbers."""
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
    if isinstance(instrument, str) and not instrument.strip().isdigit():
        lowered = [name.lower() for name in instrument_names()]
        if instrument.strip().lower() in lowered:
            return lowered.index(instrument.strip().lower())
        raise InputError(f"no instrument is called {instrument!r}; `gradmidi instruments` lists them")
    if not 0 <= int(instrument) <= 127:
        raise InputError(f"instrument {instrument} is out of range; programs run from 0 to 127")
    return int(instrument)


def load_parts(path: str | Path | None = None) -> tuple[Part, ...]:
    """The parts of a voices file, or of the built-in one.

    Raises:
        InputError: the file is missing, is not TOML, or a value is out of range; the message names file and voice.
    """
    if path is None:
        text = resources.files("gradmidi.composition").joinpath("voices.toml").read_text(encoding="utf-8")
        return _parts(text, "voices.toml")
    try:
        return _parts(Path(path).read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a file like the one in docs/voices.md") from None


def choose_parts(parts: Sequence[Part] | None, voices: str | Path | None) -> tuple[Part, ...]:
    """The parts that were given, those of a voices file, or the built-in ones.

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
    """A voice a name (channel 10 left out), and the alarm's percussion last.

    Raises:
        InputError: more layers than one MIDI port has channels.
    """
    if len(layers) > MAX_VOICES:
        raise InputError(f"{len(layers)} voices, but one MIDI port has {MAX_VOICES}; group them")
    parts = parts or load_parts()
    free = [channel for channel in range(16) if channel != PERCUSSION_CHANNEL]
    rows = [(layer, free[i], parts[i % len(parts)]) for i, layer in enumerate(layers)]
    voices = [Voice(layer, channel, part.program, part.pan, part.volume) for layer, channel, part in rows]
    return (*voices, Voice(ALARM_NAME, PERCUSSION_CHANNEL, percussion=True))


def _parts(text: str, source: str) -> tuple[Part, ...]:
    try:
        rows = tomllib.loads(text).get("voice", [])
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source} is not TOML: {error}") from None
    if not rows:
        raise InputError(f"{source} holds no [[voice]]; one is needed for each layer")
    return tuple(_part(row, f"{source}, voice {number}") for number, row in enumerate(rows, 1))


def _part(row: dict[str, Any], where: str) -> Part:
    unknown = set(row) - {"instrument", *(key for key, *_ in LIMITS)}
    if unknown:
        raise InputError(f"{where}: {min(unknown)!r} is not a setting of a voice")
    values = {key: row.get(key, default) for key, _, _, default in LIMITS}
    for key, low, high, _ in LIMITS:
        if not isinstance(values[key], int | float) or not low <= values[key] <= high:
            raise InputError(f"{where}: {key} is {values[key]!r}; it must be a number from {low} to {high}")
    try:
        return Part(program_of(row.get("instrument", 0)), **values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
