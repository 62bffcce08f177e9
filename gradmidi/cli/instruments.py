"""List the 128 General MIDI instruments by family, with their program numbers from 0."""

from __future__ import annotations

import argparse

from gradmidi.cli.options import add_output_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli.console import Reporter
    from gradmidi.composition.voices import instrument_families, instrument_names

    reporter = Reporter(args)
    numbers = {name: number for number, name in enumerate(instrument_names())}
    rows = [
        (family, ", ".join(f"{numbers[name]} {name}" for name in names))
        for family, names in instrument_families().items()
    ]
    reporter.table(("family", "instruments"), rows)
    reporter.result(
        {family: {name: numbers[name] for name in names} for family, names in instrument_families().items()}
    )
    return 0
