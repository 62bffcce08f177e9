"""Episodes: a fault begins once and ends once, however often it is seen in between."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray

from gradmidi.events.event import RECOVERED
from gradmidi.events.rules import Found

Nothing: tuple[Found, ...] = ()


class Episode:
    """One kind of fault of the whole network, or of the loss.

    Args:
        kind: its name.
        quiet: rows without evidence after which it is over.

    Attributes:
        onset: what it began with, or None while there is no such fault.
    """

    def __init__(self, kind: str, quiet: int) -> None:
        self._kind, self._quiet = kind, quiet
        self._last = 0
        self.onset: Found | None = None

    def see(
        self, row: int, layers: tuple[int, ...], value: float = nan, usual: float = nan, since: int | None = None
    ) -> tuple[Found, ...]:
        """The fault is seen at ``row``; returns its onset if it begins with that."""
        self._last = row
        if self.onset is not None:
            return Nothing
        self.onset = Found(row, self._kind, layers, row if since is None else since, value=value, usual=usual)
        return (self.onset,)

    @property
    def lasting(self) -> list[tuple[Found, tuple[int, ...]]]:
        """The onset, with its layers, if the fault is not over."""
        return [] if self.onset is None else [(self.onset, self.onset.layers)]

    def pass_over(self, row: int, value: float = nan) -> tuple[Found, ...]:
        """Returns its end if the fault was last seen long enough before ``row``."""
        if self.onset is None or row - self._last < self._quiet:
            return Nothing
        over = self.onset._replace(row=row, phase=RECOVERED, value=value)
        self.onset = None
        return (over,)


class Episodes:
    """One kind of fault in each of L layers; what begins or ends in several at the same row is reported as one.

    Args:
        kind: its name.
        layers: L.
        quiet: rows without evidence after which it is over in a layer.
    """

    def __init__(self, kind: str, layers: int, quiet: int) -> None:
        self._kind, self._quiet = kind, quiet
        self._open = np.zeros(layers, dtype=bool)
        self._since = np.zeros(layers, dtype=np.int64)
        self._last = np.zeros(layers, dtype=np.int64)
        self._any = False
        self._lasting: dict[Found, set[int]] = {}  # onsets, and the layers that have not recovered since

    def see(
        self,
        row: int,
        seen: NDArray[np.bool_],
        since: NDArray[np.int64] | None = None,
        value: NDArray[np.float64] | None = None,
        usual: NDArray[np.float64] | None = None,
    ) -> tuple[Found, ...]:
        """The fault is seen in some layers (L,) at ``row``; returns what begins with that. ``since`` etc. are (L,)."""
        self._last[seen] = row
        new = seen & ~self._open
        if not new.any():
            return Nothing
        self._since[new] = row if since is None else since[new]
        self._open |= new
        self._any = True
        columns = tuple(np.flatnonzero(new).tolist())
        first = columns[0]
        onset = Found(
            row,
            self._kind,
            columns,
            int(self._since[new].min()),
            value=nan if value is None else float(value[first]),
            usual=nan if usual is None else float(usual[first]),
        )
        self._lasting[onset] = set(columns)
        return (onset,)

    def pass_over(self, row: int) -> tuple[Found, ...]:
        """What has ended by ``row``, as it was last seen long enough before."""
        if not self._any:
            return Nothing
        over = self._open & (row - self._last >= self._quiet)
        if not over.any():
            return Nothing
        self._open &= ~over
        self._any = bool(self._open.any())
        columns = tuple(np.flatnonzero(over).tolist())
        for layers in self._lasting.values():
            layers.difference_update(columns)
        self._lasting = {onset: layers for onset, layers in self._lasting.items() if layers}
        return (Found(row, self._kind, columns, int(self._since[over].min()), RECOVERED),)

    @property
    def lasting(self) -> list[tuple[Found, tuple[int, ...]]]:
        """Onsets, each with those of its layers that have not recovered."""
        return [(onset, tuple(sorted(layers))) for onset, layers in self._lasting.items()]

    def widen(self, layers: int) -> None:
        """Add layers."""
        self._open = np.append(self._open, np.zeros(layers, dtype=bool))
        self._since = np.append(self._since, np.zeros(layers, dtype=np.int64))
        self._last = np.append(self._last, np.zeros(layers, dtype=np.int64))
