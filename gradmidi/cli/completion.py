"""Print a completion script: gradmidi completion bash > ~/.local/share/bash-completion/completions/gradmidi"""

from __future__ import annotations

import argparse

SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="your shell")


def run(args: argparse.Namespace) -> int:
    import shtab

    from gradmidi.cli import build_parser
    from gradmidi.cli.streams import to_stdout

    with to_stdout():
        print(shtab.complete(build_parser(), shell=args.shell), flush=True)
    return 0
