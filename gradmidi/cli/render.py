"""Turn a recording into MIDI (--mid), sound (--wav), the exact sine (--sine) or a picture (--plot)."""

from __future__ import annotations

import argparse

from gradmidi.cli.options import add_output_options, add_sound_options
from gradmidi.errors import InputError

TARGETS = (
    ("mid", "a Standard MIDI File"),
    ("wav", "sound through a SoundFont: .wav, .flac, .ogg or .mp3"),
    ("sine", "the 2019 post's exact sine as .wav"),
    ("plot", "a piano roll as .png or .svg"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", metavar="NORMS.csv", help="a recording, or any CSV with a step column")
    for name, help_line in TARGETS:
        parser.add_argument(f"--{name}", metavar="FILE", help=help_line)
    add_sound_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from gradmidi.cli.console import Reporter
    from gradmidi.cli.options import chosen_layers, compose_recording
    from gradmidi.cli.perform import Job, check_targets, report, write_all
    from gradmidi.recording import Recording

    targets = {name: Path(getattr(args, name)) for name, _ in TARGETS if getattr(args, name)}
    if not targets:
        raise InputError("say what to make: --mid FILE, --wav FILE, --sine FILE or --plot FILE")
    check_targets(targets)
    recording = chosen_layers(args, Recording.load(args.recording))
    job = Job(args, recording, compose_recording(args, recording), Reporter(args))
    done = write_all(job, targets)
    report(job, done)
    return 0 if all(item.written for item in done) else 1
