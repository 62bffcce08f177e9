"""Is zero told from small? Dead or vanishing on new nets, a net × 1e-4 or of zeros, and which layer is dead."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.clinic.runs import Run, load_runs
from benchmarks.hearing.features import of_sound
from benchmarks.hearing.listener import Told, leave_one_out
from benchmarks.hearing.rooms import heard_in
from benchmarks.hearing.segments import DEAD, VANISHING, Segment, rows_of, segments
from benchmarks.hearing.sounding import SINE, Pieces, sounding
from gradmidi.outputs.audio_file import RATE

TINY = 1e-4
BEGIN = 60  # step of the first segment
DIES = 50  # step from which the layer has a gradient of 0
LOW_HZ, HIGH_HZ, BIN_HZ = 180.0, 560.0, 4.0  # what comes through both a laptop and a wall


def zeros(options: argparse.Namespace) -> None:
    """Print the tables."""
    print("| sound | room | dead or vanishing, new nets | net × 1e-4 or zeros, new nets | which layer is dead |")
    print("| --- | --- | ---: | ---: | ---: |")
    half = [
        one for held_out in (False, True) for one in segments(options.data, held_out, runs=options.runs)
        if one.regime in (DEAD, VANISHING)
    ]  # fmt: skip
    pairs = list(_pairs(options))
    single = list(_single_layers(options))
    for sound in options.sounds.split(","):
        for room in options.rooms.split(","):
            first, second = (_told(part, sound, room) for part in (half, pairs))
            third = which_layer(single, sound, room)
            print(f"| {sound} | {room} | {first.balanced:.3f} | {second.accuracy:.3f} | {third:.3f} |", flush=True)
    print(
        f"\n{len(half)} segments of the clinic, {len(pairs)} of nets made tiny or zero, {len(single)} with a dead layer"
    )


def _told(part: list[Segment], sound: str, room: str) -> Told:
    heard = np.array([of_sound(one) for one in _sounds(part, sound, room)])
    regime, arch = [one.regime for one in part], [one.run.truth.arch for one in part]
    return leave_one_out(heard, regime, arch, heard, regime, arch)


def _sounds(part: list[Segment], sound: str, room: str) -> Iterator[np.ndarray]:
    pieces = None if sound == SINE else Pieces(sound)
    for one in part:
        yield arrived(sounding(one, pieces), room, one.first)


def arrived(sound: np.ndarray, room: str, seed: int) -> np.ndarray:
    """Sound in a room; ``laptop, next room`` is a laptop behind a wall."""
    for place in room.split("+"):
        sound = heard_in(place, sound, seed=seed)
    return sound


def _changed(run: Run, name: str, change: Callable[[np.ndarray], None], size: int) -> Run:
    """The first steps of a run, with its norms altered in place."""
    rows = run.recording.rows(0, BEGIN + 2 * size)
    norms = rows.norms.copy()
    change(norms)
    return run._replace(name=f"{run.name}+{name}", recording=rows.__class__(
        rows.layers, rows.steps, norms, {"loss": rows.metrics["loss"]}, {}, rows.gaps))  # fmt: skip


def _healthy(options: argparse.Namespace) -> Iterator[tuple[Run, int]]:
    for run in load_runs(options.data, "*.healthy.*"):
        yield run, rows_of(min(len(run.recording.layers), 14))


def _pairs(options: argparse.Namespace) -> Iterator[Segment]:
    """Each healthy run made tiny and made zero, from its first step on."""
    for run, size in _healthy(options):
        for regime, factor in ((VANISHING, TINY), (DEAD, 0.0)):
            made = _changed(run, regime, lambda norms, factor=factor: np.multiply(norms, factor, out=norms), size)  # type: ignore[misc]
            for first in (BEGIN, BEGIN + size):
                yield Segment(made, first, first + size, regime)


def _single_layers(options: argparse.Namespace) -> Iterator[Segment]:
    """Healthy runs of which one layer dies; the regime is the layer's number."""
    for run, size in _healthy(options):
        layers = len(run.recording.layers)
        if layers > 14:
            continue  # grouped: several layers are one voice
        for layer in range(layers):

            def die(norms: np.ndarray, layer: int = layer) -> None:
                norms[DIES:, layer] = 0

            made = _changed(run, f"dead{layer}", die, size)
            yield Segment(made, BEGIN, BEGIN + size, f"{layer}")


def which_layer(part: list[Segment], sound: str, room: str) -> float:
    """Share of segments of which a listener that knows other seeds of the same net hears which layer is dead."""
    heard = np.array([narrow(one) for one in _sounds(part, sound, room)])
    arch, layer, seed = (np.array([pick(one) for one in part]) for pick in (
        lambda one: one.run.truth.arch, lambda one: one.regime, lambda one: one.run.truth.seed))  # fmt: skip
    said = np.empty_like(layer)
    for net in np.unique(arch):
        for number in np.unique(seed):
            ask, learn = (arch == net) & (seed == number), (arch == net) & (seed != number)
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
            said[ask] = model.fit(heard[learn], layer[learn]).predict(heard[ask])
    return float((said == layer).mean())


def narrow(sound: np.ndarray) -> np.ndarray:
    """Power in narrow bands of a whole segment, in dB, (F,)."""
    size = 4 * int(RATE / BIN_HZ)
    frames = np.lib.stride_tricks.sliding_window_view(sound.mean(axis=1), size)[:: size // 4]
    power = (np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2).mean(axis=0)
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    inside = (hertz >= LOW_HZ) & (hertz < HIGH_HZ)
    return np.asarray(10 * np.log10(power[inside] + 1e-9))
