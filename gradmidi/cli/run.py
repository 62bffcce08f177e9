"""Run a training script unchanged and record the gradient norms of every optimizer in it: no code is needed.

Put the command after --. It runs as it would by itself: same arguments, input, output, signals and exit code; training
is bit for bit the same. However it ends, the recording is complete and the requested files are made.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gradmidi.cli.event_options import add_event_options, chosen_kinds
from gradmidi.cli.live_options import add_live_options, check_live_options
from gradmidi.cli.options import add_file_options, add_sound_options
from gradmidi.cli.render import TARGETS
from gradmidi.errors import InputError
from gradmidi.printable import printable

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from gradmidi.unattended.handover import Handover

LIMITS = """\
All optimizers that exist when the first of them steps go into one recording, DIR/norms.csv; one that is made later, or
in another process that trains independently, goes into norms-2.csv and so on. The first one is played and rendered.

Limits: gradmidi has to be installed in the Python that trains. In distributed training only rank 0 is recorded, and
for a pipeline its own stages (gradmidi.listen with ranks="each" records them all). Not recorded: sharded parameters
(FSDP, tensor parallelism, DeepSpeed: use gradmidi.listen), a compiled optimizer.step, optimizers that do not
subclass torch.optim.Optimizer, and Python started with -I, -E or -S or without the environment that it was given.
Losses, epochs, and steps that a GradScaler skipped are not in the recording.

--stop-on interrupts the process that trains, as Ctrl-C would: what was recorded is kept, the files are made, and the
exit code is the script's, 130 unless it handles the interrupt itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = LIMITS
    parser.usage = "gradmidi run [options] -- COMMAND [ARGUMENT ...]"
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="COMMAND", help="such as: python train.py --lr 1")
    parser.add_argument("--out", metavar="DIR", default="out", help="where norms.csv goes (default: out)")
    parser.add_argument(
        "--existing",
        metavar="WHAT",
        default="keep",
        help="an earlier norms.csv: keep it as norms.1.csv (default), append to it or replace it",
    )
    for name, help_line in TARGETS:
        parser.add_argument(f"--{name}", metavar="FILE", help=f"when the script has ended: {help_line}")
    parser.add_argument("--quiet", action="store_true", help="print only errors and what the script prints")
    add_event_options(parser)
    add_live_options(parser)
    add_sound_options(parser)
    add_file_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli.child import run_child
    from gradmidi.cli.console import Reporter
    from gradmidi.cli.event_command import EventCommand
    from gradmidi.cli.event_lines import EventLines
    from gradmidi.cli.finishing import finish, last_words
    from gradmidi.cli.following import Following
    from gradmidi.cli.perform import check_targets
    from gradmidi.files import check_folder
    from gradmidi.recording.existing import check_existing
    from gradmidi.unattended.handover import give

    command = args.program[1:] if args.program[:1] == ["--"] else args.program
    if not command:
        raise InputError("say what to run: gradmidi run -- python train.py")
    check_existing(args.existing, "--existing ")
    check_live_options(args, metrics=())
    check_folder(Path(args.out))
    targets = {name: Path(getattr(args, name)) for name, _ in TARGETS if getattr(args, name)}
    check_targets(targets)
    handover = _handover(args, command)
    _check_port(handover)
    event_command = EventCommand(args.on_event, last_words) if args.on_event is not None else None
    reporter = Reporter(argparse.Namespace(json=False, quiet=args.quiet))
    with _folder() as name:
        folder = Path(name)
        environment = give(handover, folder)
        with Following(folder, EventLines(reporter.say), event_command, last_words):
            code = run_child(command, environment)
        finish(args, handover, folder, targets)
    return code  # the script's, whether or not the files could be made


def _folder() -> TemporaryDirectory[str]:
    """Files of a process that is still running are no reason to fail."""
    from tempfile import TemporaryDirectory

    try:
        return TemporaryDirectory(prefix="gradmidi-run-", ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(
            f"cannot make a temporary folder ({error.strerror}); set TMPDIR to a writable folder"
        ) from None


def _handover(args: argparse.Namespace, command: list[str]) -> Handover:
    import shlex

    from gradmidi.cli.live_options import live_arguments
    from gradmidi.cli.options import check_file_options, chosen_duration, compose_options
    from gradmidi.outputs.soundfont_choice import GENERAL_MIDI
    from gradmidi.session import OWN_PORT
    from gradmidi.unattended.handover import Handover

    chosen_duration(args)
    check_file_options(args)
    if args.soundfont and args.soundfont != GENERAL_MIDI:
        args.soundfont = str(Path(args.soundfont).resolve())
    composing = compose_options(args)
    live = None if args.live is None else args.live or OWN_PORT
    # The words of a command are bytes; a recording is text.
    title = {"title": printable(shlex.join(command))}
    return Handover(
        Path(args.out).resolve(), title, args.existing, live, live_arguments(args), composing, chosen_kinds(args)
    )


def _check_port(handover: Handover) -> None:
    """Open the port once before the script starts, because within it a failure could only be a warning."""
    from gradmidi.composition.composer import Composer
    from gradmidi.outputs.live import LiveOutput
    from gradmidi.session import OWN_PORT

    if handover.live is not None:
        # Which layers there are is not known yet, so that no group can be matched with them.
        composer = Composer(("layer",), **{**handover.composer_options, "groups": None})
        port = None if handover.live == OWN_PORT else handover.live
        LiveOutput(composer, port, **handover.live_options).close(drain=False)
