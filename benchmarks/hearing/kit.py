"""Whether the strokes of gradmidi's kit are told apart among notes: python -m benchmarks.hearing.kit

A listener with nothing but templates of the strokes alone hears each among the notes of four voices: as it is, on a
laptop (a high-pass of 200 Hz), in the next room (a low-pass of 500 Hz, and pink noise as loud as the notes), and in a
noisy room (pink noise 10 dB louder than the notes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import mido
import numpy as np
from numpy.typing import NDArray

from benchmarks.hearing.voices import mel_filters
from gradmidi.composition.voices import load_parts
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.fluid import Fluid
from gradmidi.outputs.soundfont_choice import own_soundfont

NAMES = {
    38: "NaN",
    49: "Inf",
    57: "explosion",
    52: "bad start",
    74: "drift",
    55: "spike",
    79: "vanishing",
    77: "zero",
    75: "frozen",
    58: "noise",
    39: "loss spike",
    67: "plateau",
    81: "recovery",
}
STRUCK, BEFORE, SECONDS = 115, 0.3, 1.1  # velocity; s of notes before it, and of the whole
NOTE, VOICES, KEYS = 0.05, 4, np.array([57, 60, 62, 64, 67, 69, 72, 74, 76, 79])
HOP, WINDOW, LATEST = 0.01, 0.04, 5  # s, s, hops that a stroke may be heard early or late
TRIALS, FEWEST = 20, 8  # fewest: examples of notes without a stroke
USUAL = 0.97  # of the time, a band is no louder than what the listener expects
BANDS = 48

Floats = NDArray[np.float64]


def low(sound: Floats, hz: float = 500) -> Floats:
    """What a wall lets through: a low-pass that falls by 24 dB per octave."""
    return _weighted(sound, lambda at: 1 / np.sqrt(1 + (at / hz) ** 8))


def high(sound: Floats, hz: float = 200) -> Floats:
    """What a small speaker plays: a high-pass as steep."""
    return _weighted(sound, lambda at: 1 / np.sqrt(1 + (hz / np.maximum(at, 1)) ** 8))


def _weighted(sound: Floats, gain: Callable[[Floats], Floats]) -> Floats:
    return np.fft.irfft(np.fft.rfft(sound) * gain(np.fft.rfftfreq(len(sound), 1 / RATE)), len(sound))


def pink(rng: np.random.Generator, size: int) -> Floats:
    """Noise of unit power, weaker by 3 dB per octave."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[: round(20 * size / RATE)] = 0
    noise = np.fft.irfft(spectrum, size)
    return np.asarray(noise / np.std(noise))


class Room:
    """Four voices that play healthy notes, and the kit."""

    def __init__(self) -> None:
        self._fluid = Fluid(own_soundfont())
        for channel, part in enumerate(load_parts()[:VOICES]):
            self._send("program_change", channel=channel, program=part.program)

    def heard(self, rng: np.random.Generator, key: int | None, notes: bool = True) -> Floats:
        """(n,) mono sound, in which a stroke begins after BEFORE s."""
        parts, last = [], None
        for slot in range(round(SECONDS / NOTE)):
            if key is not None and slot == round(BEFORE / NOTE):
                self._send("note_on", channel=9, note=key, velocity=STRUCK)
            if last is not None:
                self._send("note_off", channel=last[0], note=last[1])
                last = None
            if notes and (place := slot % (VOICES + 2)) < VOICES:
                last = (place, int(rng.choice(KEYS)))
                self._send("note_on", channel=last[0], note=last[1], velocity=88)
            parts.append(self._fluid.samples(round(NOTE * RATE)))
        for channel in (*range(VOICES), 9):
            self._send("control_change", channel=channel, control=120, value=0)
        self._fluid.samples(RATE // 10)
        return np.concatenate(parts).sum(axis=1).astype(np.float64)

    def close(self) -> None:
        """Free the synthesizer."""
        self._fluid.close()

    def _send(self, kind: str, **values: int) -> None:
        self._fluid.send(mido.Message(kind, **values))


def spectrogram(sound: Floats) -> Floats:
    """(frames, BANDS) dB in mel bands."""
    size, hop = round(WINDOW * RATE), round(HOP * RATE)
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[::hop] * np.hanning(size)
    return np.asarray(10 * np.log10(np.abs(np.fft.rfft(frames, 4096)) ** 2 @ mel_filters(4096, BANDS).T + 1e-9))


class Where(NamedTuple):
    """What reaches a listener: a filtered sound, and pink noise so many dB louder than the filtered notes."""

    filtered: Callable[[Floats], Floats]
    noise: float = -np.inf

    def reached(self, heard: Floats, rng: np.random.Generator, level: float) -> Floats:
        """The sound at the listener, where the notes have a root mean square of ``level``."""
        return self.filtered(heard) + level * 10 ** (self.noise / 20) * pink(rng, len(heard))


WHERES = {
    "as it is": Where(np.asarray),
    "laptop": Where(high),
    "next room": Where(low, 0),
    "noisy room": Where(np.asarray, 10),
}


def listen(name: str, trials: int = TRIALS) -> tuple[Floats, Floats]:
    """(kinds, kinds) shares of what was heard, by what sounded, and (kinds,) dB by which a stroke stands out.

    Args:
        name: one of WHERES.
        trials: how often each stroke sounds.
    """
    room, rng = Room(), np.random.default_rng(1)
    keys = list(NAMES)
    music = [room.heard(rng, None) for _ in range(max(trials, FEWEST))]
    where = WHERES[name]
    level = float(np.sqrt(np.mean([np.mean(where.filtered(one) ** 2) for one in music])))
    # What a listener knows: how loud each band is without a stroke at most, and each stroke alone.
    usual = np.concatenate([spectrogram(where.reached(one, rng, level)) for one in music])
    floor = np.quantile(usual, USUAL, axis=0)
    alone = [spectrogram(where.filtered(room.heard(rng, key, notes=False))) for key in keys]
    templates = [np.maximum(one - floor, 0) for one in alone]
    confusion, out = np.zeros((len(keys), len(keys))), np.zeros(len(keys))
    for i, key in enumerate(keys):
        for _ in range(trials):
            sound = where.reached(room.heard(rng, key), rng, level)
            seen = np.maximum(spectrogram(sound) - floor, 0)
            confusion[i, int(np.argmax([likeness(seen, template) for template in templates]))] += 1 / trials
        struck = where.filtered(room.heard(rng, key, notes=False))
        loudest = max(np.sqrt(np.mean(part**2)) for part in np.array_split(struck, round(SECONDS / 0.1)))
        out[i] = 20 * np.log10(loudest / level)
    room.close()
    return confusion, out


def likeness(seen: Floats, template: Floats) -> float:
    """Cosine between two spectrograms, at the best delay."""
    best = -1.0
    for delay in range(-LATEST, LATEST + 1):
        moved = np.roll(template, delay, axis=0)
        best = max(best, float((seen * moved).sum() / np.sqrt((seen**2).sum() * (moved**2).sum() + 1e-9)))
    return best


def main() -> None:
    """Print a table as Markdown."""
    results = {name: listen(name) for name in WHERES}
    print(f"| stroke, {TRIALS} times each | " + " | ".join(f"{name} | stands out, dB" for name in WHERES) + " |")
    print("|---|" + "---:|---:|" * len(WHERES))
    for i, name in enumerate(NAMES.values()):
        cells = [f"{confusion[i, i]:.2f} | {out[i]:.0f}" for confusion, out in results.values()]
        print(f"| {name} | {' | '.join(cells)} |")
    shares = [f"{np.trace(confusion) / len(confusion):.3f} | {out.min():.0f}" for confusion, out in results.values()]
    print(f"| all | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
