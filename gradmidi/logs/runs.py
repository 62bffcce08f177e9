"""Which of several runs in a folder is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gradmidi.errors import InputError
from gradmidi.logs.choosing import fits, looks_like_norms, shortened
from gradmidi.printable import shown

HERE = "."  # the run whose files lie in the folder itself
CHOOSE = "choose one with run (on the command line --run)"


class Choice(NamedTuple):
    """What the user chooses within a log.

    Attributes:
        columns: globs of the columns that become layers; ``None`` for those that look like gradient norms.
        step: the column that counts steps; ``None`` for one with a known name.
        run: name or glob of the run; ``None`` if there is only one.
    """

    columns: Sequence[str] | None = None
    step: str | None = None
    run: str | None = None

    def takes(self, column: str) -> bool:
        """Whether a column would become a layer."""
        return looks_like_norms([column]) if self.columns is None else fits(column, self.columns)


def choose_runs(source: str, runs: Iterable[str], choice: Choice, columns: Callable[[str], Iterable[str]]) -> list[str]:
    """The runs that match the glob, or the only one with columns that would be chosen.

    Args:
        source: what messages call the folder.
        runs: names of the runs, at least one.
        choice: what the user chose.
        columns: returns those of the run of that name; called only if needed.

    Raises:
        InputError: no run has that name, or several match.
    """
    runs = list(runs)
    if choice.run is not None:
        named = [name for name in runs if fits(name, [choice.run])]
        if not named:
            raise InputError(f"{source}: no run is called {shown(choice.run)}; there are {shortened(runs)}")
        return named
    if len(runs) == 1:
        return runs
    fitting = [name for name in runs if any(map(choice.takes, columns(name)))]
    return [the_only(source, fitting or runs)]


def the_only(source: str, runs: Sequence[str]) -> str:
    """The single run, for logs whose runs cannot be joined.

    Raises:
        InputError: there are several.
    """
    if len(runs) > 1:
        raise InputError(f"{source}: {len(runs)} runs: {shortened(runs)}; {CHOOSE}")
    return runs[0]
