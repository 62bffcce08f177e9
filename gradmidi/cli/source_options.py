"""What a command reads, and the options that choose within the log of another tool."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmidi.recording import Recording

RECORDING = "norms.csv"
LOGS = "TensorBoard, Trainer, Lightning, MLflow, W&B export, CSV, JSON"
SOURCES = f"a folder made by train, the log of a run ({LOGS}), or - for stdin"


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """What to take from a log: ``--columns``, ``--metrics``, ``--step`` and ``--run``."""
    group = parser.add_argument_group("from a log")
    group.add_argument(
        "--columns",
        metavar="GLOB",
        nargs="+",
        help="columns that are layers, such as 'grad*/norm' (default: by name)",
    )
    group.add_argument(
        "--metrics", metavar="GLOB", nargs="+", help="columns kept as metrics (default: loss, epoch and lr)"
    )
    group.add_argument("--step", metavar="NAME", help="the column that counts steps")
    group.add_argument("--run", dest="log_run", metavar="NAME", help="the run, if there are several; a glob")


def read_recording(args: argparse.Namespace, source: str) -> Recording:
    """The recording that the options choose; of a folder made by ``train``, its ``norms.csv``.

    Raises:
        InputError: as :func:`gradmidi.logs.source.read_source`.
        MissingPartError: tensorboard is needed and not installed.
    """
    from gradmidi.logs.source import read_source

    if args.log_run is None and _is_made_by_train(source):
        source = f"{source}/{RECORDING}"
    return read_source(source, args.columns, args.metrics, args.step, args.log_run)


def _is_made_by_train(source: str) -> bool:
    from pathlib import Path

    try:
        return bool(source) and Path(source, RECORDING).is_file()
    except OSError:  # such as a name that is too long; reading it says so
        return False
