"""What `run` and `train` do about events: ``--on-event`` and ``--stop-on``."""

from __future__ import annotations

import argparse

HELP = "as {kind}, {phase}, {layer}, {step}, {since}, {value}, {usual} and {text}"


def add_event_options(parser: argparse.ArgumentParser) -> None:
    """Whom to tell, and when to stop."""
    group = parser.add_argument_group("when something is wrong", "docs/events.md says what is found, and when.")
    group.add_argument(
        "--on-event",
        metavar="COMMAND",
        help=f"run this for each event, without a shell; it gets the event's fields {HELP}",
    )
    group.add_argument(
        "--stop-on",
        metavar="KINDS",
        help="interrupt the training, as Ctrl-C would, when an event of one of these kinds begins: nan,explosion",
    )


def chosen_kinds(args: argparse.Namespace) -> tuple[str, ...]:
    """The kinds of ``--stop-on``.

    Raises:
        InputError: one does not exist.
    """
    from gradmidi.session.telling import check_kinds

    if args.stop_on is None:
        return ()
    kinds = tuple(dict.fromkeys(name.strip() for name in args.stop_on.split(",") if name.strip()))
    check_kinds(kinds, "--stop-on")
    return kinds
