"""Options of the commands that play on a MIDI port."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from gradmidi.errors import InputError


def add_port_options(parser: argparse._ArgumentGroup) -> None:
    """The MIDI system, and the rate of messages it accepts."""
    parser.add_argument(
        "--backend", metavar="NAME", help="MIDI system or library: alsa, jack, rtmidi … (default: detected)"
    )
    parser.add_argument("--max-rate", metavar="N", type=float, help="at most this many MIDI messages per second")


def add_live_options(parser: argparse.ArgumentParser) -> None:
    """``--live`` and what goes with it."""
    live = parser.add_argument_group("live")
    live.add_argument(
        "--live",
        nargs="?",
        const="",
        metavar="PORT",
        help="play while training: a port listed by `gradmidi ports`, or a new one",
    )
    live.add_argument("--pace", metavar="NAME", help="peak (default), latest, mean, or wait for the music")
    live.add_argument("--clock", action="store_true", help="send MIDI clock and lock the notes to it")
    live.add_argument(
        "--cc", metavar="NAME=N", action="append", default=[], help="a metric sent as a controller: loss=74"
    )
    add_port_options(live)


def check_live_options(args: argparse.Namespace, metrics: Sequence[str]) -> None:
    """Refuse what would have no effect: options of live notes without ``--live``, and controllers of other metrics.

    Args:
        metrics: the metrics that the command records with each step.

    Raises:
        InputError: names the option.
    """
    if args.live is None:
        for option in ("pace", "clock", "cc", "backend", "max_rate"):
            if getattr(args, option):
                raise InputError(f"--{option.replace('_', '-')} is for live notes; give --live as well")
    for text in args.cc:
        metric = text.partition("=")[0].strip()
        if metric not in metrics:
            has = f"this command's are {', '.join(metrics)}" if metrics else "this command records no metrics"
            raise InputError(f"--cc {text}: there is no metric {metric!r}; {has}")


def port_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The port's keyword arguments; options that were not given keep the library's default."""
    given = {"backend": args.backend, "max_rate": args.max_rate, "soundfont": args.soundfont}
    return {name: value for name, value in given.items() if value is not None}


def live_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of :class:`gradmidi.outputs.live.LiveOutput`."""
    pace = {} if args.pace is None else {"pace": args.pace}
    return {"clock": args.clock, "cc": args.cc, "tuning": args.tuning, **pace, **port_arguments(args)}
