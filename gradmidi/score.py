"""Score: columnar notes and marks, the one thing that every output reads. Knows nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError

if TYPE_CHECKING:
    from gradmidi.outputs.audio_file import AudioReport
    from gradmidi.outputs.tuning import PitchReport

DEFAULT_TEMPO = 125.0  # BPM: at 480 ticks a quarter, 1 tick = 1 ms exactly


@dataclass(frozen=True)
class Voice:
    """Who plays a layer.

    Attributes:
        name: shown as the track's name, usually the layer's.
        channel: MIDI channel 0–15 (9 is percussion).
        program: General MIDI program 0–127.
        pan: 0 left, 64 middle, 127 right.
        volume: controller 7, 0–127.
        percussion: the frequency stands for a key of the drum map, not for a pitch.
    """

    name: str
    channel: int
    program: int = 0
    pan: int = 64
    volume: int = 100
    percussion: bool = False


@dataclass(frozen=True, eq=False)
class Marks:
    """Things said at a moment: time (M,) s, kind (M,) and text (M,) str. Kinds: step, epoch, loss, nan, inf, …"""

    time: NDArray[np.float64]
    kind: NDArray[np.str_]
    text: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.time)

    def of(self, *kinds: str) -> Marks:
        """The marks of these kinds only."""
        keep = np.isin(self.kind, kinds)
        return Marks(self.time[keep], self.kind[keep], self.text[keep])

    @classmethod
    def none(cls) -> Marks:
        return cls(np.empty(0), np.empty(0, dtype="U1"), np.empty(0, dtype="U1"))


@dataclass(frozen=True, eq=False)
class Score:
    """Notes in Hz and seconds, sorted by onset, with who plays them and what is said meanwhile.

    Attributes:
        onset: (K,) s, finite, not negative, ascending.
        duration: (K,) s, finite, positive.
        frequency: (K,) Hz, finite, positive.
        layer: (K,) int, index into ``voices``. The last voice is the alarm's percussion if there is one.
        velocity: (K,) int, 1–127.
        step: (K,) int, the optimizer step that a note belongs to.
        tied: (K,) bool, True where a note goes on from the one before of its voice, without a new attack (drones).
        voices: who plays each layer.
        marks: epochs, steps, losses and anomalies as timed text.
        length: s, the last rest included.
        held: True for drones: the last note of each voice may go on in a score that follows.
        title: shown as the piece's name.
        about: what its pitches mean, such as the scale and the mapping, for a person to read.
        tempo: BPM, for the bar lines of a DAW; it does not change the times above.

    Raises:
        InputError: columns of different lengths, or times or frequencies that are not finite.
    """

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    frequency: NDArray[np.float64]
    layer: NDArray[np.int64]
    velocity: NDArray[np.int64]
    step: NDArray[np.int64]
    tied: NDArray[np.bool_]
    voices: tuple[Voice, ...]
    marks: Marks
    length: float
    held: bool = False
    title: str = "gradmidi"
    about: str = ""
    tempo: float = DEFAULT_TEMPO

    def __post_init__(self) -> None:
        columns = ("onset", "duration", "frequency", "layer", "velocity", "step", "tied")
        if len({len(getattr(self, name)) for name in columns}) > 1:
            raise InputError("the columns of a score must be of one length")
        for name in ("onset", "duration", "frequency"):
            if not np.isfinite(getattr(self, name)).all():
                raise InputError(f"a score's {name} must be finite")
        if (np.diff(self.onset) < 0).any():
            raise InputError("a score's notes must be sorted by onset")

    def __len__(self) -> int:
        return len(self.onset)

    def __repr__(self) -> str:
        names = ", ".join(voice.name for voice in self.voices)
        return f"<Score of {len(self)} notes, {self.length:.1f} s, voices {names}>"

    def of_voice(self, index: int) -> NDArray[np.int64]:
        """Positions (in the columns) of the notes of voice ``index``."""
        return np.flatnonzero(self.layer == index)

    def only(self, names: Iterable[str]) -> Score:
        """The notes of some voices, by name; these keep their channel, instrument and time. Marks stay."""
        wanted = set(names)
        keep = [i for i, voice in enumerate(self.voices) if voice.name in wanted]
        position = np.full(len(self.voices), -1)
        position[keep] = np.arange(len(keep))
        heard = position[self.layer] >= 0
        columns = {
            name: getattr(self, name)[heard] for name in ("onset", "duration", "frequency", "velocity", "step", "tied")
        }
        voices = tuple(self.voices[i] for i in keep)
        return replace(self, **columns, layer=position[self.layer][heard], voices=voices)

    def save_midi(self, path: str | Path, tuning: str = "auto") -> PitchReport:
        """Write a Standard MIDI File; see :func:`gradmidi.outputs.midi_file.save_midi`."""
        from gradmidi.outputs.midi_file import save_midi

        return save_midi(self, path, tuning=tuning)

    def render_wav(self, path: str | Path, soundfont: str | Path | None = None) -> AudioReport:
        """Render through FluidSynth to .wav, .flac, .ogg or .mp3; see :func:`gradmidi.outputs.soundfont.render_wav`."""
        from gradmidi.outputs.soundfont import render_wav

        return render_wav(self, path, soundfont=soundfont)
