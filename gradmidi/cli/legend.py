"""The legend of a sound: what each layer, zero, the loss, each event and each ending sounds like, with captions.

Without a file or a port, the captions are printed with their times. Without a recording, the layers are those of a
typical net, or those that --layers names.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from gradmidi.cli.live_options import add_port_options, port_arguments
from gradmidi.cli.options import add_output_options, add_sound_options
from gradmidi.cli.source_options import SOURCES, add_source_options, read_recording
from gradmidi.errors import InputError

if TYPE_CHECKING:
    from gradmidi.cli.console import Reporter
    from gradmidi.outputs.webvtt import Caption
    from gradmidi.recording import Recording
    from gradmidi.score import Score

TARGETS = (
    ("wav", "sound through a SoundFont: .wav, .flac, .ogg or .mp3"),
    ("mid", "a Standard MIDI File"),
    ("captions", "the captions as .vtt"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", nargs="?", metavar="NORMS.csv", help=f"whose layers: a recording, {SOURCES}")
    for name, help_line in TARGETS:
        parser.add_argument(f"--{name}", metavar="FILE", help=help_line)
    live = parser.add_argument_group("playing")
    live.add_argument("--port", metavar="NAME", help="play on a port listed by `gradmidi ports`, or on a new one")
    add_port_options(live)
    add_source_options(parser)
    add_sound_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from gradmidi.cli.console import Reporter
    from gradmidi.cli.options import compose_options
    from gradmidi.cli.perform import Job, check_targets, file_table, write_all
    from gradmidi.composition.legend import legend
    from gradmidi.files.destination import is_standard_output
    from gradmidi.outputs.captions import captions_of

    _check(args)
    targets = {name: Path(getattr(args, name)) for name, _ in TARGETS if getattr(args, name)}
    check_targets(targets)
    reporter = Reporter(args)
    reporter.leaves_stdout = any(map(is_standard_output, targets.values()))
    rows = _layers(args)
    score = legend(rows, **compose_options(args))
    captions = captions_of(score)
    done = write_all(Job(args, rows, score, reporter), targets)
    if args.port is not None:
        _play(args, score, captions, reporter)
    elif not done:
        for caption in captions:
            reporter.line(_line(caption))
    if done:
        file_table(done, reporter)
    said = [{"start": one.start / 1000, "end": one.end / 1000, "text": one.text} for one in captions]
    reporter.result({"seconds": score.length, "captions": said, "files": [asdict(item) for item in done]})
    return 0 if all(item.written for item in done) else 1


def _check(args: argparse.Namespace) -> None:
    """Refuse what would have no effect.

    Raises:
        InputError: names the option.
    """
    if args.duration is not None:
        raise InputError("--duration is for runs; a legend is as long as what it explains")
    for option in ("backend", "max_rate"):
        if getattr(args, option) is not None and args.port is None:
            raise InputError(f"--{option.replace('_', '-')} is for live notes; give --port as well")


def _layers(args: argparse.Namespace) -> Recording:
    """A recording that has the layers."""
    from gradmidi.composition.legend import TYPICAL
    from gradmidi.recording import Recording

    if args.recording is not None:
        recording = read_recording(args, args.recording)
        return recording if not args.layers else recording.only([name.strip() for name in args.layers.split(",")])
    names = [name.strip() for name in args.layers.split(",")] if args.layers else list(TYPICAL)
    return Recording.from_arrays([[1.0] * len(names)], names)


def _play(args: argparse.Namespace, score: Score, captions: list[Caption], reporter: Reporter) -> None:
    """Play, and print each caption when what it is about begins."""
    from gradmidi.outputs.live import play

    waiting = captions[::-1]

    def show(now: float, end: float) -> None:
        while waiting and waiting[-1].start <= 1000 * now:
            reporter.line(_line(waiting.pop()))

    heard = play(score, args.port, progress=show, tuning=args.tuning, **port_arguments(args))
    reporter.say(str(heard))


def _line(caption: Caption) -> str:
    minutes, seconds = divmod(caption.start // 1000, 60)
    return f"{minutes}:{seconds:02d}  {caption.text}"
