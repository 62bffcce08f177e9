"""Build ``gradmidi.sf2``, the project's own SoundFont, from ``gradmidi.toml``.

    python soundfonts/build_gradmidi.py [TARGET]

Nothing is sampled: voices are loops of a period with the harmonics of the table, one loop per octave, at pitches of
which a period is a whole number of frames at 44,000 Hz (A1 = 55 Hz: 800), so that nothing has to be tuned. Their stroke
and fall are envelopes of the SoundFont. Every note is equally loud by the K-weighting of ITU-R BS.1770.
"""

from __future__ import annotations

import math
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from cycles import AFTER, BEFORE, Floats, cycle, heard_power, heard_power_of, levels
from earcons import DRIVE, HELD_NOISE, band_noise, stroke
from earcons import RATE as KIT_RATE
from sf2 import LOOPED, Gen, Instrument, Preset, Sample, Settings, Zone, soundfont

HERE = Path(__file__).parent
TARGET = HERE / "gradmidi.sf2"
RATE, A4 = 44_000, 69
OCTAVE = 12
# Root, lowest and highest key of each zone. Roots are As; from E♭3 on each octave has two zones, for an even loudness.
PLACES = (
    (33, 0, 38),
    (45, 39, 50),
    *((root, root + low, root + low + 5) for root in range(57, 106, OCTAVE) for low in (-6, 0)),
    (117, 111, 127),
)
HALF_RATE_BELOW = 45  # root; the loops of low notes are long, and have harmonics enough
FEW_PLACES = ((57, 0, 62), (69, 63, 74), (81, 75, 127))  # for loops of several periods, which are long
TOP = 11_000  # Hz; up to an octave and a half higher nothing aliases
NOTE = 0.05  # s that a note of a voice lasts, for its loudness
POWER = 10 ** (-19 / 10)  # K-weighted mean square of such a note at the highest velocity
ATTACK, RELEASE = 2, 45  # ms; the release is the time of 96 dB
FULL = 96  # dB that FluidSynth's envelopes fall in their time
CYCLE = 128  # frames of a held tone's period
HELD_ATTACK, HELD_RELEASE, STROKE_RELEASE = 60, 500, 60_000
PERCUSSION = 128  # bank
MELODIC = 128  # programs


class Font:
    """What has been made so far."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.instruments: list[Instrument] = []

    def sample(self, name: str, frames: Floats, rate: int, root: int, loop: tuple[int, int]) -> int:
        """Its position among the samples."""
        peak = np.abs(frames).max()
        if peak > 1:
            raise SystemExit(f"{name} would clip: its peak is {20 * math.log10(peak):.1f} dB")
        self.samples.append(Sample(name, frames, rate, root, loop))
        return len(self.samples) - 1

    def instrument(self, name: str, zones: list[Zone]) -> int:
        """Its position among the instruments."""
        self.instruments.append(Instrument(name, zones))
        return len(self.instruments) - 1


def timecents(seconds: float) -> int:
    return round(1200 * math.log2(seconds))


def decibels(level: float) -> float:
    """The factor of a power."""
    return float(10 ** (level / 10))


def melodic(font: Font, row: dict[str, Any]) -> int:
    """An instrument of a zone or two per octave."""
    settings = _envelope(row)
    target = POWER * decibels(row.get("level", 0)) / _envelope_power(row)
    zones = [_zone(font, row, settings, target, *place) for place in (FEW_PLACES if "cycles" in row else PLACES)]
    if "tick" in row:
        zones.append(_tick(font, *row["tick"]))
    return font.instrument(row["name"], zones)


def _zone(font: Font, row: dict[str, Any], settings: Settings, target: float, root: int, low: int, high: int) -> Zone:
    """The harmonics are those of the middle of the zone."""
    middle = _hz(root if high - low > OCTAVE else (low + high) / 2) / row.get("cycles", 1)
    hz = _hz(root) / row.get("cycles", 1)
    top = TOP / 2 if root < HALF_RATE_BELOW else TOP
    amplitudes = levels(row["partials"], row.get("slope"), row.get("formants", ()), middle, top)
    amplitudes *= math.sqrt(target / heard_power(amplitudes, middle))
    rate = RATE // 2 if root < HALF_RATE_BELOW else RATE
    frames, loop = cycle(amplitudes, hz, rate)
    return Zone(font.sample(f"{row['name']} {low}", frames, rate, root, loop), low, high, settings)


def _hz(key: float) -> float:
    return float(440 * 2 ** ((key - A4) / OCTAVE))


def _tick(font: Font, level: float, milliseconds: float, low_pass: float) -> Zone:
    """Noise at the stroke, the same for all keys."""
    seconds = milliseconds / 1000
    noise = band_noise(round(2 * seconds * RATE), 150, low_pass, RATE)
    noise *= 10 ** (-2 * np.arange(len(noise)) / RATE / seconds)
    noise *= math.sqrt(POWER * decibels(level) * NOTE * RATE / len(noise) / heard_power_of(noise, RATE))
    sample = font.sample(f"Tick {low_pass}", noise, RATE, A4, _unlooped(noise))
    return Zone(sample, 0, 127, {Gen.ATTACK: timecents(0.001), Gen.KEY_TRACKING: 0, Gen.ROOT: A4})


def _unlooped(wave: Floats) -> tuple[int, int]:
    """A range that readers accept for a sample that they play once."""
    return BEFORE, len(wave) - AFTER


def _envelope(row: dict[str, Any]) -> Settings:
    settings = {
        Gen.ATTACK: timecents(row.get("attack", ATTACK) / 1000),
        Gen.RELEASE: timecents(row.get("release", RELEASE) / 1000),
        Gen.SAMPLE_MODES: LOOPED,
    }
    if "fall" in row:
        settings |= {Gen.DECAY: timecents(FULL / row["fall"]), Gen.SUSTAIN: round(-10 * row["sustain"])}
    if "filter" in row:
        octaves, milliseconds = row["filter"]
        settings |= {
            Gen.FILTER: 8_500,
            Gen.RESONANCE: 60,
            Gen.MOD_ENVELOPE_TO_FILTER: round(1200 * octaves),
            Gen.MOD_DECAY: timecents(milliseconds / 1000),
            Gen.MOD_SUSTAIN: 1000,
        }
    return settings


def _envelope_power(row: dict[str, Any]) -> float:
    """Mean square of the envelope over the length of a note."""
    time = np.arange(0, NOTE, 0.0001)
    fallen = np.maximum(-row.get("fall", 0) * time, row.get("sustain", 0))
    return float(np.mean(decibels(1) ** fallen))


def kit(font: Font, table: dict[str, Any]) -> int:
    """The percussion: a key or more per stroke and held tone."""
    zones = []
    for row in table["stroke"]:
        wave = stroke(row["pieces"], table["waves"], row.get("drive", DRIVE))
        wave *= math.sqrt(POWER * decibels(row["level"]) / heard_power_of(wave, KIT_RATE))
        sample = font.sample(row["name"], wave, KIT_RATE, row["key"], _unlooped(wave))
        settings = {Gen.RELEASE: timecents(STROKE_RELEASE / 1000)}
        zones += [Zone(sample, key, key, settings | _fixed(row)) for key in (row["key"], *row.get("also", ()))]
    for row in table["hold"]:
        zones += [Zone(sample, row["key"], row["key"], _held(row)) for sample in _loops(font, row, table["waves"])]
    return font.instrument("Kit", sorted(zones, key=lambda zone: (zone.low, zone.sample)))


def _fixed(row: dict[str, Any]) -> Settings:
    """No key but its own may transpose it."""
    return {Gen.KEY_TRACKING: 0} if "also" in row else {}


def _loops(font: Font, row: dict[str, Any], waves: dict[str, Any]) -> list[int]:
    power = POWER * decibels(row["level"])
    if "noise" in row:
        rate = KIT_RATE // 3
        noise = band_noise(HELD_NOISE, *row["noise"], rate)
        noise *= math.sqrt(power / heard_power_of(noise, rate))
        frames = np.concatenate([noise[-BEFORE:], noise, noise[:AFTER]])
        return [font.sample(row["name"], frames, rate, row["key"], (BEFORE, BEFORE + len(noise)))]
    tones = [(hz, levels(waves[wave], None, (), hz, TOP) * 10 ** (level / 20)) for hz, wave, level in row["tones"]]
    factor = math.sqrt(power / sum(heard_power(amplitudes, hz) for hz, amplitudes in tones))
    made = []
    for number, (hz, amplitudes) in enumerate(tones, 1):
        frames, loop = cycle(amplitudes * factor, hz, CYCLE * hz)
        made.append(font.sample(f"{row['name']} {number}", frames, CYCLE * hz, row["key"], loop))
    return made


def _held(row: dict[str, Any]) -> Settings:
    settings = {
        Gen.ATTACK: timecents(HELD_ATTACK / 1000),
        Gen.RELEASE: timecents(HELD_RELEASE / 1000),
        Gen.SAMPLE_MODES: LOOPED,
    }
    if "tremolo" in row:
        hz, depth = row["tremolo"]
        settings |= {Gen.LFO_FREQUENCY: _lfo(hz), Gen.LFO_TO_VOLUME: round(10 * depth)}
    if "vibrato" in row:
        hz, cents = row["vibrato"]
        settings |= {Gen.VIBRATO_FREQUENCY: _lfo(hz), Gen.VIBRATO_TO_PITCH: cents}
    return settings


def _lfo(hz: float) -> int:
    """Cents above the specification's 8.176 Hz."""
    return round(1200 * math.log2(hz / 8.176))


def build(target: Path = TARGET) -> None:
    """Write the SoundFont."""
    table = tomllib.loads((HERE / "gradmidi.toml").read_text(encoding="utf-8"))
    font = Font()
    rows = [*table["voice"], table["pad"], table["knock"]]
    made = {row["program"]: melodic(font, row) for row in rows}
    nearest = [min(made, key=lambda own: (abs(own - program), own)) for program in range(MELODIC)]
    presets = [Preset(rows[made[own]]["name"], 0, program, made[own]) for program, own in enumerate(nearest)]
    presets.append(Preset("Kit", PERCUSSION, 0, kit(font, table)))
    target.write_bytes(soundfont("gradmidi", font.samples, font.instruments, presets))


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:]))
