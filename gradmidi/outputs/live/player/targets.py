"""Where the player sends to: a virtual port, an existing port, FluidSynth, or a file. Player process only."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from gradmidi.errors import InputError, MissingPartError
from gradmidi.files import open_raw
from gradmidi.outputs.live.player.libraries import CLIENT, drivers, fit, nothing_runs
from gradmidi.requirements import install_command, require

FILE_PREFIX = "file:"
SYNTH = "fluidsynth"
SYNTH_GAIN = 0.5


class Target(Protocol):
    """Takes one complete MIDI message at a time; ``send`` raises if the receiver is known to be gone."""

    name: str
    system: str

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


def open_target(port: str, backend: str | None, soundfont: str | None) -> Target:
    """The target that ``port`` names; empty, or ``gradmidi``, is a new virtual port.

    Raises:
        InputError: the port is unknown, the file cannot be written, or the SoundFont cannot be read.
        MissingPartError: something has to be installed or started first.
    """
    if port.startswith(FILE_PREFIX):
        return FileTarget(Path(port.removeprefix(FILE_PREFIX)))
    if port == SYNTH or port.startswith(SYNTH + ":"):
        return SynthTarget(soundfont, port.partition(":")[2] or None)
    return PortTarget.virtual(backend) if port in ("", CLIENT) else PortTarget.connect(port, backend)


class PortTarget:
    """A MIDI port of the operating system."""

    def __init__(self, client: Any, name: str, system: str, send: Callable[[bytes], None]) -> None:
        self._client = client
        self.name = name
        self.system = system
        self.send = send

    @classmethod
    def virtual(cls, backend: str | None) -> PortTarget:
        """A port called ``gradmidi`` that other programs can listen to."""
        choice = drivers(backend)
        if sys.platform == "win32":
            raise MissingPartError(
                "Windows has no virtual MIDI ports; make one with loopMIDI and name it: --live NAME; "
                "run: winget install TobiasErichsen.loopMIDI"
            )
        for driver in choice:
            client = driver.client()
            if client is not None:
                client.open_virtual_port(CLIENT)
                return cls(client, CLIENT, driver.system, driver.library.sender(client))
        raise MissingPartError(nothing_runs())

    @classmethod
    def connect(cls, text: str, backend: str | None) -> PortTarget:
        """The port that ``text`` names, among those of every system."""
        found = [(driver, client) for driver in drivers(backend) if (client := driver.client()) is not None]
        if not found:
            raise MissingPartError(nothing_runs())
        # A second library shows the same ports again.
        library = found[0][0].library
        found = [(driver, client) for driver, client in found if driver.library is library]
        ports = [(d, c, i, name) for d, c in found for i, name in enumerate(d.library.destinations(c))]
        driver, client, index, name = ports[fit(text, [name for *_, name in ports])]
        client.open_port(index)
        return cls(client, name, driver.system, driver.library.sender(client))

    def close(self) -> None:
        self._client.close_port()


class FileTarget:
    """Writes each message as a line: s since the player opened, and the bytes in hexadecimal."""

    system = "file"

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(open_raw(path), "w", buffering=1, encoding="ascii")
        self.name = str(path)
        self._start = time.perf_counter()

    def send(self, data: bytes) -> None:
        self._file.write(f"{time.perf_counter() - self._start:.6f} {data.hex(' ')}\n")

    def close(self) -> None:
        self._file.close()


class SynthTarget:
    """A private FluidSynth with its own audio driver, for use without a DAW."""

    system = "FluidSynth"

    def __init__(self, soundfont: str | None, driver: str | None) -> None:
        fluidsynth: Any = _fluidsynth()
        if soundfont is None:
            raise MissingPartError(f"no SoundFont was found; run: {install_command('pretty_midi')}")
        self._library = fluidsynth._fl
        self._synth = fluidsynth.Synth(gain=SYNTH_GAIN)
        self._synth.start(driver=driver)
        if not self._synth.audio_driver:
            raise MissingPartError(
                "FluidSynth found no sound device; name its audio driver, such as --live fluidsynth:jack"
            )
        if self._library.fluid_synth_sfload(ctypes.c_void_p(self._synth.synth), os.fsencode(soundfont), 0) < 0:
            raise InputError(f"FluidSynth cannot read the SoundFont {soundfont}; try another with --soundfont")
        self.name = f"{SYNTH} with {Path(soundfont).name}"

    def send(self, data: bytes) -> None:
        synth, status, channel = self._synth, data[0] & 0xF0, data[0] & 0x0F
        if data[0] == 0xF0:
            body = data[1:-1]
            self._library.fluid_synth_sysex(ctypes.c_void_p(synth.synth), body, len(body), None, None, None, 0)
        elif status in SYNTH_CALLS:
            SYNTH_CALLS[status](synth, channel, *data[1:])

    def close(self) -> None:
        self._synth.delete()


# status byte of a channel message → what it does to the synthesiser
SYNTH_CALLS: dict[int, Callable[..., Any]] = {
    0x80: lambda synth, channel, key, _: synth.noteoff(channel, key),
    0x90: lambda synth, channel, key, velocity: synth.noteon(channel, key, velocity),
    0xB0: lambda synth, channel, control, value: synth.cc(channel, control, value),
    0xC0: lambda synth, channel, program: synth.program_change(channel, program),
    0xE0: lambda synth, channel, low, high: synth.pitch_bend(channel, (high << 7 | low) - 8192),
}


def _fluidsynth() -> Any:
    # The import fails if the package is missing, and also if only the system's library is.
    missing = "pyfluidsynth" if find_spec("fluidsynth") is None else "libfluidsynth"
    try:
        return require("fluidsynth", missing)
    except (OSError, AttributeError) as error:
        raise MissingPartError(
            f"libfluidsynth does not load ({error}); run: {install_command('libfluidsynth')}"
        ) from None
