"""Play a recording (norms.csv) or a MIDI file on a port, in real time; Ctrl-C ends every note."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gradmidi.cli.live_options import add_port_options, port_arguments
from gradmidi.cli.options import add_output_options, add_sound_options

if TYPE_CHECKING:
    from gradmidi.score import Score

MIDI_ENDINGS = (".mid", ".midi")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("music", metavar="NORMS.csv|FILE.mid", help="what to play")
    live = parser.add_argument_group("playing")
    live.add_argument("--port", metavar="NAME", help="a port listed by `gradmidi ports` (default: a new one, gradmidi)")
    live.add_argument("--loop", action="store_true", help="start again at the end")
    live.add_argument("--speed", metavar="X", type=float, default=1.0, help="2 plays twice as fast")
    add_port_options(live)
    add_sound_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from gradmidi.cli.console import Reporter
    from gradmidi.outputs.live import play

    reporter = Reporter(args)
    music = _music(args)
    with reporter.progress(str(args.music), 1000) as bar:

        def show(now: float, end: float) -> None:
            bar.show(round(1000 * now / end) if end else 1000, f"{now:.0f} of {end:.0f} s")

        heard = play(
            music,
            args.port,
            loop=args.loop,
            speed=args.speed,
            progress=show,
            tuning=args.tuning,
            **port_arguments(args),
        )
    reporter.say(str(heard))
    reporter.result(asdict(heard))
    return 0


def _music(args: argparse.Namespace) -> Score | str:
    """The path of a MIDI file, or the score of a recording."""
    from gradmidi.cli.options import compose_recording
    from gradmidi.recording import Recording

    if str(args.music).lower().endswith(MIDI_ENDINGS):
        return str(args.music)
    return compose_recording(args, Recording.load(args.music))
