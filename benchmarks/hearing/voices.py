"""How the default voices sound on gradmidi's SoundFont and on General MIDI ones: python -m benchmarks.hearing.voices

Of single notes: speaking, ringing on, pitch, loudness and timbre. Of four different voices in a row: the pitch of each,
as a listener hears it that has nothing but the audio.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
from numpy.typing import NDArray

from gradmidi.composition.options import DEFAULT_SCALE
from gradmidi.composition.voices import Part, instrument_names, load_parts
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.fluid import Fluid
from gradmidi.outputs.soundfont_choice import own_soundfont
from gradmidi.theory.pitch import key_to_hz
from gradmidi.theory.scale import Scale

FLUID_R3 = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
TIM_GM = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
SLOT = 0.05  # s of a note, and from one to the next
OCTAVES = {f"C{octave}": 12 * (octave + 1) for octave in range(1, 8)}
SPOKEN = 0.7  # of the peak of a note that is held HELD s
HELD = 1.0
VELOCITY = 88
QUIET = 120  # controller: all sound off
SEQUENCES, IN_A_ROW = 200, 4
PITCHES = (47.9, 96.1)  # keys between which the default scale is played: C3 to C7
HARMONICS = 8  # that the listener sums
BANDS, LOWEST, HIGHEST, FLOOR = 40, 100.0, 10_000.0, -50.0  # mel bands, Hz, dB below the strongest

Floats = NDArray[np.float64]


class Note(NamedTuple):
    """Sound of one note, stereo (n, 2): while it is held, and afterwards."""

    held: Floats
    after: Floats


class Instruments:
    """The default voices, each on a channel, played by FluidSynth."""

    def __init__(self, soundfont: Path, parts: Sequence[Part]) -> None:
        self._fluid = Fluid(soundfont)
        self._channels = [channel for channel in range(16) if channel != 9]
        for channel, part in zip(self._channels, parts, strict=False):
            self._send("program_change", channel=channel, program=part.program)
            self._send("control_change", channel=channel, control=7, value=part.volume)

    def note(self, voice: int, key: int, held: float = SLOT, after: float = SLOT) -> Note:
        """One note, with nothing before it."""
        channel = self._channels[voice]
        self._send("note_on", channel=channel, note=key, velocity=VELOCITY)
        first = self._samples(held)
        self._send("note_off", channel=channel, note=key)
        second = self._samples(after)
        self._silence()
        return Note(first, second)

    def row(self, notes: Iterable[tuple[int, int]]) -> list[Floats]:
        """Notes of (voice, key) one after another: the sound of each slot."""
        heard = []
        for voice, key in notes:
            channel = self._channels[voice]
            self._send("note_on", channel=channel, note=key, velocity=VELOCITY)
            heard.append(self._samples(SLOT))
            self._send("note_off", channel=channel, note=key)
        self._silence()
        return heard

    def close(self) -> None:
        """Free the synthesizer."""
        self._fluid.close()

    def _silence(self) -> None:
        for channel in self._channels:
            self._send("control_change", channel=channel, control=QUIET, value=0)
        self._samples(SLOT)

    def _send(self, kind: str, **values: int) -> None:
        self._fluid.send(mido.Message(kind, **values))

    def _samples(self, seconds: float) -> Floats:
        return self._fluid.samples(round(seconds * RATE)).astype(np.float64)


def speak_time(instruments: Instruments, voice: int, key: int) -> float:
    """ms after the stroke at which a note that is held reaches SPOKEN of its peak."""
    loud = np.abs(instruments.note(voice, key, held=HELD).held).max(axis=1)
    return float(np.argmax(loud >= SPOKEN * loud.max()) / RATE * 1000)


def ring(note: Note) -> float:
    """dB of the slot after a note against its own slot."""
    return power(note.after) - power(note.held)


def power(sound: Floats) -> float:
    """dB of the mean square over both sides."""
    return float(10 * np.log10((sound**2).sum(axis=1).mean() + 1e-14))


def loudness(note: Note) -> float:
    """K-weighted dB of a note with its release, per slot."""
    sound = np.concatenate(note)
    weighted = np.abs(np.fft.rfft(sound, axis=0)) ** 2 * k_weight(len(sound))[:, np.newaxis]
    return float(10 * np.log10(2 * weighted.sum() / len(sound) / (SLOT * RATE) + 1e-14))


def k_weight(size: int) -> Floats:
    """Power by which ITU-R BS.1770 multiplies each frequency of a spectrum of ``size`` samples."""
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size, 1 / RATE) / 48_000)
    shelf = np.polyval([1.19839281085285, -2.69169618940638, 1.53512485958697], turn)
    shelf /= np.polyval([0.73248077421585, -1.69065929318241, 1.0], turn)
    high_pass = np.polyval([1.0, -2.0, 1.0], turn) / np.polyval([0.99007225036621, -1.99004745483398, 1.0], turn)
    return np.asarray(np.abs(shelf * high_pass) ** 2)


def cents_off(instruments: Instruments, voice: int, key: int) -> float:
    """How far a long note's harmonics are from those of its key: cents of the strongest one."""
    sound = instruments.note(voice, key, held=3.0).held[round(0.2 * RATE) :].sum(axis=1)
    size = 2**19
    pitch = float(key_to_hz(np.array(float(key))))
    spectrum = np.abs(np.fft.rfft(sound * np.blackman(len(sound)), size))
    lowest = round(0.9 * pitch * size / RATE)
    peak = int(spectrum[lowest:].argmax()) + lowest
    left, middle, right = np.log(spectrum[peak - 1 : peak + 2])
    hz = (peak + 0.5 * (left - right) / (left - 2 * middle + right)) * RATE / size
    return float(1200 * np.log2(hz / (max(round(hz / pitch), 1) * pitch)))


def mel_spectrum(note: Note) -> Floats:
    """(2 · BANDS,) dB in mel bands in the first and the second half of a slot, at equal loudness, from FLOOR to 0."""
    half = round(SLOT * RATE / 2)
    parts = [note.held[:half].sum(axis=1), note.held[half:].sum(axis=1)]
    size = 8192
    filters = mel_filters(size, BANDS)
    spectra = [filters @ np.abs(np.fft.rfft(part * np.hanning(len(part)), size)) ** 2 for part in parts]
    bands = 10 * np.log10(np.concatenate(spectra) + 1e-14)
    return np.asarray(np.maximum(bands - bands.max(), FLOOR))


def mel_filters(size: int, bands: int) -> Floats:
    """(bands, size // 2 + 1) weights of triangular mel bands from LOWEST to HIGHEST."""
    edges = np.linspace(*(2595 * np.log10(1 + np.array([LOWEST, HIGHEST]) / 700)), bands + 2)
    edges = 700 * (10 ** (edges / 2595) - 1)
    hz = np.fft.rfftfreq(size, 1 / RATE)
    up = (hz - edges[:-2, np.newaxis]) / np.diff(edges)[:-1, np.newaxis]
    down = (edges[2:, np.newaxis] - hz) / np.diff(edges)[1:, np.newaxis]
    return np.asarray(np.clip(np.minimum(up, down), 0, None))


def timbre_distances(instruments: Instruments, count: int, key: int) -> Floats:
    """(count, count) root mean square dB between the mel spectra of voices that play the same key."""
    spectra = [mel_spectrum(instruments.note(voice, key)) for voice in range(count)]
    distances = np.zeros((count, count))
    for i, j in combinations(range(count), 2):
        distances[i, j] = distances[j, i] = np.sqrt(np.mean((spectra[i] - spectra[j]) ** 2))
    return distances


def heard_key(sound: Floats, keys: Floats) -> float:
    """The key among ``keys`` whose harmonics stand out most against what lies between them.

    The sum of Drugman and Alwan (2011, "Joint robust voicing detection and pitch estimation based on residual
    harmonics"), on the fourth root of the power.
    """
    size = 2**15
    mono = sound.sum(axis=1)
    spectrum = np.sqrt(np.abs(np.fft.rfft(mono * np.hanning(len(mono)), size)))
    hz = key_to_hz(keys)[:, np.newaxis]
    numbers = np.arange(1, HARMONICS + 1)
    weights = 0.85 ** (numbers - 1)

    def at(places: Floats) -> Floats:
        bins = np.round(places * size / RATE).astype(np.int64)
        return np.asarray(np.where(bins < len(spectrum), spectrum[np.minimum(bins, len(spectrum) - 1)], 0))

    between = at(hz * (numbers - 0.5))
    between[:, 0] = 0
    return float(keys[((at(hz * numbers) - between) * weights).sum(axis=1).argmax()])


def pitch_listener(instruments: Instruments, count: int, rows: int = SEQUENCES) -> tuple[float, Floats]:
    """Share of slots whose key is heard in rows of different voices, and (count,) the same per voice."""
    rng = np.random.default_rng(0)
    tones = Scale.parse(DEFAULT_SCALE).frequencies(*key_to_hz(np.array(PITCHES)))
    keys = np.round(69 + 12 * np.log2(tones / 440))
    right, played = np.zeros(count), np.zeros(count)
    for _ in range(rows):
        voices = rng.permutation(count)[:IN_A_ROW]
        struck = rng.choice(keys, IN_A_ROW)
        slots = instruments.row(zip(voices.tolist(), struck.astype(int).tolist(), strict=True))
        for voice, key, sound in zip(voices, struck, slots, strict=True):
            right[voice] += heard_key(sound, keys) == key
            played[voice] += 1
    return float(right.sum() / played.sum()), right / played


def main() -> None:
    """Print the tables as Markdown."""
    parts = load_parts()
    names = [instrument_names()[part.program] for part in parts]
    fonts = {"gradmidi": own_soundfont(), "FluidR3": FLUID_R3, "TimGM6mb": TIM_GM}
    for name, path in fonts.items():
        if not path.is_file():
            print(f"\n{name}: there is no file {path}; left out")
            continue
        instruments = Instruments(path, parts)
        _print_notes(name, instruments, names)
        instruments.close()


def _print_notes(font: str, instruments: Instruments, names: list[str]) -> None:
    keys = tuple(OCTAVES.values())
    notes = [[instruments.note(voice, key) for key in keys] for voice in range(len(names))]
    share, per_voice = pitch_listener(instruments, len(names))
    print(f"\n{font}: ms until a note speaks at {', '.join(OCTAVES)}, and the rest over C3 to C7\n")
    print(f"| voice | {' | '.join(OCTAVES)} | loudness, K-weighted dB | ring, dB | pitch off, cents | pitch heard |")
    print("|---|" + "---:|" * (len(keys) + 4))
    for voice, name in enumerate(names):
        speaks = [f"{speak_time(instruments, voice, key):.0f}" for key in keys]
        loud = [loudness(note) for note in notes[voice][2:]]
        rings = max(map(ring, notes[voice][2:]))
        off = max(abs(cents_off(instruments, voice, key)) for key in keys[2:])
        cells = [*speaks, f"{min(loud):.1f} … {max(loud):.1f}", f"{rings:.1f}", f"{off:.2f}", f"{per_voice[voice]:.2f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    rest = max(power(note.after) for row in notes for note in row[2:])
    least = min(power(note.held) for row in notes for note in row[2:])
    print(f"\n- Pitch heard in {SEQUENCES} rows of {IN_A_ROW} different voices: {share:.3f} of all slots.")
    print(f"- The loudest remains of any note against the softest note in the next slot: {rest - least:.1f} dB.")
    _print_timbres(instruments, names)


def _print_timbres(instruments: Instruments, names: list[str]) -> None:
    pairs = list(combinations(range(len(names)), 2))
    for name, key in tuple(OCTAVES.items())[2:]:
        distances = timbre_distances(instruments, len(names), key)
        i, j = min(pairs, key=lambda pair: distances[pair])
        median = np.median([distances[pair] for pair in pairs])
        neighbours = min(distances[k, k + 1] for k in range(len(names) - 1))
        nearest = f"nearest {names[i]} and {names[j]} {distances[i, j]:.1f} dB"
        print(f"- Timbres at {name}: {nearest}, neighbours at least {neighbours:.1f}, median {median:.1f}.")


if __name__ == "__main__":
    main()
