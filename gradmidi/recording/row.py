"""Row and RowSink: what was measured at one step, and everything that receives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


@cache
def no_gaps(layers: int) -> NDArray[np.bool_]:
    """(L,) all False; one array for all rows of L layers, which may not be written to."""
    gaps = np.zeros(layers, dtype=bool)
    gaps.flags.writeable = False
    return gaps


class Row(NamedTuple):
    """What was measured at one optimizer step. The receiver may keep the arrays.

    Attributes:
        step: the optimizer step, counted from 0.
        norms: (L,) values of the first quantity, L2 norms by default, in the order of the layers; float32 from a probe.
            NaN where there was no gradient.
        gaps: (L,) bool, True where there was no gradient.
        metrics: further numbers by name: what was logged, ``skipped`` under mixed precision, further quantities
            (``"weight_norm conv1"`` where there is one per layer).
    """

    step: int
    norms: NDArray[np.floating]
    gaps: NDArray[np.bool_]
    metrics: Mapping[str, float] = {}

    @classmethod
    def of(
        cls,
        step: int,
        norms: Sequence[float] | NDArray[np.floating],
        metrics: Mapping[str, float] | None = None,
        gaps: Sequence[bool] | NDArray[np.bool_] | None = None,
    ) -> Row:
        """A row of plain numbers, without gaps unless they are given."""
        values = np.asarray(norms)
        return cls(step, values, no_gaps(len(values)) if gaps is None else np.asarray(gaps, dtype=bool), metrics or {})

    @property
    def missing(self) -> NDArray[np.bool_] | None:
        """``gaps`` if there are any, otherwise None; rows without gaps share one array, which need not be examined."""
        return None if self.gaps is no_gaps(len(self.gaps)) or not self.gaps.any() else self.gaps

    def widened(self, layers: int) -> Row:
        """The row with gaps for layers that have joined after its own."""
        missing = layers - len(self.norms)
        norms = np.append(self.norms, np.full(missing, np.nan, dtype=self.norms.dtype))
        return self._replace(norms=norms, gaps=np.append(self.gaps, np.ones(missing, dtype=bool)))

    def narrowed(self, layers: int) -> Row:
        """The row with its first ``layers`` layers."""
        return self._replace(norms=self.norms[:layers], gaps=self.gaps[:layers])


class RowSink(Protocol):
    """Receives rows as they are measured: memory, a file, live sound, or your own class (``session.add(sink)``).

    It is called in the training's own thread, between two steps, so it should be quick. A sink that raises is dropped
    with a warning; the training and the other sinks continue. If it has a method ``close(well)``, this is called when
    the session ends, with False after an exception.
    """

    def append(self, row: Row, /) -> object:
        """Receive the row of one step; rows come in order."""
        ...


class RowList:
    """The simplest sink: a list of rows. For tests, and as an example for your own.

    Attributes:
        rows: the rows received so far.
        ended_well: the argument of ``close``; None before.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.ended_well: bool | None = None

    def append(self, row: Row, /) -> None:
        """See :class:`RowSink`."""
        self.rows.append(row)

    def close(self, well: bool) -> None:
        """See :class:`RowSink`."""
        self.ended_well = well
