"""Build ``pure-tone.sf2``: one sine for every General MIDI program, so that pitch can be measured.

    python soundfonts/build_pure_tone.py [TARGET]

The sample is sampled at 44,000 Hz, so that one period of 440 Hz is exactly 100 samples and the loop closes without an
error.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sf2 import LOOPED, Gen, Instrument, Preset, Sample, Zone, soundfont

TARGET = Path(__file__).with_name("pure-tone.sf2")
RATE, PERIOD, ROOT_KEY = 44_000, 100, 69
LOOP_START, LOOP_END = 10 * PERIOD, 60 * PERIOD
SETTINGS = {Gen.ATTACK: -9600, Gen.RELEASE: -5000, Gen.SAMPLE_MODES: LOOPED, Gen.ROOT: ROOT_KEY}  # timecents


def build(target: Path = TARGET) -> None:
    """Write the SoundFont."""
    wave = 0.5 * np.sin(2 * np.pi * np.arange(LOOP_END + 10 * PERIOD) / PERIOD)
    sine = Sample("Sine", wave, RATE, ROOT_KEY, (LOOP_START, LOOP_END))
    presets = [Preset(f"Sine {program}", 0, program, 0) for program in range(128)] + [Preset("Sine drums", 128, 0, 0)]
    instrument = Instrument("Sine", [Zone(0, 0, 127, SETTINGS)])
    target.write_bytes(soundfont("gradmidi pure tone", [sine], [instrument], presets))


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:]))
