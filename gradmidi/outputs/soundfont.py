"""Score → sound through FluidSynth and a SoundFont, in process; the built-in synthesiser if FluidSynth is missing."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import numpy as np

from gradmidi.errors import MissingPartError
from gradmidi.outputs.audio_file import RATE, AudioReport, Block, check_format
from gradmidi.outputs.fluid import Fluid
from gradmidi.outputs.levels import reference_gain, write_levelled
from gradmidi.outputs.midi_events import TimedMessage, note_events, setup_messages
from gradmidi.outputs.soundfont_choice import find_soundfont
from gradmidi.outputs.synth import synth_blocks
from gradmidi.outputs.tuning import choose_tuning, sent_hz
from gradmidi.score import Score

TAIL = 1.5  # s of release after the last rest; it fades out over its last FADE seconds
FADE = 0.5
OWN_ENGINE = "gradmidi's own tones"

Progress = Callable[[float], None]


def render_wav(
    score: Score,
    path: str | Path,
    soundfont: str | Path | None = None,
    progress: Progress | None = None,
    *,
    tuning: str = "auto",
) -> AudioReport:
    """Render a score to .wav, .flac, .ogg or .mp3: 44.1 kHz stereo, with 1.5 s of release at the end.

    Its loudness does not depend on what happens in the run: the score's layers, playing healthy notes, have −20 LUFS
    (see :mod:`gradmidi.outputs.reference_phrase`), and everything is played at that level, with a limiter that keeps
    the true peak at −1 dB. A score without steps, made by hand, has −20 LUFS as a whole.

    Args:
        score: the notes; the channels, programs and pitches are those of :meth:`Score.save_midi`.
        path: the file, which is either complete or absent.
        soundfont: an .sf2 or .sf3 file, or ``"gm"`` for a General MIDI one of the system; by default the one that
            :func:`find_soundfont` finds, which is gradmidi's own where there is no other.
        progress: called with the fraction done, from 0 to 1.
        tuning: as for :meth:`Score.save_midi`, so that the sound is that of the file: ``12tet`` plays the nearest keys.

    Returns:
        Seconds, engine, level and, if FluidSynth is missing and the built-in synthesiser played instead, a line that
        says what to install. Another line says so where the limiter took more than 3 dB.

    Raises:
        InputError: the SoundFont is not one, the ending is unknown, or the file cannot be written.
        MissingPartError: the ending needs soundfile, or ``"gm"`` finds no SoundFont.
    """
    target = Path(path)
    check_format(target)
    sent = choose_tuning(tuning, score.frequency[score.pitched])
    chosen = find_soundfont(soundfont)
    try:
        gain = reference_gain(score, lambda phrase: fluid_blocks(phrase, chosen, _unheard, sent))
        blocks = fluid_blocks(score, chosen, progress or _unheard, sent)
        return write_levelled(target, blocks, gain, f"FluidSynth with {chosen.name}")
    except MissingPartError as error:
        missing = f"{error}"
    # The built-in tones can have any pitch, so they are rounded only if a tuning is given.
    heard = score if tuning == "auto" else replace(score, frequency=sent_hz(score.frequency, sent))
    report = write_levelled(target, synth_blocks(heard), reference_gain(heard, synth_blocks), OWN_ENGINE)
    return report._replace(notice="\n".join(filter(None, (missing, report.notice))))


def fluid_blocks(score: Score, soundfont: Path, progress: Progress, tuning: str) -> Generator[Block, None, None]:
    """The score played by FluidSynth, as stereo blocks (n, 2) float32.

    Raises:
        MissingPartError: libfluidsynth or pyfluidsynth is not installed (before the first block).
        InputError: FluidSynth cannot read the SoundFont.
    """
    fluid = Fluid(soundfont)
    return _played(fluid, score, note_events(score, tuning), tuning, progress)


def _played(
    fluid: Fluid, score: Score, events: list[TimedMessage], tuning: str, progress: Progress
) -> Generator[Block, None, None]:
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


def _unheard(share: float) -> None:
    """Ignore progress."""
