"""Whether the strokes of gradmidi's kit are told apart among notes: python -m benchmarks.hearing.kit

A listener with nothing but templates of the strokes alone hears each among the notes of four voices: as it is, on a
laptop (a high-pass of 200 Hz), and in the next room (a low-pass of 500 Hz, and pink noise as loud as the notes).
"""

from __future__ import annotations

import mido
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

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
WHERES = ("as it is", "laptop", "next room")

Floats = NDArray[np.float64]


def low(sound: Floats, hz: float = 500) -> Floats:
    """What a wall lets through."""
    return np.asarray(sosfilt(butter(4, hz, "low", fs=RATE, output="sos"), sound))


def high(sound: Floats, hz: float = 200) -> Floats:
    """What a small speaker plays."""
    return np.asarray(sosfilt(butter(4, hz, "high", fs=RATE, output="sos"), sound))


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


def place(heard: Floats, rng: np.random.Generator, where: str, loudness: float) -> Floats:
    """The sound as it is, on a laptop, or in the next room with noise as loud as the notes."""
    if where == "laptop":
        return high(heard)
    if where == "next room":
        return low(heard) + loudness * pink(rng, len(heard))
    return heard


def listen(where: str, trials: int = TRIALS) -> tuple[Floats, Floats]:
    """(kinds, kinds) shares of what was heard, by what sounded, and (kinds,) dB by which a stroke stands out.

    Args:
        where: "as it is", "laptop" or "next room".
        trials: how often each stroke sounds.
    """
    room, rng = Room(), np.random.default_rng(1)
    keys = list(NAMES)
    music = [room.heard(rng, None) for _ in range(max(trials, FEWEST))]
    filtered = low if where == "next room" else high if where == "laptop" else np.asarray
    level = float(np.sqrt(np.mean([np.mean(filtered(one) ** 2) for one in music])))
    # What a listener knows: how loud each band is without a stroke at most, and each stroke alone.
    usual = np.concatenate([spectrogram(place(one, rng, where, level)) for one in music])
    floor = np.quantile(usual, USUAL, axis=0)
    alone = [spectrogram(filtered(room.heard(rng, key, notes=False))) for key in keys]
    templates = [np.maximum(one - floor, 0) for one in alone]
    confusion, out = np.zeros((len(keys), len(keys))), np.zeros(len(keys))
    for i, key in enumerate(keys):
        for _ in range(trials):
            sound = place(room.heard(rng, key), rng, where, level)
            seen = np.maximum(spectrogram(sound) - floor, 0)
            confusion[i, int(np.argmax([likeness(seen, template) for template in templates]))] += 1 / trials
        struck = filtered(room.heard(rng, key, notes=False))
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
    results = {where: listen(where) for where in WHERES}
    names = list(NAMES.values())
    print("| stroke | " + " | ".join(f"{where}: heard | stands out, dB | taken for" for where in WHERES) + " |")
    print("|---|" + "---:|---:|---|" * len(WHERES))
    for i, name in enumerate(names):
        cells = []
        for confusion, out in results.values():
            wrong = [
                f"{names[j]} {confusion[i, j]:.2f}" for j in np.argsort(-confusion[i]) if j != i and confusion[i, j]
            ]
            cells += [f"{confusion[i, i]:.2f}", f"{out[i]:.0f}", ", ".join(wrong[:2])]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"| all | {' | '.join(f'{np.trace(c) / len(c):.3f} | | ' for c, _ in results.values())} |")


if __name__ == "__main__":
    main()
