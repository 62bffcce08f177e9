"""Turn a recording into MIDI (--mid), sound (--wav), the exact sine (--sine), a picture (--plot) or captions."""

from __future__ import annotations

import argparse

from gradmidi.cli.options import add_file_options, add_output_options, add_sound_options
from gradmidi.cli.source_options import SOURCES, add_source_options, read_recording
from gradmidi.errors import InputError

TARGETS = (
    ("mid", "a Standard MIDI File"),
    ("wav", "sound through a SoundFont: .wav, .flac, .ogg or .mp3"),
    ("sine", "the 2019 post's exact sine as .wav"),
    ("plot", "a piano roll as .png, .svg or .pdf"),
    ("captions", "what is heard, in words and with times, as .vtt"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", metavar="NORMS.csv", help=f"a recording, {SOURCES}")
    for name, help_line in TARGETS:
        parser.add_argument(f"--{name}", metavar="FILE", help=help_line)
    add_source_options(parser)
    add_sound_options(parser)
    add_file_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from gradmidi.cli.console import Reporter
    from gradmidi.cli.options import check_file_options, chosen_layers, compose_recording
    from gradmidi.cli.perform import Job, check_targets, report, write_all
    from gradmidi.files.destination import is_standard_output

    targets = {name: Path(getattr(args, name)) for name, _ in TARGETS if getattr(args, name)}
    if not targets:
        raise InputError("say what to make: --mid FILE, --wav FILE, --sine FILE, --plot FILE or --captions FILE")
    check_targets(targets)
    check_file_options(args)
    reporter = Reporter(args)
    reporter.leaves_stdout = any(map(is_standard_output, targets.values()))
    recording = chosen_layers(args, read_recording(args, args.recording))
    if "notice" in recording.meta:
        reporter.say(recording.meta["notice"], style="yellow")
    job = Job(args, recording, compose_recording(args, recording), reporter)
    done = write_all(job, targets)
    report(job, done)
    return 0 if all(item.written for item in done) else 1
