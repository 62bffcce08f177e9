"""Turn the log of a run into a recording; docs/logs.md lists the supported formats."""

from __future__ import annotations

import argparse

from gradmidi.cli.options import add_output_options
from gradmidi.cli.source_options import SOURCES, add_source_options, read_recording
from gradmidi.errors import InputError

ENDINGS = (".csv", ".npz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help=SOURCES)
    parser.add_argument(
        "--out", metavar="FILE", default="norms.csv", help="norms.csv (default), or .npz for a long run"
    )
    add_source_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    import numpy as np

    from gradmidi.cli.console import Reporter

    out = Path(args.out)
    if out.suffix.lower() not in ENDINGS:
        raise InputError(f"--out {out}: the name must end in {' or '.join(ENDINGS)}")
    reporter = Reporter(args)
    recording = read_recording(args, args.source)
    recording.save(out)
    points = (~recording.gaps).sum(axis=0).tolist()
    known = {name: int((~np.isnan(values)).sum()) for name, values in recording.metrics.items()}
    rows = [(name, "layer", str(count)) for name, count in zip(recording.layers, points, strict=True)]
    rows += [(name, "metric", str(count)) for name, count in known.items()]
    reporter.table(("column", "is a", "points"), rows)
    if "notice" in recording.meta:
        reporter.say(recording.meta["notice"], style="yellow")
    reporter.say(f"{out}: {len(recording)} steps × {len(recording.layers)} layers")
    reporter.result(
        {
            "file": str(out),
            "steps": len(recording),
            "layers": dict(zip(recording.layers, points, strict=True)),
            "metrics": known,
            "meta": dict(recording.meta),
        }
    )
    return 0
