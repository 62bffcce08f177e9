"""Recording: what was measured, steps × layers of gradient norms with metrics and metadata. Knows only its file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.recording.columns import listed, numbers, twice, whole_numbers
from gradmidi.recording.from_logs import FromLogs

if TYPE_CHECKING:
    from pandas import DataFrame

    from gradmidi.recording.row import Row

RESUMED = "resumed"  # key of the steps at which a run was resumed into the same recording


@dataclass(frozen=True, eq=False)
class Recording(FromLogs):
    """Per-layer norms of a training run.

    Attributes:
        layers: names of the L layers, in forward order.
        steps: (N,) int64, the optimizer step of each row, counted from 0.
        norms: (N, L) float64, L2 norms; nan and inf are kept as measured.
        metrics: further numbers per step, each (N,) float64, such as ``epoch`` and ``loss``.
        meta: how the run was made (model, optimizer, seed, versions …), text by key; other values become text.
        gaps: (N, L) bool, True where a layer had no gradient at that step. There the norm is nan, but
            it is silence, not an alarm. In the CSV a gap is an empty cell.

    Raises:
        InputError: shapes do not match, there is no layer, something is not a number, or a step is not a
            64-bit integer.
    """

    layers: tuple[str, ...]
    steps: NDArray[np.int64]
    norms: NDArray[np.float64]
    metrics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    gaps: NDArray[np.bool_] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        norms, steps = numbers(self.norms, "norms"), whole_numbers(self.steps, "steps")
        gaps = np.zeros(norms.shape, dtype=bool) if self.gaps is None else np.asarray(self.gaps, dtype=bool)
        metrics = {str(name): numbers(values, f"metric {shown(name)}") for name, values in self.metrics.items()}
        layers = tuple(map(str, self.layers))
        if not layers:
            raise InputError("a recording needs at least one layer")
        if len(set(layers)) != len(layers):
            raise InputError(f"layer names must differ from each other: {shown(twice(layers))} appears twice")
        expected = (len(steps), len(layers))
        for name, shape in (("norms", norms.shape), ("gaps", gaps.shape)):
            if shape != expected:
                raise InputError(
                    f"{name} have shape {shape}, but {expected[0]} steps × {expected[1]} layers were given"
                )
        for name, values in metrics.items():
            if values.shape != steps.shape:
                raise InputError(f"metric {shown(name)} has shape {values.shape}, but there are {len(steps)} steps")
        if gaps.any() and (gaps & ~np.isnan(norms)).any():
            norms = np.where(gaps, np.nan, norms)
        for name, value in (
            ("layers", layers),
            ("steps", steps),
            ("norms", norms),
            ("gaps", gaps),
            ("metrics", metrics),
            ("meta", {str(key): str(value) for key, value in self.meta.items()}),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<Recording of {len(self)} steps × {len(self.layers)} layers: {listed(self.layers)}>"

    def __iter__(self) -> Iterator[Row]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, which: int) -> Row: ...
    @overload
    def __getitem__(self, which: slice | NDArray[Any] | Sequence[int] | Sequence[bool]) -> Recording: ...
    def __getitem__(self, which: int | slice | NDArray[Any] | Sequence[int] | Sequence[bool]) -> Row | Recording:
        """Rows by position, as in a list: ``rec[100:200]`` is a recording, ``rec[-1]`` the last row.

        Positions are not steps, see :meth:`between`. Iterating gives the rows one by one, as a sink takes them.

        Args:
            which: an int for a :class:`~gradmidi.recording.row.Row`, whose arrays are copies; a slice, a list or array
                of positions, or a mask such as ``rec.metrics["loss"] > 1`` for a recording with those rows.
                :meth:`seams` move to the next row that is kept.

        Raises:
            IndexError: there is no such row.
            TypeError: something else, such as the name of a layer.
        """
        from gradmidi.recording.slicing import picked

        return picked(self, which)

    def rows(self, start: int | None = None, stop: int | None = None) -> Recording:
        """The rows from ``start`` up to ``stop``, by position as in a slice of a list: ``rec[start:stop]``."""
        from gradmidi.recording.slicing import taken

        return taken(self, slice(start, stop))

    def between(self, first: int | None = None, last: int | None = None) -> Recording:
        """The rows of the steps from ``first`` to ``last``, both included; none where no step lies between them.

        Of a run that was resumed from an older checkpoint all rows of a step are taken.

        Args:
            first: the first step; from the beginning if not given.
            last: the last step; to the end if not given.

        Raises:
            InputError: ``first`` is larger than ``last``.
        """
        from gradmidi.recording.slicing import between

        return between(self, first, last)

    @staticmethod
    def concat(recordings: Iterable[Recording], renumber: bool = False) -> Recording:
        """Recordings one after the other, as if each had continued the one before it (``existing="append"``).

        Every later recording begins at a seam, see :meth:`seams`. A metric that one of them does not have is nan there;
        of metadata under one key that of the first counts. Recordings without rows are left out.

        Args:
            recordings: at least one, all with the same layers; these are put in the order of the first recording's.
            renumber: move the steps of every later recording so that it begins after the last one before it, for runs
                that each count from 0.

        Raises:
            InputError: no recordings were given, their layers differ, or one begins before its predecessor ends.
        """
        from gradmidi.recording.slicing import concat

        return concat(recordings, renumber)

    def seams(self) -> NDArray[np.int64]:
        """Positions of the rows at which a run was resumed into the same recording.

        They are found from ``meta["resumed"]``, the steps of those rows. A step that occurs several times, as when a
        run is resumed from an older checkpoint, is searched for from the end.
        """
        found: list[int] = []
        end = len(self)
        for step in reversed(re.findall(r"-?\d+", self.meta.get(RESUMED, ""))):
            rows = np.flatnonzero(self.steps[:end] == int(step))
            if len(rows):
                end = int(rows[-1])
                found.insert(0, end)
        return np.array(found, dtype=np.int64)

    def only(self, patterns: Iterable[str]) -> Recording:
        """The layers whose names match one of the names or globs (``"conv*"``), in the recording's order.

        Raises:
            InputError: a pattern matches no layer.
        """
        keep = [i for i, fits in enumerate(self._fitting(patterns)) if fits]
        layers = tuple(self.layers[i] for i in keep)
        return Recording(layers, self.steps, self.norms[:, keep], self.metrics, self.meta, self.gaps[:, keep])

    def solo(self, patterns: Iterable[str]) -> Recording:
        """The same layers with all but the matching ones silent (gaps), so that each keeps its voice and its time.

        Args:
            patterns: names or globs, as for :meth:`only`.

        Raises:
            InputError: a pattern matches no layer.
        """
        silent = ~self._fitting(patterns)
        norms = np.where(silent, np.nan, self.norms)
        return Recording(self.layers, self.steps, norms, self.metrics, self.meta, self.gaps | silent)

    @staticmethod
    def join(recordings: Iterable[Recording]) -> Recording:
        """Join the recordings of the ranks of one run, as written with ``ranks="each"``, side by side.

        ::

            ranks = [Recording.load(path) for path in Path("out").glob("norms.rank*.csv")]
            Recording.join(ranks).save("out/norms.csv")

        Rows are aligned by the number of their step; where a rank has no such step, its layers are gaps. Layers stand
        in the order of ranks. Those of one name that were measured alike (data parallelism) are one layer; if they
        differ, each is named after its rank, ``rank0.fc`` and ``rank1.fc``. Of a metric, ranks complete each other
        where they agree, as when only the last one knows the loss; if they differ, the first keeps its name and the
        others become ``rank1.loss`` and so on. Metadata likewise.

        Args:
            recordings: one per rank, in the order wanted; those that say their rank are put in the order of ranks.

        Raises:
            InputError: no recordings were given, or one is not a recording.
        """
        from gradmidi.recording.joining import join

        return join(recordings)

    def _fitting(self, patterns: Iterable[str]) -> NDArray[np.bool_]:
        """Which layers match a name or glob, (L,); the exact name of a layer is not treated as a glob."""
        at = {layer: i for i, layer in enumerate(self.layers)}
        fit = np.zeros(len(at), dtype=bool)
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            if pattern in at:
                found = [at[pattern]]
            else:
                matches = re.compile(translate(pattern)).match
                found = [i for layer, i in at.items() if matches(layer)]
            if not found:
                raise InputError(f"no layer is called {shown(pattern)}; the recording has {listed(self.layers)}")
            fit[found] = True
        return fit

    @classmethod
    def from_arrays(
        cls,
        norms: ArrayLike,
        layers: Sequence[str] | None = None,
        *,
        steps: ArrayLike | None = None,
        **metrics: ArrayLike,
    ) -> Recording:
        """A recording of plain numbers.

        Args:
            norms: (N, L) norms; of (L,) they are one step.
            layers: L names, ``layer1`` … unless given.
            steps: (N,) whole numbers of 64 bits, counted from 0 unless given.
            **metrics: (N,) numbers under the name of each metric.

        Raises:
            InputError: shapes do not fit, or what should be numbers is not.
        """
        table = np.atleast_2d(numbers(norms, "norms"))
        names = tuple(layers) if layers is not None else tuple(f"layer{i + 1}" for i in range(table.shape[1]))
        counted = np.arange(len(table)) if steps is None else whole_numbers(steps, "steps")
        return cls(names, counted, table, {name: numbers(x, f"metric {name}") for name, x in metrics.items()})

    @staticmethod
    def from_pandas(frame: DataFrame, metrics: Iterable[str] | None = None) -> Recording:
        """A recording from a pandas table: one of :meth:`to_pandas`, some of its rows, or your own table.

        Steps are the column ``step``, or else the index. In your own table every other column is a layer, except
        the metrics. NaN is a measured NaN, which is an alarm; a gap is ``pandas.NA`` in a column of a nullable type
        (``frame.convert_dtypes()``) or ``None``.

        Args:
            frame: N rows of numbers.
            metrics: columns that are metrics; ``epoch``, ``loss``, ``lr`` and their like if not given.

        Raises:
            InputError: a column is missing, appears twice or does not hold numbers, or a step is not a whole number.
        """
        from gradmidi.recording.frames import from_pandas

        return from_pandas(frame, metrics)

    def to_pandas(self) -> DataFrame:
        """The recording as a pandas table: a row per step, a column per metric and per layer.

        The index is ``step``. Columns are called as in the file. A layer with gaps is of pandas' type ``Float64``, in
        which a gap is ``pandas.NA`` and a measured NaN stays NaN; all others are plain float64. Exact names and
        metadata are in ``frame.attrs["gradmidi"]``, so that :meth:`from_pandas` restores the same recording.

        Raises:
            MissingPartError: pandas is not installed.
        """
        from gradmidi.recording.frames import to_pandas

        return to_pandas(self)

    def save(self, path: str | Path) -> None:
        """Write the recording, complete or not at all.

        ``.npz`` is a NumPy archive, for long runs; any other name is CSV (metadata lines, header, one line per step).

        Raises:
            InputError: the folder cannot be written to, there are no steps, or there are more names than a file can
                hold.
        """
        target = Path(path)
        if not len(self):
            raise InputError(f"cannot write {target}: the recording has no steps")
        if target.suffix.lower() == ".npz":
            from gradmidi.recording.npz import save_npz as save
        else:
            from gradmidi.recording.csv_writer import save
        save(self, target)
