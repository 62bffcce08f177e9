"""What a person does with what was read: it has to hold whatever the file held. Small pieces of it, for speed."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from random import Random

import mido
import numpy as np

from gradmidi.composition import compose
from gradmidi.composition.demonstration import scale_score
from gradmidi.composition.voices import load_parts
from gradmidi.experiments.digits import Digits, load_digits
from gradmidi.logs.source import read_source
from gradmidi.outputs.live.playback import _of_file
from gradmidi.outputs.live.player.wire import NOTE, pack
from gradmidi.outputs.sine import render_sine
from gradmidi.recording import Recording
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.recording.row import Row
from gradmidi.score import Score
from gradmidi.theory.keyboard import keyboard_frequencies
from gradmidi.theory.pitch import hz_to_key, note_name
from gradmidi.theory.scala import read_kbm, read_scl
from gradmidi.theory.scale import Scale
from tests.fuzz import seeds
from tests.fuzz.plain import is_plain

ROWS, LAYERS, SINE_ROWS, MESSAGES = 30, 40, 4, 20_000
STYLES, MAPPINGS = ("sequence", "chord", "drone"), ("log", "post", "adaptive", "rank")


def small_recording() -> Recording:
    norms = np.geomspace(1e-4, 1e4, 24).reshape(6, 4)
    norms[2, 1], norms[3, 2] = np.nan, np.inf
    return Recording.from_arrays(norms, loss=np.ones(6))


def recording(path: Path, rng: Random) -> None:
    """A recording that gradmidi wrote."""
    _perform(Recording.load(path) if rng.random() < 0.5 else read_source(path), path.parent, rng)


def earlier(path: Path, rng: Random) -> None:
    """A recording where a training begins to record: it is continued, or kept whole under another name."""
    before, existing = path.read_bytes(), rng.choice(("append", "append", "keep"))
    with RecordingWriter(path, seeds.LAYERS, existing=existing) as writer:
        first = writer.next_step
        for step in range(first or 0, (first or 0) + 2):
            writer.append(Row.of(step, [1.0, 2.0, np.nan], {"loss": 0.5}))
    lines = before[: before.rfind(b"\n") + 1]
    if re.search(rb"(?m)^\d", before.replace(b"\r", b"\n")):  # a head without a step holds nothing
        aside = [file.read_bytes() for file in path.parent.glob("norms.1.csv")]
        assert any(kept.startswith(lines) for kept in (path.read_bytes(), *aside)), "lines of the earlier one are lost"
    Recording.load(path)


def log(path: Path, rng: Random) -> None:
    """A log of something else, with the columns that are found or with all of them."""
    _perform(read_source(path, columns=rng.choice((None, None, ["*"]))), path.parent, rng)


def _perform(found: Recording, folder: Path, rng: Random) -> None:
    """Composed, written as MIDI and as a sine, saved and loaded again."""
    repr(found), str(dict(found.meta))
    first = found.rows(0, ROWS)
    part = Recording(
        first.layers[:LAYERS], first.steps, first.norms[:, :LAYERS], first.metrics, first.meta, first.gaps[:, :LAYERS]
    )
    style, mapping = rng.choice(STYLES), rng.choice(MAPPINGS)
    _write(compose(part, style=style, mapping=mapping, dynamics=rng.choice(("voice", "loss-change"))), folder)
    _write(compose(part, duration=4.0), folder)
    render_sine(part.rows(0, SINE_ROWS), folder / "out.wav")
    again = folder / rng.choice(("again.csv", "again.npz"))
    part.save(again)
    back = Recording.load(again)
    assert back.layers == part.layers, f"saved and loaded, the layers are {back.layers} instead of {part.layers}"
    assert np.array_equal(back.steps, part.steps)
    assert np.array_equal(back.norms[~part.gaps], part.norms[~part.gaps], equal_nan=True)


def _write(score: Score, folder: Path) -> None:
    """As a MIDI file whose texts are plain and that another reader reads."""
    score.save_midi(folder / "out.mid")
    for track in mido.MidiFile(str(folder / "out.mid"), charset="utf-8").tracks:
        for message in track:
            text = getattr(message, "text", None) or getattr(message, "name", None) or ""
            assert is_plain(text), f"a MIDI text that is not plain: {text[:80]!r}"


def scala(path: Path, rng: Random) -> None:
    """A Scala file, with the mapping beside it if the mapping is what was read."""
    scl, kbm = path.with_suffix(".scl"), path if path.suffix == ".kbm" else None
    scale = Scale.from_scala(scl, kbm)
    hz = keyboard_frequencies(read_scl(scl), read_kbm(kbm) if kbm else None)
    assert hz.shape == (128,)
    _sing(scale, path.parent)


def toml_scale(path: Path, rng: Random) -> None:
    _sing(Scale.from_toml(path) if rng.random() < 0.5 else Scale.parse(f"D4 {path}"), path.parent)


def _sing(scale: Scale, folder: Path) -> None:
    """Shown, asked for its tones, played up and down, used for a piece."""
    repr(scale), str(scale), scale.frequencies(20.0, 20_000.0)
    tones = scale.quantize([20.0, 440.0, 20_000.0, np.nan])
    assert np.isfinite(tones[:3]).all()
    assert np.isnan(tones[3])
    for ratio in scale.ratios:
        note_name(round(float(hz_to_key(scale.tonic * ratio))))
    if len(scale) <= 200:
        _write(scale_score(scale), folder)
    _write(compose(small_recording(), scale=scale), folder)
    if scale.repeat is not None and scale.degrees[0].cents == 0:
        scale.save_scala(folder / "again.scl")
        assert Scale.from_scala(folder / "again.scl", tonic=scale.tonic) == scale


def voices(path: Path, rng: Random) -> None:
    _write(
        compose(small_recording(), parts=load_parts(path), scale=rng.choice((None, "A minor pentatonic"))), path.parent
    )


def midi(path: Path, rng: Random) -> None:
    """All that `play` hands to the player, without the time that it takes to play."""
    piece, before = _of_file(path), 0.0
    assert np.isfinite(piece.length)
    for data in piece.setup:
        pack(0.0, NOTE, data)
    for message in islice(piece.messages(), MESSAGES):
        assert before <= message.time <= piece.length + 1e-6
        assert message.data[0] >= 0x80
        assert max(message.data[1:-1], default=0) < 0x80
        pack(message.time, NOTE, message.data)
        before = message.time


def soundfont(path: Path, rng: Random) -> None:
    """A second of sound."""
    score = compose(small_recording().rows(0, 2), scale=None)
    score.render_wav(path.parent / "out.wav", soundfont=path)


def digits(folder: Path, rng: Random) -> None:
    """What the training needs: digits of ten kinds, that it may copy."""
    found: Digits = load_digits(str(folder))
    assert found.images.shape[1:] == (28, 28)
    assert found.images.dtype == found.labels.dtype == np.uint8
    assert len(found.labels) == len(found.images) > 0, "a training on no digits"
    assert found.labels.max() <= 9, f"label {found.labels.max()}, at which the training fails"
    assert is_plain(found.source)
