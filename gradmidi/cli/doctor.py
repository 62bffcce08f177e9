"""Say whether a run is healthy: what happened when, in which layer, what usually causes it and what people try.

Exit code 0: nothing was found; 1: something was wrong in a run; 2: a run cannot be read.

Without a run: what is installed, what is missing, what each package is for and how to install it.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gradmidi.cli.options import add_output_options
from gradmidi.cli.source_options import SOURCES, add_source_options
from gradmidi.errors import InputError, MissingPartError

if TYPE_CHECKING:
    from gradmidi.cli.console import Reporter
    from gradmidi.requirements import Requirement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=f"a recording, {SOURCES}")
    add_source_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli.console import Reporter

    reporter = Reporter(args)
    if args.runs:
        from gradmidi.cli.checkup import check_runs

        return check_runs(args, reporter)
    if args.columns or args.metrics or args.step or args.log_run:
        raise InputError("--columns, --metrics, --step and --run choose within a log; name it: gradmidi doctor RUN")
    return _check_installation(reporter)


def _check_installation(reporter: Reporter) -> int:
    from gradmidi.outputs.soundfont_choice import find_soundfont
    from gradmidi.requirements import REQUIREMENTS, install_command

    states = {row.name: _state(row) for row in REQUIREMENTS}
    rows = [
        (row.name, states[row.name], row.serves, "" if states[row.name] == "ok" else install_command(row.name))
        for row in REQUIREMENTS
    ]
    rows += [_midi_system(), ("SoundFont", str(find_soundfont()), "the instruments' sound", "")]
    reporter.table(("part", "state", "for", "run"), rows)
    reporter.result([dict(zip(("part", "state", "for", "run"), row, strict=True)) for row in rows])
    return 0


def _midi_system() -> tuple[str, str, str, str]:
    from gradmidi.outputs.live import list_ports

    try:
        list_ports()
    except MissingPartError as error:
        state, _, command = str(error).partition("; ")
        return ("MIDI system", state, "live MIDI", command)
    return ("MIDI system", "ok", "live MIDI", "")


def _state(row: Requirement) -> str:
    from importlib.util import find_spec

    from gradmidi.requirements import quiet_import

    if find_spec(row.module) is None:
        return "missing"
    try:
        quiet_import(row.module)
    except Exception as error:  # a broken package can raise anything (torchvision with another torch: RuntimeError)
        # The Python package is there, so a failure to import it is due to the system library.
        return "ok" if row.name == "pyfluidsynth" else f"does not load: {str(error).splitlines()[0][:60]}"
    return "ok"
