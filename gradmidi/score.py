"""Score: notes in columns, voices and marks, the one thing that every output reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.theory.pitch import hz_to_key

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mido import MidiFile

    from gradmidi.outputs.audio_file import AudioReport
    from gradmidi.outputs.live.report import LiveReport
    from gradmidi.outputs.tuning import PitchReport
    from gradmidi.outputs.webvtt import Caption
    from gradmidi.recording import Recording

HIGHEST = 127  # key, velocity
PITCHED = -1  # in place of a drum
OWN_PROGRAM = -1  # the voice's
UNKNOWN_STEP = -1
SMALLEST, LARGEST = np.nextafter(0, 1), np.finfo(np.float64).max
DEFAULT_TEMPO = 125.0  # BPM: at 480 ticks per quarter note, 1 tick = 1 ms exactly


@dataclass(frozen=True)
class Voice:
    """How a layer is played.

    Attributes:
        name: shown as the track's name, usually the layer's.
        channel: MIDI channel 0–15 (9 is percussion).
        program: General MIDI program 0–127.
        pan: 0 left, 64 middle, 127 right.
        volume: controller 7, 0–127.
        percussion: it plays drums.
        sustained: a note that is tied continues the one before, and the last one may continue in a score that follows.
    """

    name: str
    channel: int
    program: int = 0
    pan: int = 64
    volume: int = 100
    percussion: bool = False
    sustained: bool = False


class Mark(NamedTuple):
    """One thing said at a moment; see :class:`Marks`."""

    time: float
    kind: str
    text: str
    step: int
    layer: str


@dataclass(frozen=True, eq=False)
class Marks:
    """Things said at a moment, in order of time.

    ``marks[3]`` and iterating give a :class:`Mark`; ``marks[2:9]`` and ``marks[mask]`` give marks.

    Attributes:
        time: (M,) seconds.
        kind: (M,) str: ``step``, ``epoch``, ``loss``, ``resumed``, ``turn`` (of two runs that alternate),
            ``ended``, ``legend``, a name in :data:`gradmidi.events.KINDS`, or one with ``-recovered`` for its end.
        text: (M,) str, for people to read.
        step: (M,) int, the optimizer step; −1 where none is known.
        layer: (M,) str, the layer's name; empty where it is about the whole step.
    """

    time: NDArray[np.float64]
    kind: NDArray[np.str_]
    text: NDArray[np.str_]
    step: NDArray[np.int64] = None  # type: ignore[assignment]
    layer: NDArray[np.str_] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.step is None:
            object.__setattr__(self, "step", np.full(len(self.time), UNKNOWN_STEP))
        if self.layer is None:
            object.__setattr__(self, "layer", np.full(len(self.time), "", dtype="U1"))

    def __len__(self) -> int:
        return len(self.time)

    def __iter__(self) -> Iterator[Mark]:
        return map(Mark._make, zip(*(column.tolist() for column in self._columns()), strict=True))

    @overload
    def __getitem__(self, which: int) -> Mark: ...
    @overload
    def __getitem__(self, which: slice | NDArray[Any]) -> Marks: ...
    def __getitem__(self, which: int | slice | NDArray[Any]) -> Mark | Marks:
        if isinstance(which, int | np.integer):
            return Mark._make(column[which].item() for column in self._columns())
        return Marks(*(column[which] for column in self._columns()))

    def of(self, *kinds: str) -> Marks:
        """The marks of these kinds only."""
        return self[np.isin(self.kind, kinds)]

    @classmethod
    def none(cls) -> Marks:
        """No marks."""
        return cls(np.empty(0), np.empty(0, dtype="U1"), np.empty(0, dtype="U1"))

    @classmethod
    def merged(cls, parts: Sequence[Marks]) -> Marks:
        """The marks of several parts in order of time; those of one moment in the order of the parts."""
        if len(parts) <= 1:
            return parts[0] if parts else cls.none()
        whole = cls(*(np.concatenate(column) for column in zip(*(part._columns() for part in parts), strict=True)))
        return whole[np.argsort(whole.time, kind="stable")]

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.time, self.kind, self.text, self.step, self.layer


@dataclass(frozen=True, eq=False)
class Notes:
    """Notes in columns, sorted by onset.

    Attributes:
        onset: (K,) seconds, finite, not negative, ascending.
        duration: (K,) seconds, finite, positive.
        frequency: (K,) Hz, finite, positive. For a drum it has no meaning.
        layer: (K,) int, index of the voice that plays.
        velocity: (K,) int, 1–127.
        step: (K,) int, the optimizer step that a note belongs to.
        tied: (K,) bool, True where a note continues the one before of its voice, without a new attack (drones).
        drum: (K,) int, key of the drum map, 0–127, for a note of percussion; −1 for one with a pitch.
        program: (K,) int, General MIDI program of a note whose pitch is no norm (zero's knock, a call, the cadence); −1
            for every other note, which has its voice's.
    """

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    frequency: NDArray[np.float64]
    layer: NDArray[np.int64]
    velocity: NDArray[np.int64]
    step: NDArray[np.int64]
    tied: NDArray[np.bool_]
    drum: NDArray[np.int64] = field(default=None, kw_only=True)  # type: ignore[arg-type]
    program: NDArray[np.int64] = field(default=None, kw_only=True)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        if self.drum is None:
            object.__setattr__(self, "drum", np.full(len(self.onset), PITCHED))
        self._complete()

    def _complete(self) -> None:
        if self.program is None:
            object.__setattr__(self, "program", np.full(len(self.onset), OWN_PROGRAM))

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def pitched(self) -> NDArray[np.bool_]:
        """(K,) True for notes with a pitch, False for drums."""
        return np.asarray(self.drum == PITCHED)

    def columns(self) -> dict[str, Any]:
        """The columns by name."""
        return {name: getattr(self, name) for name in COLUMNS}


def merged(parts: Sequence[Notes]) -> Notes:
    """The notes of several parts in order of onset; those of one moment in the order of the parts."""
    filled = [part for part in parts if len(part)]
    if len(filled) <= 1:
        return filled[0] if filled else parts[0]
    columns = {name: np.concatenate([getattr(part, name) for part in filled]) for name in COLUMNS}
    order = np.argsort(columns["onset"], kind="stable")
    return Notes(**{name: column[order] for name, column in columns.items()})


_NO_REALS, _NO_INTEGERS = np.empty(0), np.empty(0, dtype=np.int64)
NOTHING = Notes(_NO_REALS, _NO_REALS, _NO_REALS, _NO_INTEGERS, _NO_INTEGERS, _NO_INTEGERS, np.empty(0, dtype=bool))
# Column, lowest and highest value, and how a person would say it.
RANGES = (
    ("onset", 0.0, LARGEST, "finite and not negative"),
    ("duration", SMALLEST, LARGEST, "finite and positive"),
    ("frequency", SMALLEST, LARGEST, "finite and positive"),
    ("velocity", 1, HIGHEST, f"from 1 to {HIGHEST}"),
    ("drum", PITCHED, HIGHEST, f"a key from 0 to {HIGHEST}, or {PITCHED} for a note with a pitch"),
    ("program", OWN_PROGRAM, HIGHEST, f"from 0 to {HIGHEST}, or {OWN_PROGRAM} for that of the voice"),
)
COLUMNS = tuple(column.name for column in fields(Notes))


@dataclass(frozen=True, eq=False)
class Score(Notes):
    """Notes with their voices and marks; the columns of the notes are those of :class:`Notes`.

    Attributes:
        voices: how each layer is played; after the layers' come those of the loss and of alarms, if there are any.
        marks: epochs, steps, losses and anomalies as timed text.
        length: seconds, the last rest included.
        held: True for drones: the last note of each voice may continue in a score that follows.
        title: shown as the piece's name.
        about: what its pitches mean, such as the scale and the mapping, for people to read.
        tempo: BPM, for the bar lines of a DAW; it does not change the times above.
        step_length: seconds from one step to the next; 0 if there are no steps, or none of equal length.

    Raises:
        InputError: columns of different lengths, or a value that the descriptions above exclude.
    """

    voices: tuple[Voice, ...]
    marks: Marks
    length: float
    held: bool = False
    title: str = "gradmidi"
    about: str = ""
    tempo: float = DEFAULT_TEMPO
    step_length: float = 0.0

    def __post_init__(self) -> None:
        self._complete()
        if len({len(getattr(self, name)) for name in COLUMNS if name != "drum" or self.drum is not None}) > 1:
            raise InputError("the columns of a score must be of one length")
        if len(self):
            self._check()
        elif self.drum is None:
            object.__setattr__(self, "drum", np.empty(0, dtype=np.int64))

    def _check(self) -> None:
        """Check what every note has to satisfy, using the extremes of each column (a live step has few notes)."""
        if not 0 <= self.layer.min() <= self.layer.max() < len(self.voices):
            raise InputError(f"a score's layer must be an index of its {len(self.voices)} voices")
        if self.drum is None:
            object.__setattr__(self, "drum", self._drums())
        for name, low, high, what in RANGES:
            column = getattr(self, name)
            # A NaN makes both comparisons false.
            if not (column.min() >= low and column.max() <= high):
                raise InputError(f"a score's {name} must be {what}")
        if (np.diff(self.onset) < 0).any():
            raise InputError("a score's notes must be sorted by onset")

    def _drums(self) -> NDArray[np.int64]:
        """Where no drums are given, notes of percussion have the drum whose key has their frequency."""
        percussion = np.array([voice.percussion for voice in self.voices], dtype=bool)[self.layer]
        with np.errstate(all="ignore"):
            keys = np.nan_to_num(np.round(hz_to_key(self.frequency)), posinf=HIGHEST, neginf=0)
        return np.where(percussion, np.clip(keys, 0, HIGHEST).astype(np.int64), PITCHED)

    def __repr__(self) -> str:
        names = ", ".join(voice.name for voice in self.voices)
        return f"<Score of {len(self)} notes, {self.length:.1f} s, voices {names}>"

    @property
    def sustained(self) -> NDArray[np.bool_]:
        """(K,) True for notes that the next one of their voice may continue."""
        voices = np.array([voice.sustained for voice in self.voices], dtype=bool)
        return np.asarray(voices[self.layer] | (self.held & self.pitched))

    @property
    def struck(self) -> NDArray[np.bool_]:
        """(K,) False for notes that continue the one before."""
        return ~(self.tied & self.sustained)

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
        columns = {name: column[heard] for name, column in self.columns().items()}
        columns["layer"] = position[columns["layer"]]
        return replace(self, **columns, voices=tuple(self.voices[i] for i in keep))

    def save_midi(self, path: str | Path, tuning: str = "auto") -> PitchReport:
        """Write a Standard MIDI File; see :func:`gradmidi.outputs.midi_file.save_midi`."""
        from gradmidi.outputs.midi_file import save_midi

        return save_midi(self, path, tuning=tuning)

    def to_mido(self, tuning: str = "auto") -> MidiFile:
        """The Standard MIDI File of :meth:`save_midi` as a ``mido.MidiFile`` in memory."""
        from gradmidi.outputs.midi_file import midi_file
        from gradmidi.outputs.tuning import choose_tuning

        return midi_file(self, choose_tuning(tuning, self.frequency[self.pitched]))

    def to_pretty_midi(self, tuning: str = "auto") -> Any:
        """The same as a ``pretty_midi.PrettyMIDI``.

        Raises:
            MissingPartError: pretty_midi is not installed.
        """
        from gradmidi.outputs.midi_file import pretty_midi_of

        return pretty_midi_of(self.to_mido(tuning))

    def render_wav(self, path: str | Path, soundfont: str | Path | None = None, *, tuning: str = "auto") -> AudioReport:
        """Render through FluidSynth to .wav, .flac, .ogg or .mp3; see :func:`gradmidi.outputs.soundfont.render_wav`."""
        from gradmidi.outputs.soundfont import render_wav

        return render_wav(self, path, soundfont=soundfont, tuning=tuning)

    def save_captions(self, path: str | Path) -> list[Caption]:
        """Write what is heard, in words, as WebVTT; see :func:`gradmidi.outputs.captions.save_captions`."""
        from gradmidi.outputs.captions import save_captions

        return save_captions(self, path)

    def play(self, port: str | None = None, **options: Any) -> LiveReport:
        """Play on a MIDI port, in real time; see :func:`gradmidi.play`."""
        from gradmidi.outputs.live.playback import play

        return play(self, port, **options)

    def plot(
        self,
        path: str | Path | None = None,
        *,
        recording: Recording | None = None,
        size: str | tuple[int, int] | None = None,
    ) -> Figure:
        """Draw a piano roll, with the loss of the recording where that is given; see :func:`gradmidi.plot`."""
        from gradmidi.outputs.picture import DEFAULT_SIZE
        from gradmidi.outputs.picture.plotting import plot

        return plot(self, path, recording=recording, size=DEFAULT_SIZE if size is None else size)
