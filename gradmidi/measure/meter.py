"""Meter: reads each optimizer's parameters at its steps, makes a row of the readings and hands it on, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from gradmidi.measure.amp import scalars_of
from gradmidi.measure.distributed import is_sharded
from gradmidi.measure.layers import Layer
from gradmidi.measure.reading import LocalReader, Reader, Reading
from gradmidi.measure.row import RATE, RowMaker, StepNorms, widened
from gradmidi.saying import warn


class Source(Protocol):
    """Something that can be read once per step."""

    positions: Sequence[int]
    reader: Reader

    def read(self, notes: Mapping[str, float | Tensor]) -> Reading: ...

    def complete(self, reading: Reading, notes: Mapping[str, float | Tensor]) -> Reading: ...


class Meter:
    """Rows out of sources.

    A row is complete when every source has been measured, or when one is about to be measured again.

    Args:
        sources: what is read, each with its place among the P parameters.
        maker: makes rows.
        on_step: receives the rows.
        due: from the step to whether it is measured.

    Attributes:
        steps: number of the next step.
        notes: metrics of the next row.
        silent: True once ``on_step`` has failed; rows are then dropped, with one warning.
        left_out: how many steps ``due`` skipped.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        maker: RowMaker,
        on_step: Callable[[StepNorms], None],
        due: Callable[[int], bool] | None = None,
    ) -> None:
        self.silent = False
        self._sources = sources
        self.maker = maker
        self.on_step = on_step
        self._due = due
        self.steps = 0
        self._measured: set[int] = set()
        self._round: list[tuple[Source, Reading]] = []
        self._pending: deque[tuple[int, RowMaker, list[tuple[Source, Reading]]]] = deque()
        self.notes: dict[str, float | Tensor] = {}
        self.left_out = 0
        self._first_notes = self.notes
        self._some_gradient = False

    @property
    def heard(self) -> bool:
        """Whether a gradient was seen at any step."""
        # The quick hook, which has no time to say so, replaces the notes at each of its steps.
        return self._some_gradient or self.notes is not self._first_notes

    def note(self, values: Mapping[str, float | Tensor]) -> None:
        """Log metrics of the next row."""
        for name, value in values.items():
            value = value.detach() if isinstance(value, Tensor) else value
            self.notes[name] = value if isinstance(value, Tensor) and not value.is_cpu else float(value)

    def is_due(self, index: int) -> bool:
        """Whether the next measurement of source ``index`` will be kept."""
        step = self.steps + (index in self._measured)
        return self._due is None or self._due(step)

    def measure(self, index: int, reading: Reading | None = None, **scalars: float) -> None:
        """Measure source ``index`` for the present step, or take a reading of it that was started earlier."""
        if index in self._measured:
            self._close()
        self._measured.add(index)
        if self._due is None or self._due(self.steps):
            source = self._sources[index]
            reading = source.read(self.notes) if reading is None else source.complete(reading, self.notes)
            for name, value in scalars.items():
                reading.scalars.setdefault(name, value)
            self._round.append((source, reading))
        self.notes.clear()
        if len(self._measured) == len(self._sources):
            self._close()
        self._deliver(wait=False)

    @property
    def idle(self) -> bool:
        """Whether the next measurement begins a new row."""
        return not self._measured

    def refit(self, sources: Sequence[Source], maker: RowMaker) -> None:
        """Read other parameters from now on; only while :attr:`idle`. Rows that are on their way are not lost."""
        self._sources = sources
        self.maker = maker

    def plain_parameters(self) -> Sequence[nn.Parameter] | None:
        """The parameters if each row is just their norms; then a quick hook does for :meth:`measure`."""
        source = self._sources[0]
        whole = source.positions == range(len(source.reader.parameters)) and isinstance(source.reader, LocalReader)
        plain = len(self._sources) == 1 and self._due is None and self.maker.plain and whole
        return source.reader.parameters if plain else None

    def flush(self) -> None:
        """Deliver every row that is still on its way, including one that lacks some sources; waits."""
        if self._measured:
            self._close()
        self._deliver(wait=True)

    def read(self, index: int, scalars: Mapping[str, float | Tensor]) -> Reading:
        """A reading of source ``index`` to be given to :meth:`measure` later."""
        return self._sources[index].read({**self.notes, **scalars})

    def release(self, index: int, reading: Reading) -> None:
        """Drop a reading that is not needed after all."""
        self._sources[index].reader.copies.take_back(reading)

    def _close(self) -> None:
        if self._round:
            self._pending.append((self.steps, self.maker, self._round))
            self._round = []
        else:
            self.left_out += 1
        self._measured.clear()
        self.steps += 1

    def _deliver(self, wait: bool) -> None:
        while self._pending:
            step, maker, arrived = self._pending[0]
            for _, reading in arrived:
                if wait:
                    reading.wait()
                elif not reading.ready():
                    return
            self._some_gradient = self._some_gradient or any(
                part.positions for _, reading in arrived for part in reading.parts
            )
            row = maker.row(step, [(source.positions, reading) for source, reading in arrived])
            # One that was on its way when layers joined is brought to the length of those after it.
            self._hand_over(row if maker is self.maker else widened(row, len(self.maker.no_gaps)))
            self._pending.popleft()  # only now: a Ctrl-C before must not lose the row of a step that was made
            for source, reading in arrived:
                source.reader.copies.take_back(reading)

    def _hand_over(self, row: StepNorms) -> None:
        if self.silent:
            return
        try:
            self.on_step(row)
        except Exception as error:
            self.fall_silent(error)

    def fall_silent(self, error: Exception) -> None:
        """Drop every row from now on, because ``on_step`` has failed."""
        self.silent = True
        say_once_and_stop(error)


def say_once_and_stop(error: Exception) -> None:
    """Warn once about an internal error."""
    warn(f"gradmidi stopped measuring, the training continues: {type(error).__name__}: {error}")


class OptimizerPart:
    """A :class:`Source`: the measured parameters that one optimizer updates; follows groups that are added to it later.

    Args:
        optimizer: whose parameters.
        layers: all measured layers; a parameter's position counts through them.
        terms: what is read of each parameter.
        needs_rates: whether the layers' learning rates come along.

    Attributes:
        positions: (K,) positions of the optimizer's parameters among all P.
    """

    def __init__(self, optimizer: Optimizer, layers: Sequence[Layer], terms: Sequence[str], needs_rates: bool) -> None:
        self.optimizer = optimizer
        self.positions: Sequence[int] = ()
        self.reader: Reader
        self._layers = layers
        self._terms = terms
        self._needs_rates = needs_rates
        self._rates: dict[str, int] = {}
        self._known: list[int] = []
        self._follow()

    def read(self, notes: Mapping[str, float | Tensor]) -> Reading:
        """Start reading, with ``notes`` aboard."""
        if [len(group["params"]) for group in self.optimizer.param_groups] != self._known:
            self._follow()
        scalars = {**notes, **scalars_of(self.optimizer)}
        if self._needs_rates:
            groups = self.optimizer.param_groups
            scalars |= {RATE + layer: groups[index]["lr"] for layer, index in self._rates.items()}
        return self.reader.read(scalars)

    def complete(self, reading: Reading, notes: Mapping[str, float | Tensor]) -> Reading:
        """A reading that was started before the step, with what is known at the step."""
        late = {name: value for name, value in scalars_of(self.optimizer).items() if name != "grad_scale"}
        return self.reader.copies.add(reading, {**notes, **late})

    def _follow(self) -> None:
        groups = self.optimizer.param_groups
        self._known = [len(group["params"]) for group in groups]
        group_of = {id(parameter): index for index, group in enumerate(groups) for parameter in group["params"]}
        everything = [(layer.name, parameter) for layer in self._layers for parameter in layer.parameters]
        positions = [i for i, (_, parameter) in enumerate(everything) if id(parameter) in group_of]
        owned = [everything[i] for i in positions]
        whole = range(len(everything))
        self.positions = whole if positions == list(whole) else positions
        self._rates = {name: group_of[id(parameter)] for name, parameter in reversed(owned)}
        self.reader = _reader([parameter for _, parameter in owned], self._terms)


def _reader(parameters: Sequence[nn.Parameter], terms: Sequence[str]) -> Reader:
    if any(is_sharded(parameter) for parameter in parameters):
        from gradmidi.measure.sharded import ShardedReader

        return ShardedReader(parameters, terms)
    return LocalReader(parameters, terms)
