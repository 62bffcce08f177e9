"""Hz → MIDI key, and how the remainder is sent: not at all, as pitch bend, or as a MIDI Tuning Standard change."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.theory.pitch import hz_to_key

TUNINGS = ("12tet", "bend", "mts")
BEND_RANGE = 2  # semitones either way, set by RPN 0
BEND_STEPS = 8192  # of the 14-bit bend, either way
MTS_STEPS = 16384  # of one semitone
HIGHEST_KEY = 127
SAME_PITCH_CENTS = 0.01  # below this a tone counts as being on its key


class Keys(NamedTuple):
    """What goes over the wire for each of K notes.

    Attributes:
        key: (K,) int, MIDI key 0–127.
        fine: (K,) int; for ``bend`` the bend from −8192 to 8191, for ``mts`` the sounding
            pitch in 1/16384 semitones from key 0, else 0.
        error: (K,) cents from the pitch asked for to the pitch sent, rounding and range together.
    """

    key: NDArray[np.int64]
    fine: NDArray[np.int64]
    error: NDArray[np.float64]


class PitchReport(NamedTuple):
    """How exactly pitches went out.

    Attributes:
        tuning: one of :data:`TUNINGS`.
        notes: pitched notes that are struck; a drone that continues is not struck again.
        largest_error: cents.
        out_of_range: notes outside the range of keys.
        drums: percussion notes.
    """

    tuning: str
    notes: int
    largest_error: float
    out_of_range: int
    drums: int = 0


def check_tuning(tuning: str) -> None:
    """Check the name of a tuning.

    Raises:
        InputError: a tuning that is neither ``auto`` nor one of :data:`TUNINGS`.
    """
    if tuning not in ("auto", *TUNINGS):
        raise InputError(f"no tuning is called {tuning!r}; there are auto, {', '.join(TUNINGS)}")


def choose_tuning(tuning: str, frequency: NDArray[np.float64]) -> str:
    """``auto`` becomes ``12tet`` if every frequency (K,) Hz is on a key at A4 = 440 Hz, otherwise ``bend``.

    Raises:
        InputError: an unknown tuning.
    """
    check_tuning(tuning)
    if tuning == "auto":
        on_keys = len(frequency) == 0 or np.abs(to_keys(frequency, "12tet").error).max() < SAME_PITCH_CENTS
        return "12tet" if on_keys else "bend"
    return tuning


def to_keys(frequency: NDArray[np.float64], tuning: str) -> Keys:
    """Keys and remainders of frequencies (K,) in Hz, for one of :data:`TUNINGS`.

    The nearest key is struck, so that a sampled instrument stays close to its sample. Source: MIDI 1.0 specification,
    pitch bend change, RPN 00 00, and MIDI Tuning Standard, frequency data format.
    """
    exact = hz_to_key(frequency)
    key = np.clip(np.round(exact), 0, HIGHEST_KEY).astype(np.int64)
    if tuning == "mts":
        steps = np.clip(np.round(exact * MTS_STEPS), 0, HIGHEST_KEY * MTS_STEPS + MTS_STEPS - 2).astype(np.int64)
        return Keys(key, steps, 100 * (steps / MTS_STEPS - exact))
    if tuning == "12tet":
        return Keys(key, np.zeros_like(key), 100 * (key - exact))
    fine = np.clip(np.round((exact - key) * BEND_STEPS / BEND_RANGE), -BEND_STEPS, BEND_STEPS - 1).astype(np.int64)
    return Keys(key, fine, 100 * (key + fine * BEND_RANGE / BEND_STEPS - exact))


def sent_hz(frequency: NDArray[np.float64], tuning: str) -> NDArray[np.float64]:
    """The pitches in Hz (K,) at which frequencies (K,) Hz sound when they are sent with a tuning."""
    return np.asarray(frequency * 2.0 ** (to_keys(frequency, tuning).error / 1200))


def pitch_report(frequency: NDArray[np.float64], tuning: str) -> PitchReport:
    """The report on frequencies (K,) Hz sent with a tuning that is already chosen."""
    exact = hz_to_key(frequency)
    error = np.abs(to_keys(frequency, tuning).error)
    beyond = int(((exact < -0.5) | (exact > HIGHEST_KEY + 0.5)).sum())
    return PitchReport(tuning, len(frequency), float(error.max()) if len(error) else 0.0, beyond)
