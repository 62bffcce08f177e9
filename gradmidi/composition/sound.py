"""What a run sounds like besides its notes: sound presets, each a self-documenting TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from gradmidi.checks import is_number
from gradmidi.composition.voices import Part, read_parts
from gradmidi.errors import InputError
from gradmidi.files.small import read_toml
from gradmidi.printable import shown

SOUNDS = ("debug", "post", "ambient", "concert", "percussive")
DEFAULT_SOUND = "debug"
EVENTS, ZEROS = ("drums", "earcons", "none"), ("tone", "knock")


@dataclass(frozen=True)
class Sound:
    """A sound preset; its keys are explained in ``gradmidi/composition/sounds/post.toml``."""

    about: str = ""
    mapping: str = "log"
    style: str = "sequence"
    hysteresis: float = 0.0
    events: str = "drums"
    zero: str = "tone"
    loss: bool = False
    volatility: bool = False
    healthy: float = 1.0
    modes: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


def choose_sound(sound: str | Path | Sound) -> Sound:
    """The preset of that name, one read from a ``.toml`` file, or the given one.

    Raises:
        InputError: there is no such preset, or the file cannot be used; the message names file and key.
    """
    if isinstance(sound, Sound):
        return sound
    if not isinstance(sound, str | Path):
        raise InputError(f"sound is {shown(sound)}; give {', '.join(SOUNDS)}, or the path of a TOML file")
    if sound in SOUNDS:
        return _built_in(str(sound))
    if Path(sound).suffix.lower() != ".toml":
        raise InputError(f"no sound is called {shown(str(sound))}; there are {', '.join(SOUNDS)}, or a file: mine.toml")
    return _sound(read_toml(sound, "a sound preset like those in docs/voices.md"), str(sound))


@cache
def _built_in(name: str) -> Sound:
    folder = resources.files("gradmidi.composition").joinpath("sounds")
    return _sound(tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8")), f"{name}.toml")


def _sound(table: Mapping[str, Any], source: str) -> Sound:
    known = {field.name: field.default for field in fields(Sound) if field.name != "parts"}
    for key, value in table.items():
        if key == "voice":
            continue
        if key not in known:
            raise InputError(
                f"{source}: {shown(key)} is not a key of a sound; there are {', '.join(known)} and [[voice]]"
            )
        if (wrong := _wrong(key, value, known[key])) is not None:
            raise InputError(f"{source}: {key} is {shown(value)}; it must be {wrong}")
    values: dict[str, Any] = {
        key: tuple(value) if key == "modes" else value for key, value in table.items() if key != "voice"
    }
    return Sound(**values, parts=read_parts(table, source) if "voice" in table else ())


def _wrong(key: str, value: object, default: object) -> str | None:
    """What a value has to be, if it is not that."""
    from gradmidi.composition.mapping import MAPPINGS
    from gradmidi.composition.styles import STYLES

    choices = {"events": EVENTS, "zero": ZEROS, "mapping": tuple(MAPPINGS), "style": STYLES}.get(key)
    if choices is not None:
        return None if value in choices else f"one of {', '.join(choices)}"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, float):
        below = value < 1 if key == "hysteresis" and is_number(value) else True
        return None if is_number(value) and 0 <= value <= 1 and below else "a number from 0 to 1"
    if isinstance(default, tuple):
        return None if isinstance(value, list) and all(isinstance(one, str) for one in value) else "a list of scales"
    return None if isinstance(value, str) else "text"
