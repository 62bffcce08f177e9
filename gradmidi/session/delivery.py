"""Delivery: rows on their way from the probe to the sinks, with the numbers that belong to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gradmidi.recording.row import Row, RowSink
from gradmidi.saying import warn

Numbers = Mapping[str, float]


class Delivery:
    """Hands rows to sinks, in order. A sink that fails is dropped with one warning.

    Args:
        next_step: number of the next step.
        late: numbers are logged after their step, so each row is held until the following step.

    Attributes:
        sinks: by the name used in warnings.
        stored: whether the sink that must not get a row twice already has the row of a step.
        failed: why sinks were dropped, by name.
        on_new: called with the metrics of a row that has unknown ones; returns the names that are known from then on.
    """

    def __init__(self, next_step: Callable[[], int], late: bool) -> None:
        self.sinks: dict[str, RowSink] = {}
        self.stored: Callable[[int], bool] = lambda step: False
        self.on_new: Callable[[Numbers], frozenset[str]] = frozenset
        self.known: frozenset[str] = frozenset()
        self.failed: dict[str, Exception] = {}
        self._next_step = next_step
        self._late: dict[int, dict[str, float]] | None = {} if late else None
        self._held: list[Row] = []
        self._kept: list[tuple[int, dict[str, float]]] = [(0, {})]  # sticky numbers, and from which step on
        self._begun: int | None = None  # the last step handed on, perhaps not to every sink

    @property
    def is_late(self) -> bool:
        """Whether numbers are logged after their step."""
        return self._late is not None

    def note_late(self, metrics: Numbers) -> None:
        """Numbers of the step that was just made, in a late session."""
        assert self._late is not None
        self._late.setdefault(self._next_step() - 1, {}).update(metrics)

    def keep(self, sticky: dict[str, float]) -> None:
        """Numbers of the coming step and all later ones, until they are given again."""
        # By step, because on CUDA the rows of the steps before may still be on their way.
        kept = self._kept[-1][1]
        if sticky.items() - kept.items():
            self._kept.append((self._next_step(), kept | sticky))

    def receive(self, row: Row) -> None:
        """Receive a row from the probe."""
        while len(self._kept) > 1 and self._kept[1][0] <= row.step:
            del self._kept[0]
        # Not by _replace, which takes a fifth of the time that everything here takes.
        self._held.append(Row(row.step, row.norms, row.gaps, {**self._kept[0][1], **row.metrics}))
        self.release(everything=self._late is None)

    def release(self, everything: bool) -> None:
        """Hand on the rows whose numbers are all known: in a late session all but the newest step's.

        A row leaves ``_held`` only when every sink has it, so that Ctrl-C in between does not lose it.
        """
        while self._held and (everything or self._held[0].step < self._next_step() - 1):
            row = self._held[0]
            if self._late:
                row = row._replace(metrics={**row.metrics, **self._late.get(row.step, {})})
                self._late = {step: numbers for step, numbers in self._late.items() if step >= row.step}
            if not row.metrics.keys() <= self.known:
                self.known = self.on_new(row.metrics)
            interrupted = row.step == self._begun
            self._begun = row.step
            if not (interrupted and self.stored(row.step)):
                for name, sink in list(self.sinks.items()):
                    try:
                        sink.append(row)
                    except Exception as error:
                        self._drop(name, error)
            del self._held[0]

    def _drop(self, name: str, error: Exception) -> None:
        say_stopped(name, error)
        self.failed[name] = error
        del self.sinks[name]

    def widen(self, layers: int) -> None:
        """Add gaps for layers that have joined to the rows that are being held."""
        self._held[:] = [row.widened(layers) for row in self._held]

    def forget(self) -> None:
        """Drop rows and sinks, in a forked child."""
        self._held.clear()
        self.sinks.clear()


class FirstLayers:
    """Wraps a sink that knows only the initial layers, such as live sound."""

    def __init__(self, sink: RowSink, layers: int) -> None:
        self._sink, self._layers = sink, layers

    def append(self, row: Row, /) -> object:
        """Hand on the row without the layers that have joined."""
        return self._sink.append(row.narrowed(self._layers))


def say_stopped(name: str, error: Exception) -> None:
    """Warn once about what failed."""
    warn(f"gradmidi: {name} stopped, the training continues: {type(error).__name__}: {error}")
