"""What the built-in synthesiser plays for events: short patterns and held tones by key, and the knock of a zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.outputs.audio_file import RATE

KNOCK_PROGRAM = 115  # General MIDI's woodblock, which norms of exactly 0 are played with
KNOCK = ((1.0, 1.0), (1.6, 0.8), (2.6, 0.2))  # partials: multiple of the pitch, strength
KNOCK_FALL = 0.035  # s, in which it falls to 1/e
GLIDE = 0.4  # s that a glide takes
OVERTONES = (1.0, 0.5, 0.33, 0.25, 0.2, 0.17)
EDGE = 0.004  # s at both ends of a held tone, which the next one of a chain of tied notes covers


class Pattern(NamedTuple):
    """A glide or a tone, and how often per second its loudness swells."""

    start: float  # Hz
    end: float  # Hz
    swells: float = 0.0


# By key, as in composition/earcons.toml; any other key is noise.
STROKES = {
    49: Pattern(208, 1660),
    57: Pattern(620, 110, 45),
    52: Pattern(440, 294, 5),
    74: Pattern(220, 370, 9),
    55: Pattern(262, 1050),
    79: Pattern(520, 200),
    77: Pattern(311, 305, 6),
    75: Pattern(392, 392, 10),
    39: Pattern(262, 466, 8),
    67: Pattern(294, 294, 4),
    81: Pattern(262, 523, 10),
    64: Pattern(262, 247),
}
HELD = {
    59: Pattern(233, 233, 34),
    51: Pattern(466, 466, 3),
    53: Pattern(208, 208, 14),
    46: Pattern(311, 311, 2),
    73: Pattern(277, 277, 1),
    78: Pattern(220, 220, 0.7),
    76: Pattern(392, 392),
    70: Pattern(350, 350, 7),
    68: Pattern(294, 294),
}


def stroke(pattern: Pattern, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) a glide that is straight in pitch, at times in s from the stroke."""
    octaves = np.log2(pattern.end / pattern.start) * np.minimum(time / GLIDE, 1)
    turns = np.cumsum(pattern.start * 2**octaves) / RATE
    return _overtones(turns) * _swell(pattern, time)


def held(pattern: Pattern, time: NDArray[np.float64], onset: float, duration: float) -> NDArray[np.float64]:
    """(n,) a tone of even loudness from ``onset`` s of the piece; it joins with the same tone before and after it."""
    there = onset + time
    edges = np.clip(np.minimum(time, duration + EDGE - time) / EDGE, 0, 1)
    return _overtones(pattern.start * there) * _swell(pattern, there) * edges


def knock(hz: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) a hollow stroke, whose partials are those of a skin rather than of a string."""
    wave = sum(strength * np.sin(2 * np.pi * ratio * hz * time) for ratio, strength in KNOCK if ratio * hz < RATE / 2)
    return np.asarray(wave * np.exp(-time / KNOCK_FALL) / sum(strength for _, strength in KNOCK))


def _overtones(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    wave = sum(strength * np.sin(2 * np.pi * number * turns) for number, strength in enumerate(OVERTONES, 1))
    return np.asarray(wave / sum(OVERTONES))


def _swell(pattern: Pattern, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 1 at first to a tenth and back; 1 throughout where it does not swell."""
    return np.asarray(0.55 + 0.45 * np.cos(2 * np.pi * pattern.swells * time))
