"""Score → sound through FluidSynth and a SoundFont, in process; the built-in synthesiser if FluidSynth is missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gradmidi.errors import InputError, MissingPartError
from gradmidi.outputs.audio_file import RATE, AudioReport, Block, check_format, write_audio
from gradmidi.outputs.fluid import Fluid
from gradmidi.outputs.midi_events import TimedMessage, note_events, setup_messages
from gradmidi.outputs.soundfont_check import check_soundfont
from gradmidi.outputs.synth import synth_blocks
from gradmidi.outputs.tuning import choose_tuning, sent_hz
from gradmidi.requirements import install_command
from gradmidi.score import Score

TAIL = 1.5  # s of release after the last rest; it fades out over its last FADE seconds
FADE = 0.5
OWN_ENGINE = "gradmidi's own tones"
PURE_TONE = "pure-tone.sf2"  # made for measuring pitch; never chosen unless asked for
ENDINGS = (".sf2", ".sf3")
SYSTEM_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
    "C:/soundfonts",
)

Progress = Callable[[float], None]


def render_wav(
    score: Score,
    path: str | Path,
    soundfont: str | Path | None = None,
    progress: Progress | None = None,
    *,
    tuning: str = "auto",
) -> AudioReport:
    """Render a score to .wav, .flac, .ogg or .mp3: 44.1 kHz stereo, peak at −1 dB, 1.5 s of release at the end.

    Args:
        score: the notes; the channels, programs and pitches are those of :meth:`Score.save_midi`.
        path: the file, which is either complete or absent.
        soundfont: an .sf2 or .sf3 file; by default the one that :func:`find_soundfont` finds.
        progress: called with the fraction done, from 0 to 1.
        tuning: as for :meth:`Score.save_midi`, so that the sound is that of the file: ``12tet`` plays the nearest keys.

    Returns:
        Seconds, engine and, if FluidSynth or a SoundFont is missing and the built-in synthesiser played instead, a line
        that says what to install.

    Raises:
        InputError: the SoundFont is not one, the ending is unknown, or the file cannot be written.
        MissingPartError: the ending needs soundfile.
    """
    target = Path(path)
    check_format(target)
    sent = choose_tuning(tuning, score.frequency[score.pitched])
    chosen = find_soundfont(soundfont)
    if chosen is not None:
        try:
            blocks = fluid_blocks(score, chosen, progress or _unheard, sent)
            return AudioReport(write_audio(target, blocks), f"FluidSynth with {chosen.name}")
        except MissingPartError as error:
            notice = f"{error}"
    else:
        notice = f"no SoundFont was found; put one into soundfonts/ or run: {install_command('pretty_midi')}"
    # The built-in tones can have any pitch, so they are rounded only if a tuning is given.
    heard = score if tuning == "auto" else replace(score, frequency=sent_hz(score.frequency, sent))
    return AudioReport(write_audio(target, synth_blocks(heard)), OWN_ENGINE, notice)


def find_soundfont(explicit: str | Path | None = None) -> Path | None:
    """The SoundFont to play: given, ``GRADMIDI_SOUNDFONT``, ``soundfonts/``, the system's, the one of pretty_midi.

    Raises:
        InputError: the one given, or named in the environment, is missing or not a SoundFont.
    """
    for source, name in (("--soundfont", explicit), ("GRADMIDI_SOUNDFONT", os.environ.get("GRADMIDI_SOUNDFONT"))):
        if name:
            return _checked(_expanded(name), source)
    project = Path(__file__).parents[2] / "soundfonts"
    for folder in (Path("soundfonts"), project, *map(_expanded, SYSTEM_FOLDERS)):
        for file in _files(folder):
            if file.suffix.lower() in ENDINGS and file.name != PURE_TONE and is_soundfont(file):
                return file
    return _shipped_with_pretty_midi()


def _expanded(name: str | Path) -> Path:
    return Path(os.path.expanduser(name))  # noqa: PTH111 - Path's raises where there is no such home


def _files(folder: Path) -> list[Path]:
    """The contents of a folder, in order; empty if it does not exist or may not be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def is_soundfont(path: Path) -> bool:
    """Whether the file starts as the SoundFont format requires: a RIFF of form ``sfbk``."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"sfbk"


def fluid_blocks(score: Score, soundfont: Path, progress: Progress, tuning: str) -> Iterator[Block]:
    """The score played by FluidSynth, as stereo blocks (n, 2) float32.

    Raises:
        MissingPartError: libfluidsynth or pyfluidsynth is not installed (before the first block).
        InputError: FluidSynth cannot read the SoundFont.
    """
    fluid = Fluid(soundfont)
    return _played(fluid, score, note_events(score, tuning), tuning, progress)


def _played(fluid: Fluid, score: Score, events: list[TimedMessage], tuning: str, progress: Progress) -> Iterator[Block]:
    try:
        for voice in score.voices:
            for message in setup_messages(voice, tuning):
                fluid.send(message)
        now, total = 0, round((score.length + TAIL) * RATE)
        for time, _, message in events:
            at = round(time * RATE)
            if at > now:
                yield fluid.samples(at - now)
                progress(at / total)
                now = at
            fluid.send(message)
        tail = fluid.samples(total - now)
        fade = np.minimum(np.arange(len(tail))[::-1] / (FADE * RATE), 1)
        yield (tail * fade[:, np.newaxis]).astype(np.float32)
        progress(1.0)
    finally:
        fluid.close()


def _checked(path: Path, source: str) -> Path:
    if not os.path.isfile(path):  # noqa: PTH113 - Path's raises where one may not look
        raise InputError(f"{source}: there is no file {path}, or no right to read it")
    if not is_soundfont(path):
        raise InputError(f"{source}: {path} is not a SoundFont (.sf2 or .sf3)")
    check_soundfont(path)
    return path


def _shipped_with_pretty_midi() -> Path | None:
    spec = find_spec("pretty_midi")
    folders = spec.submodule_search_locations if spec else None
    files = [path for folder in folders or [] for path in sorted(Path(folder).glob("*.sf2"))]
    return files[0] if files else None


def _unheard(share: float) -> None:
    """Ignore progress."""
