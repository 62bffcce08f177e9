"""Compare two runs: in words, by ear (--wav, --mid) and as a picture (--plot).

Run A plays at the left and run B at the right; with --how alternating, some steps of A are followed by the same steps
of B, announced by one knock and by two. Both have the same scale, mapping, instruments and axes. docs/compare.md says
how steps are matched and when two runs part.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from gradmidi.cli.options import add_output_options, add_sound_options
from gradmidi.cli.source_options import SOURCES, add_source_options, read_recording
from gradmidi.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from gradmidi.cli.console import Reporter
    from gradmidi.cli.perform import Job, Written
    from gradmidi.comparison import Comparison
    from gradmidi.recording import Recording

TARGETS = (
    ("wav", "sound through a SoundFont: .wav, .flac, .ogg or .mp3"),
    ("plot", "both runs on the same axes as .png, .svg or .pdf"),
    ("mid", "a Standard MIDI File"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A.csv", help=f"run A: a recording, {SOURCES}")
    parser.add_argument("b", metavar="B.csv", help="run B, likewise")
    for name, help_line in TARGETS:
        parser.add_argument(f"--{name}", metavar="FILE", help=help_line)
    parser.add_argument("--how", metavar="HOW", default="left-right", help="left-right (default) or alternating")
    parser.add_argument(
        "--turn",
        metavar="LENGTH",
        default="5s",
        help="with alternating, how long each plays: 5s (default) or '40 steps'",
    )
    parser.add_argument("--plot-size", metavar="WxH", help="size of the picture in pixels (default: 1560x1040)")
    add_source_options(parser)
    parser.add_argument("--run-b", metavar="NAME", help="the run of B, if it is not that of --run")
    add_sound_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from gradmidi.cli.console import Reporter
    from gradmidi.cli.options import chosen_duration, chosen_size, compose_options
    from gradmidi.cli.perform import check_targets
    from gradmidi.comparison import compare
    from gradmidi.files.destination import is_standard_output

    targets = {name: Path(getattr(args, name)) for name, _ in TARGETS if getattr(args, name)}
    check_targets(targets)
    chosen_size(args)
    if args.a == args.b == "-":
        raise InputError("only one of the runs can come from stdin; give the other as a file")
    reporter = Reporter(args)
    reporter.leaves_stdout = any(map(is_standard_output, targets.values()))
    a, b = _read(args, reporter)
    found = compare(
        a,
        b,
        names=(args.a, args.b),
        how=args.how,
        turn=args.turn,
        duration=chosen_duration(args),
        **compose_options(args),
    )
    for line in found.lines:
        reporter.line(line)
    done = _written(args, found, targets, reporter)
    reporter.result({**found.to_dict(), "files": [asdict(item) for item in done]})
    return 0 if all(item.written for item in done) else 1


def _read(args: argparse.Namespace, reporter: Reporter) -> list[Recording]:
    from gradmidi.cli.options import heard_layers

    recordings = []
    for source, log_run in ((args.a, args.log_run), (args.b, args.run_b or args.log_run)):
        recording = read_recording(argparse.Namespace(**{**vars(args), "log_run": log_run}), source)
        if "notice" in recording.meta:
            reporter.say(f"{source}: {recording.meta['notice']}", style="yellow")
        recordings.append(recording.only(heard_layers(args, recording)) if args.layers else recording)
    return recordings


def _written(
    args: argparse.Namespace, found: Comparison, targets: dict[str, Path], reporter: Reporter
) -> list[Written]:
    from gradmidi.cli.perform import WRITERS, Job, Written, file_table, write_all

    def picture(job: Job, path: Path) -> Written:
        found.plot(path, size=args.plot_size)
        return Written("picture", str(path), None, "both runs on the same axes")

    done = write_all(Job(args, found.duet.rows, found.score, reporter), targets, {**WRITERS, "plot": picture})
    if done:
        file_table(done, reporter)
        reporter.say(f"pitches: {found.score.about}")
    if not found.duet.grouping.is_trivial:
        reporter.say(found.duet.grouping.describe())
    return done
