"""FluidSynth in process: MIDI messages in, float samples out."""

from __future__ import annotations

import ctypes
from pathlib import Path

import mido
import numpy as np

from gradmidi.outputs.audio_file import RATE, Block
from gradmidi.outputs.fluid_binding import Synthesizer, module
from gradmidi.outputs.soundfont_check import check_soundfont

POLYPHONY = 256
LOG_LEVELS = 5  # panic, error, warning, information, debug


class Fluid:
    """A synthesizer with one SoundFont, General MIDI's percussion on channel 10.

    Raises:
        MissingPartError: pyfluidsynth or libfluidsynth is not installed.
        InputError: FluidSynth cannot load the SoundFont.
    """

    def __init__(self, soundfont: Path) -> None:
        library = module()._fl
        check_soundfont(soundfont)
        for level in range(LOG_LEVELS):
            library.fluid_set_log_function(level, None, None)
        self._fluid = Synthesizer(samplerate=float(RATE), **{"synth.polyphony": POLYPHONY})
        try:
            self._fluid.load(soundfont)
        except BaseException:
            self._fluid.close()
            raise
        self._fluid.synth.system_reset()

    def send(self, message: mido.Message) -> None:
        """Apply a channel message or a sysex immediately."""
        self._fluid.send(bytes(message.bytes()))

    def samples(self, frames: int) -> Block:
        """The next ``frames`` samples, (frames, 2) float32."""
        block = np.empty((frames, 2), dtype=np.float32)
        place = ctypes.c_void_p(block.ctypes.data)
        self._fluid.library.fluid_synth_write_float(self._fluid.pointer, frames, place, 0, 2, place, 1, 2)
        return block

    def close(self) -> None:
        """Free the synthesizer."""
        self._fluid.close()
