"""The command line: one file per command; each parses, calls the library and prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from gradmidi.cli.streams import mend_streams, silence
from gradmidi.errors import InputError, MissingPartError
from gradmidi.printable import printable

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

# name of the command (its module in this folder, or in MODULES) and the line in the help
COMMANDS = (
    ("train", "train the 2019 post's network on MNIST and write norms, MIDI, sound and a picture"),
    ("run", "run a training script unchanged and record every optimizer in it"),
    ("render", "turn a recording (norms.csv) into MIDI, sound or a picture"),
    ("compare", "compare two runs: in words, by ear and as a picture"),
    ("import", "turn the log of a run (TensorBoard, Trainer, MLflow, CSV, JSON) into a recording"),
    ("play", "play a recording or a MIDI file on a MIDI port"),
    ("ports", "list the MIDI ports"),
    ("presets", "list the settings that `train` knows by name"),
    ("scales", "list the named scales, or show one"),
    ("instruments", "list the 128 General MIDI instruments"),
    ("legend", "what a sound can say: each layer, event and ending, as sound and in words"),
    ("doctor", "say whether a run is healthy; without a run, what is installed and what is missing"),
    ("quiz", "blind listening trials: hear runs, say what is wrong with them, see how well it was told"),
    ("completion", "print a completion script for your shell"),
)
MODULES = {"import": "import_log"}  # a reserved word in Python


class Paragraphs(argparse.HelpFormatter):
    """Fills each paragraph of a description to the terminal's width, and keeps the empty lines between them."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(super(Paragraphs, self)._fill_text(part, width, indent) for part in text.split("\n\n"))


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and that accepts no abbreviated options."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **({"formatter_class": Paragraphs} | options | {"allow_abbrev": False}))

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {printable(message)}; see {self.prog} --help\n")


def build_parser() -> Parser:
    """The complete command line; loads the commands' modules, which load nothing heavy themselves."""
    from gradmidi import __version__

    parser = Parser(prog="gradmidi", description="Hear a neural network train: gradient norms as MIDI notes.")
    parser.add_argument("--version", action="version", version=f"gradmidi {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, help_line in COMMANDS:
        module = import_module(f"gradmidi.cli.{MODULES.get(name, name)}")
        command = commands.add_parser(name, help=help_line, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (``sys.argv`` by default) and return its exit code: 0, 1, 2 or 130."""
    mend_streams()
    parser = build_parser()
    words = sys.argv[1:] if argv is None else list(argv)
    if not words:
        parser.print_help(sys.stderr)
        return USAGE
    args = parser.parse_args(words)
    try:
        return int(args.run(args))
    except InputError as error:
        return _complain(args.command, error, USAGE)
    except MissingPartError as error:
        return _complain(args.command, error, FAILED)
    except KeyboardInterrupt:
        return _complain(args.command, "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away (`gradmidi scales | head`); nobody is left to tell.
        silence(1)
        return FAILED


def _complain(command: str, what: object, code: int) -> int:
    try:
        print(f"gradmidi {command}: {printable(what)}", file=sys.stderr, flush=True)
    except OSError:  # no message can be written, but the exit code still tells
        silence(2)
    return code
