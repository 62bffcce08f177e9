"""Which SoundFont is played: one that is named, one that was put into a folder ``soundfonts``, or gradmidi's own."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from gradmidi.errors import InputError, MissingPartError
from gradmidi.outputs.soundfont_check import check_soundfont
from gradmidi.requirements import install_command

GENERAL_MIDI = "gm"  # in place of a file: the General MIDI SoundFont of the system, or the one of pretty_midi
OWN = "gradmidi.sf2"
PURE_TONE = "pure-tone.sf2"  # made for measuring pitch; never chosen unless asked for
ENDINGS = (".sf2", ".sf3")
PROJECT = Path(__file__).parents[2] / "soundfonts"  # in a clone
SYSTEM_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
    "C:/soundfonts",
)


def find_soundfont(explicit: str | Path | None = None) -> Path:
    """The SoundFont to play: given, ``GRADMIDI_SOUNDFONT``, the first in a folder ``soundfonts``, or gradmidi's own.

    Args:
        explicit: a file, or ``"gm"`` for a General MIDI SoundFont of the system.

    Raises:
        InputError: the one given, or named in the environment, is missing or not a SoundFont.
        MissingPartError: ``"gm"`` was asked for, and no such font is installed.
    """
    for source, name in (("--soundfont", explicit), ("GRADMIDI_SOUNDFONT", os.environ.get("GRADMIDI_SOUNDFONT"))):
        if name:
            return _general_midi() if name == GENERAL_MIDI else _checked(_expanded(name), source)
    return next((file for folder in (Path("soundfonts"), PROJECT) for file in _soundfonts(folder)), own_soundfont())


def own_soundfont() -> Path:
    """Gradmidi's own SoundFont: in an installed package it is next to this file."""
    installed = Path(__file__).with_name(OWN)
    return installed if installed.is_file() else PROJECT / OWN


def is_soundfont(path: Path) -> bool:
    """Whether the file starts as the SoundFont format requires: a RIFF of form ``sfbk``."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"sfbk"


def _general_midi() -> Path:
    spec = find_spec("pretty_midi")
    shipped = map(Path, (spec.submodule_search_locations if spec else None) or ())
    for folder in (*map(_expanded, SYSTEM_FOLDERS), *shipped):
        for file in _soundfonts(folder):
            return file
    raise MissingPartError(f"no General MIDI SoundFont was found; run: {install_command('pretty_midi')}")


def _soundfonts(folder: Path) -> list[Path]:
    """The SoundFonts of others in a folder, in order; none if it does not exist or may not be read."""
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return []
    named = [file for file in files if file.suffix.lower() in ENDINGS and file.name not in (OWN, PURE_TONE)]
    return [file for file in named if is_soundfont(file)]


def _expanded(name: str | Path) -> Path:
    return Path(os.path.expanduser(name))  # noqa: PTH111 - Path's raises where there is no such home


def _checked(path: Path, source: str) -> Path:
    if not os.path.isfile(path):  # noqa: PTH113 - Path's raises where one may not look
        raise InputError(f"{source}: there is no file {path}, or no right to read it")
    if not is_soundfont(path):
        raise InputError(f"{source}: {path} is not a SoundFont (.sf2 or .sf3)")
    check_soundfont(path)
    return path
