"""Where the player sends to: a virtual port, an existing port, FluidSynth, or a file. Player process only."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from gradmidi.errors import MissingPartError
from gradmidi.files import open_raw
from gradmidi.outputs.fluid_binding import Synthesizer
from gradmidi.outputs.live.player.libraries import CLIENT, drivers, fit, nothing_runs

FILE_PREFIX = "file:"
SYNTH = "fluidsynth"


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
        return SynthTarget(soundfont or "", port.partition(":")[2] or None)
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

    def __init__(self, soundfont: str, driver: str | None) -> None:
        self._fluid = Synthesizer()
        self._fluid.synth.start(driver=driver)
        if not self._fluid.synth.audio_driver:
            raise MissingPartError(
                "FluidSynth found no sound device; name its audio driver, such as --live fluidsynth:jack"
            )
        self._fluid.load(soundfont)
        self.name = f"{SYNTH} with {Path(soundfont).name}"
        self.send, self.close = self._fluid.send, self._fluid.close
