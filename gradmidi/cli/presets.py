"""List the five runs of the 2019 post, with their settings and what to listen for."""

from __future__ import annotations

import argparse

from gradmidi.cli.options import add_output_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli.console import Reporter
    from gradmidi.experiments.settings import presets

    reporter = Reporter(args)
    heads = ("optimizer", "lr", "momentum", "batch_size", "steps", "hear")
    rows = [(name, *(str(row[head]) for head in heads)) for name, row in presets().items()]
    reporter.table(("preset", *(head.replace("_", " ") for head in heads)), rows)
    reporter.result(presets())
    return 0
