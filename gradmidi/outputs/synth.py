"""The built-in synthesiser: exact pitches, no SoundFont, no libraries; one timbre per layer, patterns for events."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from gradmidi.outputs import synth_kit
from gradmidi.outputs.audio_file import RATE, Block
from gradmidi.score import PITCHED, Score, Voice

ATTACK = 0.004  # s
RELEASE = 0.12  # s, after the note's end
DECAY = 0.35  # s, in which a held tone falls to 1/e
WINDOW = 4.0  # s rendered at once
FULL_PAN = 127
NOISE_SEED = 0

# Strength of the partials 1, 2, 3 … by layer, so that neighbours differ in colour: round, hollow, bright, bell-like …
TIMBRES: tuple[tuple[float, ...], ...] = (
    (1.0, 0.25, 0.06),
    (1.0, 0.0, 0.33, 0.0, 0.2),
    (1.0, 0.5, 0.33, 0.25, 0.2, 0.17),
    (1.0, 0.1, 0.0, 0.35),
    (1.0, 0.6, 0.1),
    (0.7, 0.0, 0.5, 0.0, 0.5, 0.0, 0.3),
    (1.0, 0.3, 0.3, 0.05, 0.2),
)


def synth_blocks(score: Score) -> Generator[Block, None, None]:
    """The whole score as stereo blocks (n, 2) float32, a few seconds at a time; it lasts ``score.length`` + 0.12 s."""
    total = round((score.length + RELEASE) * RATE)
    first = np.round(score.onset * RATE).astype(np.int64)
    carry = np.zeros((0, 2))
    for start in range(0, total, round(WINDOW * RATE)):
        stop = min(start + round(WINDOW * RATE), total)
        chosen = np.flatnonzero((first >= start) & (first < stop))
        notes = [(int(first[i]) - start, _note(score, int(i))) for i in chosen]
        size = max([stop - start, len(carry), *(at + len(samples) for at, samples in notes)])
        mix = np.zeros((size, 2))
        mix[: len(carry)] += carry
        for at, samples in notes:
            mix[at : at + len(samples)] += samples
        yield mix[: stop - start].astype(np.float32)
        carry = mix[stop - start :]


def _note(score: Score, i: int) -> NDArray[np.float64]:
    """One note in stereo, (n, 2)."""
    voice, layer = score.voices[score.layer[i]], int(score.layer[i])
    held = float(score.duration[i])
    time = np.arange(round((held + RELEASE) * RATE)) / RATE
    level = (score.velocity[i] / 127) ** 2 * voice.volume / 127
    hz, drum = float(score.frequency[i]), int(score.drum[i])
    if drum in synth_kit.HELD:
        wave = synth_kit.held(synth_kit.HELD[drum], time, float(score.onset[i]), held)
    elif score.pitched[i] and score.program[i] == synth_kit.KNOCK_PROGRAM:
        wave = synth_kit.knock(hz, time) * _envelope(time, held)
    else:
        wave = _struck(hz, drum, layer, time) * _envelope(time, held)
    return np.outer(wave * level, _pan(voice))


def _struck(hz: float, drum: int, layer: int, time: NDArray[np.float64]) -> NDArray[np.float64]:
    if drum in synth_kit.STROKES:
        return synth_kit.stroke(synth_kit.STROKES[drum], time)
    return _tone(time, hz, TIMBRES[layer % len(TIMBRES)]) if drum == PITCHED else _noise(time)


def _tone(time: NDArray[np.float64], hz: float, partials: tuple[float, ...]) -> NDArray[np.float64]:
    """Partials above half the sample rate are left out, as they would alias."""
    wave = np.zeros_like(time)
    for number, strength in enumerate(partials, 1):
        if strength and number * hz < RATE / 2:
            wave += strength * np.sin(2 * np.pi * number * hz * time)
    return wave / sum(partials)


def _noise(time: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.random.default_rng(NOISE_SEED).uniform(-1, 1, len(time))


def _envelope(time: NDArray[np.float64], held: float) -> NDArray[np.float64]:
    attack = np.minimum(time / ATTACK, 1)
    release = np.clip(1 - (time - held) / RELEASE, 0, 1)
    envelope: NDArray[np.float64] = attack * np.exp(-time / DECAY) * release**2
    return envelope


def _pan(voice: Voice) -> NDArray[np.float64]:
    """Left and right by equal power."""
    angle = voice.pan / FULL_PAN * np.pi / 2
    return np.array([np.cos(angle), np.sin(angle)])
