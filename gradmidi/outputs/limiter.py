"""A limiter: what would exceed −1 dB of full scale is made softer just before it comes; all else is left as it is.

It looks at the *true* peak, that of the waveform between the samples, four times as finely as they lie (ITU-R
BS.1770-4, annex 2). Sound goes through in cells of 32 frames. Each has a reduction in dB; between two cells the gain
moves in a straight line, so that it never jumps. Both channels get the same, so that the stereo picture stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from gradmidi.outputs.audio_file import CHANNELS, RATE, Block

CEILING = -1.0  # dB of full scale, true peak
MARGIN = 0.4  # dB that a tone of 15 kHz, or noise, may rise above the points that are looked at
CELL = 32  # frames with one reduction, 0.7 ms
AHEAD = 8  # cells in which the gain falls before a peak, 6 ms
RELEASE = 60.0 * CELL / RATE  # dB per cell at which the sound comes back
CHUNK = 1 << 15  # frames taken at once
FEW = 48  # rows of a product
GROUP = 16  # cells that are looked at together, to find out whether they are worth a closer look
LAG = (AHEAD + 2) * CELL  # frames that are known before one leaves

OVERSAMPLING = 4
REACH = 12  # frames on each side from which a point between two frames is made
KAISER = 5.0  # the window's parameter: right to 0.1 dB up to 18 kHz

# Share of a cell's reduction that the cells before it already have.
FALL = np.cos(np.pi / 2 * np.arange(AHEAD + 1) / (AHEAD + 1)) ** 2


def _between() -> NDArray[np.float32]:
    """From the frames of a cell and :data:`REACH` on each side to the points between them: a windowed sinc."""
    frame = np.arange(-REACH, CELL + REACH)[:, np.newaxis, np.newaxis]
    point = np.arange(CELL)[:, np.newaxis] + np.arange(1, OVERSAMPLING) / OVERSAMPLING
    away = point - frame
    window = np.i0(KAISER * np.sqrt(np.clip(1 - (away / REACH) ** 2, 0, 1))) / np.i0(KAISER)
    weights = np.where(np.abs(away) < REACH, np.sinc(away) * window, 0)
    return weights.reshape(len(frame), -1).astype(np.float32)


BETWEEN = _between()
OVERSHOOT = float(np.abs(BETWEEN).sum(axis=0).max())  # no point lies higher than so many times the highest frame
LIMIT = 10 ** ((CEILING - MARGIN) / 20)


class Limiter:
    """Holds the true peak of the sound that goes through it at :data:`CEILING`.

    Attributes:
        seconds: how much of the sound was made softer.
        most: by how many dB at most.
    """

    def __init__(self) -> None:
        self.seconds, self.most = 0.0, 0.0
        self._delayed = np.zeros((LAG, CHANNELS), dtype=np.float32)
        self._coming = np.zeros(AHEAD + 2)  # reductions in dB of the cells on their way, but for the newest
        self._released = 0.0  # dB that the newest of these leaves to the next

    def through(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The blocks (n, 2) float32, limited: blocks of other sizes, with as many frames in all and no delay."""
        held: list[Block] = []
        size, skip = 0, LAG
        for block in blocks:
            held.append(block)
            size += len(block)
            if size >= CHUNK:
                sound = np.concatenate(held)
                whole = size // CELL * CELL
                held, size = [sound[whole:]], size - whole
                yield self._limited(sound[:whole])[skip:]
                skip = 0
        silence = np.zeros((-size % CELL + LAG, CHANNELS), dtype=np.float32)
        yield self._limited(np.concatenate([*held, silence]))[skip : size + LAG]

    def _limited(self, sound: Block) -> Block:
        """As many frames as those of ``sound``, which are whole cells, but :data:`LAG` frames earlier ones."""
        waiting = np.concatenate([self._delayed, sound])
        coming = np.concatenate([self._coming, self._reductions(waiting[-len(sound) - 2 * CELL :])])
        self._delayed, self._coming = waiting[len(sound) :], coming[-len(self._coming) :]
        if coming.any():
            self._lower(waiting[: len(sound)].reshape(-1, CELL, CHANNELS), coming)
        return waiting[: len(sound)]

    def _reductions(self, sound: Block) -> NDArray[np.float64]:
        """dB by cell, for all cells of ``sound`` but the first and the last, which have neighbours."""
        cells = len(sound) // CELL - 2
        if not self._released and max(sound.max(), -sound.min()) * OVERSHOOT <= LIMIT:
            return np.zeros(cells)
        over = np.maximum(20 * np.log10(_true_peaks(sound) / LIMIT), 0)
        # What a peak takes comes back evenly: the most of what any cell until here has left over.
        back = RELEASE * np.arange(1, cells + 1)
        taken = np.maximum.accumulate(np.maximum(over + back, self._released)) - back
        self._released = float(taken[-1])
        return np.asarray(taken)

    def _lower(self, cells: Block, coming: NDArray[np.float64]) -> None:
        """Lower the cells (n, 32, 2) by their share of the n + :data:`AHEAD` + 2 reductions from the one before."""
        ahead = np.lib.stride_tricks.sliding_window_view(coming, AHEAD + 1)
        own = (ahead * FALL).max(axis=1)
        edges = np.maximum(own[:-1], own[1:])  # so that the line between two edges is nowhere above a cell's own
        changed = np.flatnonzero(edges[:-1] + edges[1:])
        slope = np.arange(CELL) / CELL
        lowered = edges[changed, np.newaxis] * (1 - slope) + edges[changed + 1, np.newaxis] * slope
        cells[changed] *= (10 ** (-lowered / 20)).astype(np.float32)[..., np.newaxis]
        self.seconds += len(changed) * CELL / RATE
        self.most = max(self.most, float(lowered.max(initial=0.0)))


def _true_peaks(sound: Block) -> NDArray[np.float64]:
    """The highest point of either channel by cell, at least :data:`LIMIT`, for all cells but the first and the last."""
    frames = _loud_frames(sound.reshape(-1, CELL * CHANNELS))
    near = np.maximum(np.maximum(frames[:-2], frames[2:]), frames[1:-1])
    peaks = np.maximum(frames[1:-1].astype(np.float64), LIMIT)
    close = np.flatnonzero(near * OVERSHOOT > LIMIT)
    around = np.lib.stride_tricks.sliding_window_view(sound[CELL - REACH :], CELL + 2 * REACH, axis=0)[::CELL]
    rows = around[close].reshape(-1, CELL + 2 * REACH)
    # A few at a time: BLAS would share a large product among threads, which wait for each other on a busy machine.
    highest = np.empty(len(rows), dtype=np.float32)
    for first in range(0, len(rows), FEW):
        points = rows[first : first + FEW] @ BETWEEN
        highest[first : first + FEW] = np.maximum(points.max(axis=1), -points.min(axis=1))
    highest = highest.reshape(-1, CHANNELS).max(axis=1)
    peaks[close] = np.maximum(peaks[close], highest)
    return np.asarray(peaks)


def _loud_frames(cells: Block) -> NDArray[np.float32]:
    """The highest frame of each cell (n, 64); 0 in groups of cells that have none from which a peak can come."""
    whole = len(cells) // GROUP * GROUP
    groups = cells[:whole].reshape(-1, GROUP * cells.shape[1])  # of long rows, as those of short ones are slow
    loud = np.ones(len(cells), dtype=bool)
    loud[:whole] = np.repeat(np.maximum(groups.max(axis=1), -groups.min(axis=1)) * OVERSHOOT > LIMIT, GROUP)
    frames = np.zeros(len(cells), dtype=np.float32)
    chosen = cells[loud]
    frames[loud] = np.maximum(chosen.max(axis=1), -chosen.min(axis=1))
    return frames
