"""Score → Standard MIDI File, type 1: a conductor track, then one track, channel and instrument per layer."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import mido

from gradmidi.files import whole_file
from gradmidi.outputs.midi_events import closing_messages, note_events, setup_messages
from gradmidi.outputs.midi_numbers import SINGLE_NOTE_TUNING
from gradmidi.outputs.tuning import PitchReport, choose_tuning, pitch_report
from gradmidi.printable import printable
from gradmidi.requirements import require
from gradmidi.score import Score

TICKS_PER_QUARTER = 480  # at 125 BPM one tick is one millisecond exactly
LONGEST_TEXT = 1_000  # characters of a name or marker; sequencers show far fewer
KEY_OF_TUNING = len(SINGLE_NOTE_TUNING) + 2  # after the program and the count
LONGEST_DELTA = 2**28 - 1  # ticks from one event to the next: four bytes of seven bits
META_OF = {"loss": "text"}  # every other kind of mark is a marker, which DAWs show on the time line


def save_midi(score: Score, path: str | Path, tuning: str = "auto") -> PitchReport:
    """Write ``score`` to ``path`` and return how exactly its pitches could be sent.

    Args:
        score: the notes; times are rounded once to ticks of 1 ms at the default tempo.
        path: the ``.mid`` file, which is either complete or absent.
        tuning: ``12tet``, ``bend`` (range 2 semitones), ``mts``, or ``auto``: ``12tet`` if every tone is on a
            key, otherwise ``bend``.

    Raises:
        InputError: an unknown tuning, or the file cannot be written.
    """
    struck = score.struck
    pitched = score.frequency[struck & score.pitched]
    chosen = choose_tuning(tuning, pitched)
    with whole_file(Path(path)) as file:
        midi_file(score, chosen).save(file=file)
    return pitch_report(pitched, chosen)._replace(drums=int((struck & ~score.pitched).sum()))


def midi_file(score: Score, tuning: str) -> mido.MidiFile:
    """The file in memory; ``tuning`` is one that is already chosen."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8")
    file.tracks.append(_conductor_track(score))
    events: dict[int, list[tuple[int, mido.Message]]] = {index: [] for index in range(len(score.voices))}
    for time, player, message in note_events(score, tuning):
        events[player].append((_tick(time, score), message))
    for index, voice in enumerate(score.voices):
        if (voice.percussion or voice.sustained) and not events[index]:
            continue
        head: list[mido.Message | mido.MetaMessage] = [
            _text("track_name", voice.name),
            *setup_messages(voice, tuning),
        ]
        tail = closing_messages(voice, tuning, _retuned_keys(message for _, message in events[index]))
        end = max([_tick(score.length, score), *(tick for tick, _ in events[index])])
        played = [*((0, message) for message in head), *events[index], *((end, message) for message in tail)]
        file.tracks.append(_track(played, score))
    return file


def _retuned_keys(messages: Iterable[mido.Message]) -> set[int]:
    return {message.data[KEY_OF_TUNING] for message in messages if message.type == "sysex"}


def pretty_midi_of(file: mido.MidiFile) -> Any:
    """A file in memory as a ``pretty_midi.PrettyMIDI``.

    Raises:
        MissingPartError: pretty_midi is not installed.
    """
    data = BytesIO()
    file.save(file=data)
    data.seek(0)
    return require("pretty_midi", "pretty_midi").PrettyMIDI(data)


def _conductor_track(score: Score) -> mido.MidiTrack:
    head = [
        _text("track_name", score.title),
        mido.MetaMessage("set_tempo", tempo=_microseconds_per_quarter(score)),
        mido.MetaMessage("time_signature", numerator=4, denominator=4),
    ]
    marks = score.marks
    said = zip(marks.time.tolist(), marks.kind.tolist(), marks.text.tolist(), strict=True)
    events = [(_tick(time, score), _text(META_OF.get(kind, "marker"), text)) for time, kind, text in said]
    return _track([*((0, message) for message in head), *events], score)


def _text(kind: str, text: str) -> mido.MetaMessage:
    field = "name" if kind == "track_name" else "text"
    return mido.MetaMessage(kind, **{field: printable(text, LONGEST_TEXT)})


def _track(events: Iterable[tuple[int, mido.Message | mido.MetaMessage]], score: Score) -> mido.MidiTrack:
    """Absolute ticks → deltas; the track ends with the last rest, or with what comes after it."""
    track = mido.MidiTrack()
    now, said = 0, list(events)
    end = max([_tick(score.length, score), *(tick for tick, _ in said[-1:])])
    for tick, message in [*said, (end, mido.MetaMessage("end_of_track"))]:
        while tick - now > LONGEST_DELTA:
            # No rest in a file can be longer than this; an empty text, which every reader skips, divides it.
            track.append(mido.MetaMessage("text", text="", time=LONGEST_DELTA))
            now += LONGEST_DELTA
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _tick(seconds: float, score: Score) -> int:
    return round(seconds * TICKS_PER_QUARTER * 1_000_000 / _microseconds_per_quarter(score))


def _microseconds_per_quarter(score: Score) -> int:
    return round(60_000_000 / score.tempo)
