"""What `gradmidi run` does when the script has ended: no failure here changes the exit code of the run."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from gradmidi.cli.options import add_file_options, add_sound_options
from gradmidi.cli.streams import silence
from gradmidi.errors import InputError, MissingPartError
from gradmidi.printable import printable

if TYPE_CHECKING:
    from gradmidi.cli.console import Reporter
    from gradmidi.unattended.handover import Handover


def finish(args: argparse.Namespace, handover: Handover, folder: Path, targets: dict[str, Path]) -> None:
    """Report what was recorded and render the first recording; whatever fails is one line on stderr.

    Args:
        args: the options of `gradmidi run`.
        handover, folder: what the script was given.
        targets: kind of output → where it goes.
    """
    from gradmidi.unattended.handover import recordings

    found: dict[Path, list[str]] = {}
    try:
        begun = recordings(handover, folder)
        found = {Path(args.out) / path.name: notices for path, notices in begun.items()}
        _finish(args, handover, found, targets)
    except BaseException as error:
        _end_in_peace()
        rest = [f"; {first} is kept{_later(args, first, targets)}" for first in list(found)[:1]]
        last_words("".join([_told(error), *rest]))
    _end_in_peace()


def _end_in_peace() -> None:
    """A Ctrl-C must not change the exit code while the last lines are printed and the temporary folder is removed."""
    with suppress(ValueError):  # signals cannot be set in a thread, and need not be
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _finish(
    args: argparse.Namespace, handover: Handover, found: dict[Path, list[str]], targets: dict[str, Path]
) -> None:
    from gradmidi.cli.console import Reporter

    if not found:
        raise InputError("no optimizer step was recorded; the end of `gradmidi run --help` lists the limits")
    reporter = Reporter(argparse.Namespace(json=False, quiet=args.quiet))
    for notice in chain(*found.values()):
        reporter.say(notice.replace(f"{handover.out}{os.sep}", f"{args.out}{os.sep}"))
    for path in found:
        _say_findings(path, reporter)
    older = Path(args.out) / handover.path(len(found) + 1).name
    if older.exists():
        reporter.say(f"{older} is from an earlier run", style="yellow")
    first = next(iter(found))
    if targets:
        _render(args, first, targets, reporter)
    else:
        reporter.say(f"to hear it: gradmidi render {shlex.quote(str(first))} --mid run.mid --wav run.wav")


def _say_findings(path: Path, reporter: Reporter) -> None:
    """How many steps a recording has and, in the same line, what was wrong with them."""
    from gradmidi.events import find_events
    from gradmidi.recording import Recording
    from gradmidi.recording.findings import findings_of
    from gradmidi.session.problems import problems_of

    try:
        recording = Recording.load(path)
    except InputError as error:
        reporter.say(str(error), style="yellow")
        return
    problems = problems_of(findings_of(recording), find_events(recording))
    reporter.say("; ".join([f"{path}: {len(recording)} steps", *problems]), style="bold red" if problems else "")


def _render(args: argparse.Namespace, recording: Path, targets: dict[str, Path], reporter: Reporter) -> None:
    """Make each file separately, so that one failure does not affect the others."""
    from gradmidi.cli.options import chosen_layers, compose_recording
    from gradmidi.cli.perform import WRITERS, Job, say_heard
    from gradmidi.recording import Recording

    first = chosen_layers(args, Recording.load(recording))
    job = Job(args, first, compose_recording(args, first), reporter)
    for kind, path in targets.items():
        try:
            made = WRITERS[kind](job, path)
        except Exception as error:
            last_words(f"{path} was not made: {_told(error)}{_later(args, recording, {kind: path})}")
            continue
        reporter.say(f"{made.file}: {made.detail}")
    say_heard(job)


def _told(error: BaseException) -> str:
    if isinstance(error, (InputError, MissingPartError)):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    name = type(error).__name__
    return f"{name}: {error}" if str(error) else name


def _later(args: argparse.Namespace, recording: Path, targets: dict[str, Path]) -> str:
    """The command that makes the files later."""
    if not targets:
        return ""
    words = ["gradmidi", "render", str(recording)]
    for kind, path in targets.items():
        words += [f"--{kind}", str(path)]
    options = argparse.ArgumentParser(add_help=False)
    add_sound_options(options)
    add_file_options(options)
    for action in options._actions:
        given, option = getattr(args, action.dest), action.option_strings[-1]
        if given != action.default:
            values = given if isinstance(given, list) else [given]
            words += [option] if action.nargs == 0 else [word for value in values for word in (option, str(value))]
    return f"; to make {'it' if len(targets) == 1 else 'them'} later: {shlex.join(words)}"


def last_words(text: str) -> None:
    """Print an error, if stderr is still open."""
    try:
        print(f"gradmidi run: {printable(text)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        silence(2)
