"""What Weights & Biases exports: a run's history as CSV or JSONL, and the CSV behind a chart of several runs."""

from __future__ import annotations

from collections.abc import Sequence

from gradmidi.errors import InputError
from gradmidi.logs.choosing import fits, shortened
from gradmidi.logs.csv_log import CsvLog
from gradmidi.logs.row_log import RowLog
from gradmidi.logs.runs import CHOOSE
from gradmidi.logs.series import Part
from gradmidi.printable import shown

OF_RUN = " - "  # a chart's columns are called "RUN - METRIC"
BOUNDS = ("__MIN", "__MAX")  # of the points that were averaged into one of the chart's; no measurements
INTERNAL = "_"  # _runtime, _timestamp


def is_export(names: Sequence[str]) -> bool:
    """Whether a table with these columns comes from Weights & Biases."""
    return "_step" in names or is_chart(names)


def is_chart(names: Sequence[str]) -> bool:
    """Whether a table with these columns is that of a chart, in which every column is of some run."""
    return any(OF_RUN in name and name.endswith(BOUNDS) for name in names)


class WandbLog:
    """One run of an export; the columns have the names under which they were logged.

    Args:
        table: the export.
        run: name or glob of the run, if a chart's file holds several.

    Raises:
        InputError: there are several runs, or none of that name.
    """

    def __init__(self, table: CsvLog | RowLog, run: str | None = None) -> None:
        self._table = table
        self.source, self.size = table.source, table.size
        self.notices, self.histograms = table.notices, table.histograms
        self.meta = dict(table.meta)
        measured = [name for name in table.names if not name.endswith(BOUNDS) and not name.startswith(INTERNAL)]
        self._columns = {name: name for name in measured}
        if is_chart(table.names) or run is not None:
            chosen = _choose(measured, run, self.source)
            self.meta |= {"title": chosen, "run": chosen}
            ours = [name for name in measured if name.startswith(chosen + OF_RUN)]
            self._columns = {name.removeprefix(chosen + OF_RUN): name for name in ours}
        self.names = list(self._columns)

    def parts(self, wanted: Sequence[str]) -> Sequence[Part]:
        """See :class:`gradmidi.logs.series.Log`."""
        return self._table.parts([self._columns[name] for name in wanted])


def _choose(names: Sequence[str], run: str | None, source: str) -> str:
    runs = list(dict.fromkeys(name.rpartition(OF_RUN)[0] for name in names if OF_RUN in name))
    named = [name for name in runs if run is None or fits(name, [run])]
    if not runs:
        raise InputError(f"{source}: it is the history of one run; leave run (on the command line --run) out")
    if not named:
        raise InputError(f"{source}: no run is called {shown(run)}; there are {shortened(runs)}")
    if len(named) > 1:
        raise InputError(f"{source}: {len(named)} runs: {shortened(named)}; {CHOOSE}")
    return named[0]
