"""What a command says: messages and progress on stderr, tables and JSON on stdout. Colour follows NO_COLOR."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from gradmidi.cli.streams import silence, to_stdout
from gradmidi.printable import printable

UNBROKEN = ("what", "file", "plays", "preset", "part", "Hz")  # columns whose cells stay on one line
NOTEBOOK = "JPY_PARENT_PID"  # set if Jupyter runs `!gradmidi`: it poses as a terminal but keeps every state of a bar
PIPED_WIDTH = 200  # characters per line of a table that is not limited by a terminal


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the caller what a closed pipe means; rich would end the program."""
        raise


class Reporter:
    """Prints messages and results as ``--quiet`` and ``--json`` allow."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.json: bool = args.json
        self.quiet: bool = args.quiet
        self.leaves_stdout = False  # to a file that is written to it
        self._out = _Console(highlight=False, soft_wrap=True)
        if not self._out.is_terminal:
            self._out.width = PIPED_WIDTH
        self._err = _Console(stderr=True, highlight=False, soft_wrap=True, quiet=self.quiet)

    def say(self, text: str, style: str = "") -> None:
        """Print a message for the user on stderr."""
        try:
            self._err.print(_plain(text), style=style)
        except OSError:  # stderr was closed, or its disk is full; the files are made all the same
            silence(2)

    def result(self, value: Any) -> None:
        """With ``--json``, print the result as one JSON document on stdout."""
        if self.json and not self.leaves_stdout:
            with to_stdout():
                print(json.dumps(value, indent=2), flush=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        """Print a table on stdout, unless ``--json`` or ``--quiet`` is given."""
        if self.json or self.quiet or self.leaves_stdout:
            return
        table = Table(
            title=_plain(title) if title else None, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        for head in heads:
            table.add_column(head, overflow="fold", no_wrap=head in UNBROKEN)
        for row in rows:
            table.add_row(*(_plain(cell) for cell in row))
        with to_stdout():
            with self._out.capture() as text:
                self._out.print(table)
            # Cells are padded to the width of their column; remove that at the end of a line.
            print("\n".join(line.rstrip() for line in text.get().splitlines()), flush=True)

    def line(self, text: str, style: str = "") -> None:
        """Print one line on stdout, unless ``--json`` or ``--quiet`` is given."""
        if self.json or self.quiet or self.leaves_stdout:
            return
        with to_stdout():
            with self._out.capture() as styled:
                self._out.print(_plain(text), style=style)
            print(styled.get(), end="", flush=True)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[ProgressLine]:
        """A bar on stderr while the block runs; nothing if stderr is not a terminal or is a notebook's cell."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[now]}", markup=False),
        )
        hidden = self.quiet or not self._err.is_terminal or NOTEBOOK in os.environ
        with Progress(*columns, console=self._err, transient=True, disable=hidden) as bar:
            yield ProgressLine(bar, bar.add_task(printable(what), total=total, now=""))


class ProgressLine:
    """One bar: ``show`` moves it and changes the text after it."""

    def __init__(self, bar: Progress, task: Any) -> None:
        self._bar = bar
        self._task = task

    def show(self, done: int, now: str = "") -> None:
        """``done`` units are done; ``now`` is what is being done."""
        self._bar.update(self._task, completed=done, now=printable(now))


def _plain(text: str) -> Text:
    """Text in which escape sequences and rich's markup and emoji names have no effect."""
    return Text(printable(text))
