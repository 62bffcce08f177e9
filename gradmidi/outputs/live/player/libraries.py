"""The MIDI libraries behind one small interface: python-rtmidi, and rtmidi2 where that has no wheel (Python ≥ 3.13).

Runs in the player process only: a library that hangs or aborts affects nothing else. (pylibremidi was tried too:
the file in its wheel carries the name of Python 3.12 and does not load on 3.13.)
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from gradmidi.errors import InputError, MissingPartError
from gradmidi.requirements import install_command

CLIENT = "gradmidi"
JACK_NO_START_SERVER = 1

# What carries MIDI, the name of its constant in both libraries, and where it is used. The first that works is used.
SYSTEMS = (
    ("ALSA", "API_LINUX_ALSA", "linux"),
    ("JACK", "API_UNIX_JACK", "linux"),
    ("CoreMIDI", "API_MACOSX_CORE", "darwin"),
    ("Windows MM", "API_WINDOWS_MM", "win32"),
)

# What the system writes to stderr when it goes away while playing: neither library reports it.
FAREWELLS = {"JACK": (b"read fail", b"zombified", b"server has been shut", b"shut down")}


class Library(NamedTuple):
    """How a library is called: its package, a client for a system, its destinations, and how bytes are sent."""

    package: str
    module: str
    client: Callable[[Any, int], Any]
    destinations: Callable[[Any], list[str]]
    sender: Callable[[Any], Callable[[bytes], None]]


LIBRARIES = (
    Library(
        "python-rtmidi",
        "rtmidi",
        lambda module, api: module.MidiOut(api, name=CLIENT),
        lambda client: list(client.get_ports()),
        lambda client: client.send_message,
    ),
    Library(
        "rtmidi2",
        "rtmidi2",
        lambda module, api: module.MidiOut(CLIENT, api),
        lambda client: list(client.ports),
        lambda client: lambda data: client.send_raw(*data),
    ),
)


class Driver(NamedTuple):
    """A library together with a system."""

    library: Library
    system: str
    constant: str

    def client(self) -> Any | None:
        """A MIDI client, or None if the system is not available (no JACK server runs, no sequencer in the kernel)."""
        jack = _system_jack()
        if self.system == "JACK" and not _answers(jack):
            return None
        module = import_module(self.library.module)
        api = getattr(module, self.constant)
        try:
            client = self.library.client(module, api)
        except Exception:  # each library and system raises a different type
            return None
        return client if client.get_current_api() == api else None


def drivers(backend: str | None = None) -> list[Driver]:
    """Every library on every system of this platform, best first.

    Args:
        backend: narrows the choice: a system (``"jack"``), a library (``"rtmidi"``) or both (``"rtmidi2/jack"``).

    Raises:
        InputError: no such system or library.
        MissingPartError: no MIDI library is installed.
    """
    here = [(name, constant) for name, constant, platform in SYSTEMS if sys.platform.startswith(platform)]
    wanted = [part.strip().lower() for part in (backend or "").split("/") if part.strip()]
    known = [name.lower() for name, *_ in SYSTEMS] + [library.module for library in LIBRARIES]
    for part in wanted:
        if part not in known:
            raise InputError(f"no MIDI backend is called {part!r}; there are {', '.join(known)}")
    libraries = [library for library in LIBRARIES if find_spec(library.module) is not None]
    found = [Driver(library, *system) for library in libraries for system in here]
    chosen = [driver for driver in found if set(wanted) <= {driver.library.module, driver.system.lower()}]
    if not chosen:
        which = f"the backend {backend}" if wanted else "a MIDI library (python-rtmidi, on Python 3.13 rtmidi2)"
        raise MissingPartError(f"live MIDI needs {which}; run: {install_command('python-rtmidi')}")
    return chosen


def _system_jack() -> ctypes.CDLL | None:
    """The system's libjack, loaded so that it stands before the copies inside the libraries' wheels, which may speak
    another version of the protocol; that only works before the library is imported.
    """
    try:
        return ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None


def _answers(jack: ctypes.CDLL | None) -> bool:
    """Whether a JACK server runs; rtmidi2 aborts the process if none does."""
    if jack is None:
        return False
    jack.jack_client_open.restype = ctypes.c_void_p
    client = jack.jack_client_open(b"gradmidi-asks", JACK_NO_START_SERVER, None)
    if not client:
        return False
    jack.jack_client_close(ctypes.c_void_p(client))
    return True


def fit(text: str, names: Sequence[str]) -> int:
    """Position of the port meant by ``text``: its exact name, its number counted from 1, or a part of one name only.

    Raises:
        InputError: none matches, or several do; the message names them.
    """
    if text in names:
        return names.index(text)
    if text.isdigit() and 1 <= int(text) <= len(names):
        return int(text) - 1
    fitting = [i for i, name in enumerate(names) if text.lower() in name.lower()]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(
            f"{text!r} matches several MIDI ports: {', '.join(names[i] for i in fitting)}; give more of one"
        )
    there = f"there are {', '.join(names)}" if names else "no ports were found"
    raise InputError(f"no MIDI port matches {text!r}; {there} (see: gradmidi ports)")


def nothing_runs() -> str:
    """What to do if no MIDI system answers."""
    if sys.platform == "linux":
        return "no MIDI system answers; start JACK (jackd -d alsa) or load ALSA's sequencer; run: sudo modprobe snd-seq"
    return "no MIDI system answers; check the MIDI settings of this computer"
