"""The named scales of ``scales.toml``: listing them by family and finding one by name."""

import difflib
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.theory.definition import Definition, from_table

_LONGEST_NAME = 60  # for the comparison with known names, which takes time with the square of the length


@dataclass(frozen=True)
class ScaleEntry:
    """A named scale: what it is called, where it belongs, where its numbers come from, and the numbers."""

    name: str
    family: str
    source: str
    aliases: tuple[str, ...]
    definition: Definition


@cache
def named_scales() -> tuple[ScaleEntry, ...]:
    """Every named scale, in the order of ``scales.toml``: families together, each from the familiar to the rare."""
    text = resources.files("gradmidi.theory").joinpath("scales.toml").read_text(encoding="utf-8")
    return tuple(
        ScaleEntry(
            name=name,
            family=family,
            source=table["source"],
            aliases=tuple(table.get("aliases", ())),
            definition=from_table(table, f"scales.toml, {name}"),
        )
        for family, scales in tomllib.loads(text).items()
        for name, table in scales.items()
    )


def families() -> dict[str, tuple[ScaleEntry, ...]]:
    """The named scales by family, both in the order of ``scales.toml``."""
    grouped: dict[str, list[ScaleEntry]] = {}
    for entry in named_scales():
        grouped.setdefault(entry.family, []).append(entry)
    return {family: tuple(entries) for family, entries in grouped.items()}


def find(name: str) -> ScaleEntry:
    """The scale of that name or alias; capitals, accents, hyphens and spaces do not matter.

    Raises:
        InputError: no scale has that name; the message lists the nearest names.
    """
    if not isinstance(name, str):
        raise InputError(f"scale name {shown(name)}: expected text such as 'minor pentatonic'")
    index = _index()
    if entry := index.get(_key(name)):
        return entry
    near = difflib.get_close_matches(_key(name)[:_LONGEST_NAME], index, n=3, cutoff=0.55)
    nearest = " or ".join(dict.fromkeys(repr(index[key].name) for key in near))
    advice = f"did you mean {nearest}?" if nearest else "`gradmidi scales` lists them"
    raise InputError(f"unknown scale {shown(name)}; {advice}")


@cache
def _index() -> Mapping[str, ScaleEntry]:
    return {_key(name): entry for entry in named_scales() for name in (entry.name, *entry.aliases)}


def _key(name: str) -> str:
    """A name without what people disagree about: case, accents, hyphens, underscores, apostrophes, spaces."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum() or letter in "+/")
