"""From readings to a row: parameters joined to layers, terms to quantities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradmidi.measure.layers import Layer
from gradmidi.measure.quantities import Quantity, Seen, quantities_named
from gradmidi.measure.reading import Reading, numbers_of
from gradmidi.measure.terms import JOINS, TERMS
from gradmidi.recording.row import Row, no_gaps

RATE = "rate of "  # a scalar with this prefix is the learning rate of the layer named behind it


StepNorms = Row  # its earlier name, which users' receivers may import


def widened(row: Row, count: int) -> Row:
    """The row with gaps for layers that have joined since, ``count`` in all; the same row if none have."""
    return row if len(row.norms) >= count else row.widened(count)


def narrowed(row: StepNorms, layers: Sequence[Layer], count: int) -> StepNorms:
    """The row with only the first ``count`` of its layers and quantities; the same row if it has no others."""
    if len(row.norms) <= count:
        return row
    others = tuple(f" {layer.name}" for layer in layers[count:])
    metrics = {name: value for name, value in row.metrics.items() if not name.endswith(others)}
    return StepNorms(row.step, row.norms[:count], row.gaps[:count], metrics)


class RowMaker:
    """Makes rows of L layers' quantities out of readings of P parameters.

    Attributes:
        layers: names of the L layers.
        terms: what the readings have to hold, in order.
        metrics: names of the numbers that further quantities add to each row.
        no_gaps: (L,) all False; may not be written to, as many rows share it.
        plain: True if a row is just one parameter's norm per layer, which needs no joining.
    """

    def __init__(self, layers: Sequence[Layer], quantities: Sequence[str]) -> None:
        self.layers = tuple(layer.name for layer in layers)
        self._starts = np.cumsum([0, *(len(layer.parameters) for layer in layers)])[:-1]
        self._size = sum(len(layer.parameters) for layer in layers)
        self._quantities = quantities_named(quantities)
        self._memories: list[dict[str, NDArray[np.float64]]] = [{} for _ in quantities]
        self.terms = tuple(dict.fromkeys(term for quantity in self._quantities for term in quantity.terms))
        self.needs_rates = any(quantity.needs_rates for quantity in self._quantities)
        further = zip(quantities[1:], self._quantities[1:], strict=True)
        self.metrics = tuple(column for name, quantity in further for column in self._columns(name, quantity))
        self.no_gaps = no_gaps(len(layers))
        self.plain = tuple(quantities) == ("grad_norm",) and self._size == len(layers)

    def _columns(self, name: str, quantity: Quantity) -> list[str]:
        return [f"{name} {layer}" for layer in self.layers] if quantity.per_layer else [name]

    def row(self, step: int, readings: Sequence[tuple[Sequence[int], Reading]]) -> StepNorms:
        """The row of one step.

        Args:
            readings: for each optimizer, which of the P parameters it read and the reading, arrived.
        """
        table = np.full((len(self.terms), self._size), np.nan)
        present = np.zeros(self._size, dtype=bool)
        scalars: dict[str, float] = {}
        for positions, reading in readings:
            scalars |= reading.scalars
            for part in reading.parts:
                numbers, aboard = numbers_of(part, len(self.terms))
                where = [positions[i] for i in part.positions]
                table[:, where] = numbers
                present[where] = True
                scalars |= aboard
        return self._composed(step, table, present, scalars)

    def _composed(
        self, step: int, table: NDArray[np.float64], present: NDArray[np.bool_], scalars: dict[str, float]
    ) -> StepNorms:
        gaps = ~np.logical_or.reduceat(present, self._starts)
        terms = {}
        for name, values in zip(self.terms, table, strict=True):
            joined = JOINS[TERMS[name].join](np.where(present, values, 0.0), self._starts)
            terms[name] = np.where(gaps, np.nan, joined)
        rates = np.array([scalars.pop(RATE + layer, np.nan) for layer in self.layers])
        with np.errstate(all="ignore"):
            values = [
                quantity.formula(Seen(terms, scalars, rates, memory))
                for quantity, memory in zip(self._quantities, self._memories, strict=True)
            ]
        metrics = {name: value for name, value in scalars.items() if name != "grad_scale"}
        metrics |= zip(self.metrics, np.concatenate([[], *values[1:]]).tolist(), strict=True)
        return StepNorms(step, values[0].astype(np.float32), gaps, metrics)
