"""List the named scales by family, or show one: its degrees, cents, ratios and Hz; hear it with --mid or --wav."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gradmidi.cli.options import add_output_options
from gradmidi.printable import counted

if TYPE_CHECKING:
    from gradmidi.cli.console import Reporter
    from gradmidi.theory.scale import Scale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scale", nargs="?", metavar="SCALE", help="such as 'D dorian', FILE.scl or '0 2 3.5 7 8.9'")
    parser.add_argument("--mid", metavar="FILE", help="write the scale, up and down, as MIDI")
    parser.add_argument("--wav", metavar="FILE", help="write the scale, up and down, as sound")
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli.console import Reporter
    from gradmidi.errors import InputError
    from gradmidi.theory.scale import Scale

    reporter = Reporter(args)
    if args.scale is None:
        if args.mid or args.wav:
            raise InputError(
                "--mid and --wav need a scale to play, such as: gradmidi scales 'D dorian' --wav scale.wav"
            )
        return _list(reporter)
    scale = Scale.parse(args.scale)
    _show(reporter, scale)
    return _play(args, reporter, scale)


def _list(reporter: Reporter) -> int:
    from gradmidi.theory.catalogue import families

    rows = [
        (family, entry.name, ", ".join(entry.aliases)) for family, entries in families().items() for entry in entries
    ]
    reporter.table(("family", "scale", "also called"), _without_repeats(rows))
    reporter.result({family: [entry.name for entry in entries] for family, entries in families().items()})
    return 0


def _without_repeats(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The rows with each family named only in its first row."""
    before = [""] + [row[0] for row in rows[:-1]]
    return [("" if row[0] == last else row[0], *row[1:]) for row, last in zip(rows, before, strict=True)]


def _show(reporter: Reporter, scale: Scale) -> None:
    from gradmidi.theory.pitch import hz_to_key, note_name

    hertz = [scale.tonic * ratio for ratio in scale.ratios]
    degrees = [
        {"degree": number, "cents": cents, "ratio": ratio, "hz": hz, "nearest": note_name(round(float(hz_to_key(hz))))}
        for number, (cents, ratio, hz) in enumerate(zip(scale.cents, scale.ratios, hertz, strict=True))
    ]
    rows = [
        (str(d["degree"]), f"{d['cents']:.3f}", f"{d['ratio']:.6f}", f"{d['hz']:.3f}", str(d["nearest"]))
        for d in degrees
    ]
    period = "no period" if scale.period is None else f"period {scale.period:g}"
    reporter.table(("degree", "cents", "ratio", "Hz", "nearest key"), rows, title=f"{scale.name}, {period}")
    reporter.result({"name": scale.name, "tonic": scale.tonic, "period": scale.period, "degrees": degrees})


def _play(args: argparse.Namespace, reporter: Reporter, scale: Scale) -> int:
    from gradmidi.composition.demonstration import scale_score

    if args.mid:
        exactness = scale_score(scale).save_midi(args.mid)
        reporter.say(f"{args.mid}: {counted(exactness.notes, 'note')}, exact to {exactness.largest_error:.2g} cents")
    if args.wav:
        heard = scale_score(scale).render_wav(args.wav)
        reporter.say(
            f"{args.wav}: {heard.seconds:.1f} s, {heard.engine}" + (f"; {heard.notice}" if heard.notice else "")
        )
    return 0
