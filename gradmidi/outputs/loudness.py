"""How loud stereo sound is to the ear: ITU-R BS.1770-4, in one pass and bounded memory.

The sound is filtered as the ear and the head do ("K-weighting"), its power is taken in blocks of 400 ms that overlap by
three quarters, and blocks below a gate do not count, so that rests and fading ends do not make a piece quieter.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gradmidi.outputs.audio_file import RATE, Block

HOP = RATE // 10  # frames from one block to the next
HOPS = 4  # in a block
OFFSET = -0.691  # dB; makes a sine of 997 Hz at full scale in one channel -3.01 LUFS
ABSOLUTE_GATE = -70.0  # LUFS
RELATIVE_GATE = -10.0  # LU below the loudness of what the absolute gate leaves
SILENCE = -np.inf  # LUFS

# The standard gives coefficients for 48 kHz only; these are the analogue filters that they come from.
SHELF_HZ, SHELF_GAIN, SHELF_Q, SHELF_SLOPE = 1681.974450955533, 3.999843853973347, 0.7071752369554, 0.4996667741545
CUT_HZ, CUT_Q = 38.13547087602444, 0.5003270373238773

TAPS = 1 << 13  # the filter rings for a few ms; after 0.19 s nothing is left of it in double precision
PIECE = 3 * TAPS  # frames transformed at once, with as many before them as there are taps


class LoudnessMeter:
    """The loudness of what it is fed, whatever the size of the blocks."""

    def __init__(self) -> None:
        self._past = np.zeros(TAPS, dtype=np.complex128)
        self._waiting: list[NDArray[np.complex128]] = []
        self._frames = 0
        self._loose = np.empty(0)  # power of the frames that do not fill a hop yet
        self._hops: list[NDArray[np.float64]] = []

    def feed(self, block: Block) -> None:
        """Measure the next (n, 2) samples; full scale is 1."""
        self._waiting.append(block[:, 0] + 1j * block[:, 1].astype(np.float64))
        self._frames += len(block)
        if self._frames >= PIECE:
            self._weigh()

    def integrated(self) -> float:
        """LUFS of everything so far; −inf for silence."""
        blocks = self._blocks()
        blocks = blocks[_lufs(blocks) > ABSOLUTE_GATE]
        if not len(blocks):
            return SILENCE
        return float(_lufs(blocks[_lufs(blocks) > _lufs(blocks.mean()) + RELATIVE_GATE].mean()))

    def loudest(self) -> float:
        """LUFS of the loudest 400 ms ("maximum momentary loudness"); −inf for silence."""
        return float(_lufs(self._blocks().max(initial=0.0)))

    def _weigh(self) -> None:
        """Filter what waits, both channels at once as the parts of a complex number, and keep its power by hops."""
        sound = np.concatenate([self._past, *self._waiting])
        self._past, self._waiting, self._frames = sound[-TAPS:], [], 0
        power = [self._loose]
        for start in range(TAPS, len(sound), PIECE):
            piece = sound[start - TAPS : start + PIECE]
            size = 1 << (len(piece) - 1).bit_length()
            heard = np.fft.ifft(np.fft.fft(piece, size) * _weighting(size))[TAPS : len(piece)]
            power.append(heard.real**2 + heard.imag**2)
        whole = np.concatenate(power)
        full = len(whole) // HOP * HOP
        self._hops.append(whole[:full].reshape(-1, HOP).sum(axis=1))
        self._loose = whole[full:]

    def _blocks(self) -> NDArray[np.float64]:
        """Mean power of each block; sound shorter than a block is continued by silence."""
        self._weigh()
        hops = np.concatenate(self._hops)
        if len(hops) < HOPS:
            hops = np.pad(np.r_[hops, self._loose.sum()], (0, HOPS))[:HOPS]
        return np.convolve(hops, np.ones(HOPS), "valid") / (HOPS * HOP)


def _lufs(power: NDArray[np.float64] | float) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(OFFSET + 10 * np.log10(power))


@cache
def _weighting(size: int) -> NDArray[np.complex128]:
    """The spectrum of K-weighting's impulse response, cut after :data:`TAPS` samples, for a transform of ``size``."""
    z = np.exp(-2j * np.pi * np.arange(TAPS) / TAPS)
    return np.fft.fft(np.fft.ifft(_shelf(z) * _low_cut(z)).real, size)


def _shelf(z: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """What the head adds to high tones; ``z`` is a delay of one sample."""
    k, high = np.tan(np.pi * SHELF_HZ / RATE), 10 ** (SHELF_GAIN / 20)
    middle = high**SHELF_SLOPE * k / SHELF_Q
    above = high + middle + k * k + 2 * (k * k - high) * z + (high - middle + k * k) * z**2
    return np.asarray(above / _poles(k, SHELF_Q, z))


def _low_cut(z: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """How little the ear counts low tones."""
    k = np.tan(np.pi * CUT_HZ / RATE)
    return np.asarray((1 - z) ** 2 * (1 + k / CUT_Q + k * k) / _poles(k, CUT_Q, z))


def _poles(k: float, q: float, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
    return 1 + k / q + k * k + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z**2
