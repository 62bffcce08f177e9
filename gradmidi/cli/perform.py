"""A recording and a score → the requested files, and the closing table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradmidi.errors import InputError, MissingPartError
from gradmidi.printable import counted

if TYPE_CHECKING:
    from gradmidi.cli.console import Reporter
    from gradmidi.recording import Recording
    from gradmidi.score import Score


CROWDED = 0.3  # share of the norms on the lowest tone above which a message is printed


@dataclass(frozen=True)
class Written:
    """A file that was written: its kind, path, seconds of sound and details."""

    kind: str
    file: str
    seconds: float | None
    detail: str
    written: bool = True


@dataclass(frozen=True)
class Job:
    """What every output gets to work with."""

    args: argparse.Namespace
    recording: Recording
    score: Score
    reporter: Reporter


Writer = Callable[[Job, Path], Written]


def write_all(job: Job, targets: dict[str, Path], writers: Mapping[str, Writer] | None = None) -> list[Written]:
    """Write each target (kind → path). If a requirement is missing, that file is skipped; bad input is an error."""
    done = []
    for kind, path in targets.items():
        try:
            done.append((writers or WRITERS)[kind](job, path))
        except MissingPartError as error:
            job.reporter.say(f"{path.name} is skipped: {error}", style="yellow")
            done.append(Written(kind, str(path), None, str(error), written=False))
    return done


def report(job: Job, done: list[Written], **more: Any) -> None:
    """Print the closing table, or all of it as JSON."""
    file_table(done, job.reporter)
    job.reporter.say(f"pitches: {job.score.about}")
    from gradmidi.cli.options import heard_layers

    below = _share_below_range(job)
    if below > CROWDED:
        job.reporter.say(f"{below:.0%} of the norms are below 0.001 and share the lowest tone; try --mapping wide")
    heard = say_heard(job)
    job.reporter.result(
        {
            "steps": len(job.recording),
            "layers": list(heard_layers(job.args, job.recording)),
            "pitches": job.score.about,
            **heard,
            "files": [asdict(item) for item in done],
            **more,
        }
    )


def file_table(done: list[Written], reporter: Reporter) -> None:
    """Print which files were written, and how."""
    rows = [(item.kind, item.file, _clock(item.seconds), item.detail) for item in done]
    reporter.table(("what", "file", "plays", "how"), rows)


def say_heard(job: Job) -> dict[str, Any]:
    """Print how layers were grouped into voices and how often each anomaly is heard; return both for JSON."""
    from collections import Counter

    import numpy as np

    from gradmidi.cli.options import joined_layers
    from gradmidi.composition.sound import choose_sound
    from gradmidi.events import KINDS

    joined = joined_layers(job.args, job.recording.layers)
    if joined:
        job.reporter.say(joined)
    counts = Counter(job.score.marks.of(*KINDS).kind.tolist())
    norms = job.recording.norms[~job.recording.gaps]
    each = choose_sound(job.args.sound).events == "drums"  # each is heard, though an event may be many of them
    for kind, is_it in (("nan", np.isnan), ("inf", np.isinf)) if each else ():
        if found := int(is_it(norms).sum()):
            counts[kind] = found
    if counts:
        job.reporter.say("heard: " + ", ".join(f"{count} × {kind}" for kind, count in counts.items()), style="bold red")
    return {"voices": joined, "anomalies": dict(counts)}


def _write_midi(job: Job, path: Path) -> Written:
    exactness = job.score.save_midi(path, tuning=job.args.tuning)
    count = counted(exactness.notes, "note")
    if exactness.drums:
        count += f" and {counted(exactness.drums, 'drum')}"
    detail = f"{count}, {exactness.tuning}, pitch exact to {exactness.largest_error:.2g} cents"
    if exactness.out_of_range:
        detail += f"; outside MIDI's keys: {counted(exactness.out_of_range, 'note')}"
    return Written("MIDI", str(path), job.score.length, detail)


def _write_audio(job: Job, path: Path) -> Written:
    from gradmidi.outputs.soundfont import render_wav

    with job.reporter.progress(path.name, 100) as bar:
        heard = render_wav(
            job.score,
            path,
            job.args.soundfont,
            progress=lambda share: bar.show(round(100 * share)),
            tuning=job.args.tuning,
        )
    for notice in heard.notice.splitlines():
        job.reporter.say(f"{path.name} (played by {heard.engine}): {notice}", style="yellow")
    return Written("sound", str(path), heard.seconds, heard.engine)


def _write_sine(job: Job, path: Path) -> Written:
    from gradmidi.outputs.sine import render_sine

    sine = render_sine(_sine_steps(job), path, job.args.container, job.args.nonfinite, job.args.aliased)
    if sine.aliased and job.args.aliased == "keep":
        high = f"{counted(sine.aliased, 'tone')} above half the sample rate (22,050 Hz), heard lower than they are"
        job.reporter.say(f"{path.name}: {high}; --aliased alarm plays an alarm instead", style="yellow")
    detail = f"exact 200 Hz + 100 Hz × norm, {counted(sine.samples, 'sample')}"
    alarms = f", {counted(sine.alarms, 'alarm')}" if sine.alarms else ""
    return Written("sine", str(path), sine.seconds, detail + alarms)


def _sine_steps(job: Job) -> Recording:
    """The recording or, if a duration is given, as many bins of it as the sine plays within that time."""
    from gradmidi.cli.options import chosen_duration
    from gradmidi.composition.timelapse import time_lapse
    from gradmidi.composition.timing import POST_UNIT, Timing

    duration = chosen_duration(job.args)
    if duration is None:
        return job.recording
    return time_lapse(job.recording, Timing(POST_UNIT).steps_within(duration, len(job.recording.layers))).alarmed()


def _write_picture(job: Job, path: Path) -> Written:
    from gradmidi.cli.options import chosen_size
    from gradmidi.outputs.picture import save_picture

    save_picture(job.score, job.recording, path, chosen_size(job.args))
    drawn = any(abs(value) < float("inf") for value in job.recording.metrics.get("loss", ()))
    return Written("picture", str(path), None, "piano roll" + " and loss" * drawn)


def _write_captions(job: Job, path: Path) -> Written:
    captions = job.score.save_captions(path)
    return Written("captions", str(path), job.score.length, counted(len(captions), "caption"))


WRITERS: dict[str, Writer] = {
    "mid": _write_midi,
    "wav": _write_audio,
    "sine": _write_sine,
    "plot": _write_picture,
    "captions": _write_captions,
}


def check_targets(targets: dict[str, Path]) -> None:
    """Refuse, before any work is done, what cannot be written. The name of a device may have any ending.

    Raises:
        InputError: an ending that the output does not support, or a path where no file can be made; the path is named.
    """
    from gradmidi.files import check_file
    from gradmidi.files.destination import is_stream
    from gradmidi.outputs.audio_file import FORMATS as SOUND
    from gradmidi.outputs.picture import FORMATS as PICTURE

    endings = {"mid": (".mid", ".midi"), "wav": SOUND, "sine": (".wav",), "plot": PICTURE, "captions": (".vtt",)}
    for kind, path in targets.items():
        if path.suffix.lower() not in endings[kind] and not is_stream(path):
            raise InputError(f"--{kind} {path}: the name must end in {' or '.join(endings[kind])}")
        check_file(path)


def _share_below_range(job: Job) -> float:
    """Share of the norms above zero that the logarithmic mapping, if it is used, cannot tell apart."""
    from gradmidi.composition.mapping import LOWEST_NORM
    from gradmidi.composition.sound import choose_sound

    if (job.args.mapping or choose_sound(job.args.sound).mapping) != "log":
        return 0.0
    above_zero = job.recording.norms[job.recording.norms > 0]
    return float((above_zero < LOWEST_NORM).mean()) if len(above_zero) else 0.0


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:04.1f} s" if minutes else f"{rest:.1f} s"
