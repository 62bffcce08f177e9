"""What a part needs beyond the base install, and the command that installs it; read by errors and ``doctor``."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from gradmidi.errors import MissingPartError


class Requirement(NamedTuple):
    """A module to import, what it serves, and what installs it on Linux, macOS and Windows."""

    module: str
    name: str
    serves: str
    linux: str
    macos: str
    windows: str


def _extra(name: str) -> tuple[str, str, str]:
    command = f"pip install 'gradmidi[{name}]'"
    return command, command, command.replace("'", '"')


# rtmidi2 stands in for python-rtmidi where that has no wheels.
RTMIDI = "rtmidi" if sys.version_info < (3, 13) else "rtmidi2"
# Importing `fluidsynth` fails as well where the Python package is there but the system's library is not.
REQUIREMENTS = (
    Requirement("torch", "torch", "training and attaching to a model", *_extra("train")),
    Requirement("torchvision", "torchvision", "downloading full MNIST (may bring another torch)", *_extra("mnist")),
    Requirement("fluidsynth", "pyfluidsynth", "playing SoundFonts", *_extra("soundfont")),
    Requirement(
        "fluidsynth",
        "libfluidsynth",
        "playing SoundFonts",
        "sudo apt-get install libfluidsynth3",
        "brew install fluid-synth",
        "choco install fluidsynth",
    ),
    Requirement("pretty_midi", "pretty_midi", "a General MIDI SoundFont (--soundfont gm)", *_extra("soundfont")),
    Requirement("soundfile", "soundfile", ".flac, .ogg and .mp3 files", *_extra("audio")),
    Requirement("matplotlib", "matplotlib", "pictures", *_extra("plot")),
    Requirement("pandas", "pandas", "tables of pandas (to_pandas, from_pandas)", *_extra("pandas")),
    Requirement("tensorboard", "tensorboard", "reading TensorBoard's runs", *_extra("logs")),
    Requirement(RTMIDI, "python-rtmidi", "live MIDI", *_extra("live")),
)


def install_command(name: str) -> str:
    """The command that installs the requirement called ``name`` on this system."""
    row = next(row for row in REQUIREMENTS if row.name == name)
    return {"darwin": row.macos, "win32": row.windows}.get(sys.platform, row.linux)


def quiet_import(module: str) -> ModuleType:
    """Import a module without letting it print: pyfluidsynth talks on stdout where ``CI`` is set."""
    with redirect_stdout(io.StringIO()):
        return import_module(module)


def require(module: str, name: str) -> ModuleType:
    """Import ``module``.

    Raises:
        MissingPartError: it is not installed; the message says what it serves and what installs it.
    """
    try:
        return quiet_import(module)
    except ImportError:
        row = next(row for row in REQUIREMENTS if row.name == name)
        raise MissingPartError(f"{name} is needed for {row.serves}; run: {install_command(name)}") from None
