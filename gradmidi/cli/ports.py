"""List the MIDI ports that notes can be sent to, with the MIDI system of each."""

from __future__ import annotations

import argparse

from gradmidi.cli.options import add_output_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", metavar="NAME", help="only this MIDI system or library: alsa, jack, rtmidi …")
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli.console import Reporter
    from gradmidi.outputs.live import list_ports

    reporter = Reporter(args)
    ports = list_ports(args.backend)
    if ports:
        reporter.table(("number", "port", "system"), [(str(port.number), port.name, port.system) for port in ports])
    else:
        reporter.say("no MIDI port is open; --live without a name opens one called gradmidi; see docs/daw.md")
    reporter.result([port._asdict() for port in ports])
    return 0
