"""List the five runs of the 2019 post, with their settings and what to listen for."""

from __future__ import annotations

import argparse

from gradmidi.cli.options import add_output_options

# Column heading and its setting; the optimizer is part of the preset's name, so that 80 characters suffice.
COLUMNS = {"lr": "lr", "momentum": "momentum", "batch": "batch_size", "steps": "steps", "what to listen for": "hear"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli.console import Reporter
    from gradmidi.experiments.settings import presets

    reporter = Reporter(args)
    rows = [(name, *(str(row[key]) for key in COLUMNS.values())) for name, row in presets().items()]
    reporter.table(("preset", *COLUMNS), rows)
    reporter.result(presets())
    return 0
