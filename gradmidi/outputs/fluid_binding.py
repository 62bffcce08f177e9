"""FluidSynth bound once, for files and for live sound: MIDI bytes in. pyfluidsynth has neither sysex nor byte paths."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from gradmidi.errors import InputError, MissingPartError
from gradmidi.requirements import install_command, require

GAIN = 0.5  # below FluidSynth's full level, so that chords do not clip

# status byte of a channel message → what it does to the synthesizer
CALLS: dict[int, Callable[..., Any]] = {
    0x80: lambda synth, channel, key, _: synth.noteoff(channel, key),
    0x90: lambda synth, channel, key, velocity: synth.noteon(channel, key, velocity),
    0xB0: lambda synth, channel, control, value: synth.cc(channel, control, value),
    0xC0: lambda synth, channel, program: synth.program_change(channel, program),
    0xE0: lambda synth, channel, low, high: synth.pitch_bend(channel, (high << 7 | low) - 8192),
}


class Synthesizer:
    """A FluidSynth without a SoundFont yet.

    Args:
        settings: as ``fluidsynth.Synth`` of pyfluidsynth takes them, such as ``samplerate``.

    Attributes:
        library: libfluidsynth, through ctypes.
        synth: the ``fluidsynth.Synth``.

    Raises:
        MissingPartError: pyfluidsynth or libfluidsynth is not installed.
    """

    def __init__(self, **settings: Any) -> None:
        fluidsynth = module()
        self.library: Any = fluidsynth._fl
        self.synth: Any = fluidsynth.Synth(gain=GAIN, **settings)

    @property
    def pointer(self) -> ctypes.c_void_p:
        """What functions of the library take first."""
        return ctypes.c_void_p(self.synth.synth)

    def load(self, soundfont: str | os.PathLike[str]) -> None:
        """Load a SoundFont.

        Raises:
            InputError: FluidSynth cannot read it.
        """
        if self.library.fluid_synth_sfload(self.pointer, os.fsencode(soundfont), 0) < 0:
            raise InputError(f"FluidSynth cannot read the SoundFont {soundfont}; try another with --soundfont")

    def send(self, data: bytes) -> None:
        """Apply one complete MIDI message immediately; what a synthesizer does not know is ignored."""
        if data[0] == 0xF0:
            body = data[1:-1]
            self.library.fluid_synth_sysex(self.pointer, body, len(body), None, None, None, 0)
        elif call := CALLS.get(data[0] & 0xF0):
            call(self.synth, data[0] & 0x0F, *data[1:])

    def close(self) -> None:
        """Free it; it must not be used afterwards."""
        self.synth.delete()


def module() -> Any:
    """pyfluidsynth, whose import fails if the package is missing, and also if only the system's library is.

    Raises:
        MissingPartError: one of the two is not installed.
    """
    missing = "pyfluidsynth" if find_spec("fluidsynth") is None else "libfluidsynth"
    try:
        return require("fluidsynth", missing)
    except (OSError, AttributeError) as error:
        raise MissingPartError(
            f"libfluidsynth does not load ({error}); run: {install_command('libfluidsynth')}"
        ) from None
