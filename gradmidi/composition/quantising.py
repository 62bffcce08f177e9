"""Hz → the scale's tones, optionally keeping a tone while the pitch stays near its border."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradmidi.checks import is_number
from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.theory.scale import Scale

Hertz = NDArray[np.float64]


class Quantiser:
    """The nearest tone of a scale for each layer, remembering the last one of each.

    Args:
        scale: the tones, or ``None`` to keep every pitch.
        layers: L.
        hysteresis: from 0 (always the nearest tone) up to 1. A layer leaves its tone for another only when the pitch is
            nearer to the other by this share of the distance between the two; so a norm near a border does not chatter.

    Raises:
        InputError: a hysteresis outside 0 … 1.
    """

    def __init__(self, scale: Scale | None, layers: int, hysteresis: float = 0.0) -> None:
        if not is_number(hysteresis) or not 0 <= hysteresis < 1:
            raise InputError(f"hysteresis is {shown(hysteresis)}; it must be a number from 0 up to, but not, 1")
        self._scale = scale
        self._hysteresis = hysteresis
        self._last = np.full(layers, np.nan)

    def __call__(self, hz: Hertz) -> Hertz:
        """Tones in Hz for pitches (N, L) in Hz."""
        if self._scale is None:
            return hz
        nearest = self._scale.quantize(hz)
        return nearest if self._hysteresis == 0 else self._held(hz, nearest)

    def _held(self, hz: Hertz, nearest: Hertz) -> Hertz:
        tones = np.empty_like(nearest)
        last = self._last
        with np.errstate(invalid="ignore"):
            for row in range(len(hz)):
                gain = np.abs(np.log(hz[row] / last)) - np.abs(np.log(hz[row] / nearest[row]))
                stays = gain < self._hysteresis * np.abs(np.log(nearest[row] / last))
                last = tones[row] = np.where(stays, last, nearest[row])
        self._last = last.copy()
        return tones
