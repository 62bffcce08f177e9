"""The 2019 post's sound, sample for sample: a sine of 200 Hz + 100 Hz × norm for 10 ms per layer, then 20 ms of
silence.

The arithmetic follows the post's listing as it runs on NumPy 2: the tone is float32, the phase float64 from left to
right, the sine cast to float32 and scaled by 0.1. Each tone starts at phase 0; above 22,050 Hz (a norm above 218.5)
it aliases: a lower tone is heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.outputs.wav import float_wav_head, integer_wav_head
from gradmidi.recording import Recording

RATE = 44_100  # Hz
TONE_SECONDS = 0.01
TONE_SAMPLES = 441
REST_SAMPLES = 2 * TONE_SAMPLES
BASE_HZ = 200.0
HZ_PER_NORM = 100.0
AMPLITUDE = 0.1
CHUNK_STEPS = 64  # rows rendered at once: memory stays flat, and within the processor's cache

# The alarm that stands in for a norm that is not finite: two square tones a tritone apart, one after the other,
# a sound that no norm makes. Twice as loud as a tone.
ALARM_HZ = (1000.0, 1414.0)
ALARM_AMPLITUDE = 0.2

Container = Literal["float", "post"]
NonFinite = Literal["alarm", "keep"]
Aliased = Literal["keep", "alarm"]


class SineReport(NamedTuple):
    """What was written.

    Attributes:
        seconds: of sound.
        samples: how many.
        alarms: tones that were replaced by an alarm.
        aliased: tones of finite norms above half the sample rate, whether replaced or not.
    """

    seconds: float
    samples: int
    alarms: int
    aliased: int = 0


def render_sine(
    recording: Recording,
    path: str | Path,
    container: Container = "float",
    nonfinite: NonFinite | None = None,
    aliased: Aliased = "keep",
) -> SineReport:
    """Write the post's sound of a recording, streaming, in bounded memory.

    Args:
        recording: N steps × L layers; each step becomes L × 441 + 882 samples at 44.1 kHz.
        path: the ``.wav`` file, which is either complete or absent.
        container: ``float`` is a WAV of IEEE float samples, what the post meant. ``post`` is byte for byte what its
            listing writes: the same float32 samples under a header that says 32-bit integers.
        nonfinite: ``alarm`` puts an audible two-tone alarm in place of a tone whose norm is nan or inf, as nan samples
            are silent or harmful in players; ``keep`` leaves the formula's samples. By default ``alarm`` for
            ``float`` and ``keep`` for ``post``. A gap (no gradient) is silence.
        aliased: ``keep`` leaves the formula's samples of tones above 22,050 Hz, which sound as lower ones; ``alarm``
            puts an alarm in their place, the one of ``nonfinite`` with its two tones exchanged.

    Raises:
        InputError: an unknown container or choice, a file too large for ``post``, or one that cannot be written.
    """
    check_choices(container, nonfinite, aliased)
    alarm = (nonfinite or ("alarm" if container == "float" else "keep")) == "alarm"
    samples = len(recording) * (len(recording.layers) * TONE_SAMPLES + REST_SAMPLES)
    with whole_file(Path(path)) as file:
        file.write(_head(container, samples))
        for block in sine_blocks(recording, alarm, aliased == "alarm"):
            file.write(block.astype("<f4", copy=False).tobytes())
    alarms = int((~np.isfinite(recording.norms) & ~recording.gaps).sum()) if alarm else 0
    too_high = int((too_high_tones(recording.norms) & ~recording.gaps).sum())
    return SineReport(samples / RATE, samples, alarms + too_high * (aliased == "alarm"), too_high)


def check_choices(container: str, nonfinite: str | None, aliased: str = "keep") -> None:
    """Check the options of the sine.

    Raises:
        InputError: a container, or a choice of ``nonfinite`` or ``aliased``, that does not exist.
    """
    if container not in ("float", "post"):
        raise InputError(f"no container is called {container!r}; there are float and post")
    if nonfinite not in (None, "alarm", "keep"):
        raise InputError(f"nonfinite is {nonfinite!r}; it can be alarm or keep")
    if aliased not in ("keep", "alarm"):
        raise InputError(f"aliased is {aliased!r}; it can be keep or alarm")


def tones(norms: NDArray[np.floating]) -> NDArray[np.float32]:
    """Samples of norms of any shape: (…, 441) float32, the post's formula and nothing else."""
    with np.errstate(over="ignore", invalid="ignore"):
        hz = _hz(norms)
        phase = 2 * np.pi * np.arange(RATE * TONE_SECONDS) * hz[..., np.newaxis]
        phase /= RATE
        samples = np.sin(phase, out=phase).astype(np.float32)
        samples *= np.float32(AMPLITUDE)
        return samples


def too_high_tones(norms: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each norm is finite and its tone above half the sample rate."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.isfinite(norms) & (np.abs(_hz(norms)) > RATE / 2))


def _hz(norms: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(np.float32(BASE_HZ) + np.asarray(norms).astype(np.float32) * np.float32(HZ_PER_NORM))


def alarm_tone() -> NDArray[np.float32]:
    """The 441 samples that stand in for a norm that is not finite."""
    time = np.arange(TONE_SAMPLES) / RATE
    hz = np.where(np.arange(TONE_SAMPLES) < TONE_SAMPLES // 2, *ALARM_HZ)
    square = np.where(np.sin(2 * np.pi * hz * time) >= 0, ALARM_AMPLITUDE, -ALARM_AMPLITUDE)
    return square.astype(np.float32)


def aliasing_tone() -> NDArray[np.float32]:
    """The 441 samples that stand in for a tone too high to be played: the alarm's, its higher tone first."""
    alarm, half = alarm_tone(), TONE_SAMPLES // 2
    return np.concatenate([alarm[half:], alarm[:half]])


def sine_blocks(recording: Recording, alarm: bool, aliasing_alarm: bool = False) -> Iterator[NDArray[np.float32]]:
    """The samples of the recording in order, :data:`CHUNK_STEPS` steps at a time."""
    for start in range(0, len(recording), CHUNK_STEPS):
        rows = recording.rows(start, start + CHUNK_STEPS)
        block = tones(rows.norms)
        if alarm:
            block[~np.isfinite(rows.norms)] = alarm_tone()
        if aliasing_alarm:
            block[too_high_tones(rows.norms)] = aliasing_tone()
        block[rows.gaps] = 0
        rest = np.zeros((len(rows), REST_SAMPLES), dtype=np.float32)
        yield np.concatenate([block.reshape(len(rows), -1), rest], axis=1).ravel()


def _head(container: Container, samples: int) -> bytes:
    if container == "float":
        return float_wav_head(samples, RATE)
    try:
        return integer_wav_head(samples, RATE, width=4)
    except ValueError as error:
        raise InputError(f"the post's container cannot hold {error}; render fewer steps or use float") from None
