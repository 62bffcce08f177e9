"""FluidSynth in process: MIDI messages in, float samples out. pyfluidsynth has no float output and no sysex."""

from __future__ import annotations

import ctypes
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mido
import numpy as np

from gradmidi.errors import InputError, MissingPartError
from gradmidi.outputs.audio_file import RATE, Block
from gradmidi.outputs.soundfont_check import check_soundfont
from gradmidi.requirements import install_command, require

GAIN = 0.5  # before the level is set; float samples do not clip
POLYPHONY = 256
LOG_LEVELS = 5  # panic, error, warning, information, debug


class Fluid:
    """A synthesiser with one SoundFont, General MIDI's percussion on channel 10.

    Raises:
        MissingPartError: pyfluidsynth or libfluidsynth is not installed.
        InputError: FluidSynth cannot load the SoundFont.
    """

    def __init__(self, soundfont: Path) -> None:
        fluidsynth = _fluidsynth()
        check_soundfont(soundfont)
        self._library: Any = fluidsynth._fl
        for level in range(LOG_LEVELS):
            self._library.fluid_set_log_function(level, None, None)
        self._synth = fluidsynth.Synth(gain=GAIN, samplerate=float(RATE), **{"synth.polyphony": POLYPHONY})
        if self._library.fluid_synth_sfload(ctypes.c_void_p(self._synth.synth), os.fsencode(soundfont), 0) < 0:
            self._synth.delete()
            raise InputError(f"FluidSynth cannot read the SoundFont {soundfont}; try another with --soundfont")
        self._synth.system_reset()

    def send(self, message: mido.Message) -> None:
        """Apply a channel message or a sysex immediately."""
        synth, kind = self._synth, message.type
        if kind == "note_on":
            synth.noteon(message.channel, message.note, message.velocity)
        elif kind == "note_off":
            synth.noteoff(message.channel, message.note)
        elif kind == "control_change":
            synth.cc(message.channel, message.control, message.value)
        elif kind == "program_change":
            synth.program_change(message.channel, message.program)
        elif kind == "pitchwheel":
            synth.pitch_bend(message.channel, message.pitch)
        elif kind == "sysex":
            data = bytes(message.data)
            self._library.fluid_synth_sysex(ctypes.c_void_p(synth.synth), data, len(data), None, None, None, 0)

    def samples(self, frames: int) -> Block:
        """The next ``frames`` samples, (frames, 2) float32."""
        block = np.empty((frames, 2), dtype=np.float32)
        place = ctypes.c_void_p(block.ctypes.data)
        self._library.fluid_synth_write_float(ctypes.c_void_p(self._synth.synth), frames, place, 0, 2, place, 1, 2)
        return block

    def close(self) -> None:
        self._synth.delete()


def _fluidsynth() -> Any:
    """pyfluidsynth, whose import fails if the package or the system's library is missing."""
    if find_spec("fluidsynth") is None:
        return require("fluidsynth", "pyfluidsynth")
    try:
        return require("fluidsynth", "libfluidsynth")
    except (OSError, AttributeError) as error:
        raise MissingPartError(
            f"libfluidsynth does not load ({error}); run: {install_command('libfluidsynth')}"
        ) from None
