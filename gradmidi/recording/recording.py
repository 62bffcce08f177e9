"""Recording: what was measured, steps × layers of gradient norms with metrics and metadata. Knows only its file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.printable import shown
from gradmidi.recording.columns import listed, numbers, twice, whole_numbers

RESUMED = "resumed"  # key of the steps at which a run was resumed into the same recording


@dataclass(frozen=True, eq=False)
class Recording:
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
        InputError: shapes do not fit together, there is no layer, something is not a number, or a step is not a whole
            number of 64 bits.
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

    def rows(self, start: int | None = None, stop: int | None = None) -> Recording:
        """The rows from ``start`` up to ``stop``, by position as in a slice of a list."""
        part = slice(start, stop)
        metrics = {name: values[part] for name, values in self.metrics.items()}
        return Recording(self.layers, self.steps[part], self.norms[part], metrics, self.meta, self.gaps[part])

    def seams(self) -> NDArray[np.int64]:
        """Positions of the rows at which a run was resumed into the same recording.

        They are found by ``meta["resumed"]``, the steps of those rows. A step that occurs several times, as when a run
        is resumed from an older checkpoint, is looked for from the end.
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
        """The layers whose names fit one of the names or globs (``"conv*"``), in the recording's order.

        Raises:
            InputError: a pattern fits no layer.
        """
        keep = [i for i, fits in enumerate(self._fitting(patterns)) if fits]
        layers = tuple(self.layers[i] for i in keep)
        return Recording(layers, self.steps, self.norms[:, keep], self.metrics, self.meta, self.gaps[:, keep])

    def solo(self, patterns: Iterable[str]) -> Recording:
        """The same layers with all but the fitting ones silent (gaps), so that each keeps its voice and its time.

        Args:
            patterns: names or globs, as :meth:`only` takes them.

        Raises:
            InputError: a pattern fits no layer.
        """
        silent = ~self._fitting(patterns)
        norms = np.where(silent, np.nan, self.norms)
        return Recording(self.layers, self.steps, norms, self.metrics, self.meta, self.gaps | silent)

    @staticmethod
    def join(recordings: Iterable[Recording]) -> Recording:
        """The recordings of the ranks of one run, side by side, as ``ranks="each"`` leaves them.

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
            InputError: there is none, or one is not a recording.
        """
        from gradmidi.recording.joining import join

        return join(recordings)

    def _fitting(self, patterns: Iterable[str]) -> NDArray[np.bool_]:
        """Which layers fit a name or glob, (L,); a name that is a layer's is no glob, whatever is in it."""
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
    def from_arrays(cls, norms: ArrayLike, layers: Sequence[str] | None = None, **metrics: ArrayLike) -> Recording:
        """A recording of plain numbers: norms (N, L), steps counted from 0, layers named ``layer1`` … unless given."""
        table = np.atleast_2d(numbers(norms, "norms"))
        names = tuple(layers) if layers is not None else tuple(f"layer{i + 1}" for i in range(table.shape[1]))
        return cls(
            names, np.arange(len(table)), table, {name: numbers(x, f"metric {name}") for name, x in metrics.items()}
        )

    def save(self, path: str | Path) -> None:
        """Write the recording, complete or not at all.

        ``.npz`` is NumPy's archive, for long runs; every other name is CSV (metadata lines, header, a line per step).

        Raises:
            InputError: the folder cannot be written to, there is no step, or there are more names than a file takes.
        """
        target = Path(path)
        if not len(self):
            raise InputError(f"cannot write {target}: the recording has no steps")
        if target.suffix.lower() == ".npz":
            from gradmidi.recording.npz import save_npz as save
        else:
            from gradmidi.recording.csv_writer import save
        save(self, target)

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read a recording, ``.npz`` or CSV, or any CSV with a ``step`` column and number columns.

        Args:
            path: a file, a FIFO such as that of ``<(cat norms.csv)``, or ``"-"`` for standard input.

        Raises:
            InputError: the file is missing, empty, cut short, or holds something that is not a number;
                the message names file, line and column.
        """
        from gradmidi.recording.csv_reader import load

        with Source(path) as source:
            return load(source)

    @classmethod
    def from_tensorboard(
        cls,
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        run: str | None = None,
    ) -> Recording:
        """A run that was logged to TensorBoard: all points of its scalars, also those of tensor style.

        Tags may have points at different steps: the rows are all steps of the chosen ones, with gaps.

        Args:
            path: a folder with event files, or below which they are, or an event file.
            columns: names or globs of the tags that become layers, such as ``"grad/*/norm"``; those that look like
                gradient norms if not given. What their names share (``grad/``, ``/norm``) is cut off.
            metrics: names or globs of tags that become metrics; loss, epoch and learning rate if not given.
            run: the run's folder below ``path``, or a glob, where there are several.

        Raises:
            InputError: no event files, several runs, or nothing that fits; the message lists what there is.
            MissingPartError: tensorboard is not installed.
        """
        from gradmidi.logs.runs import Choice
        from gradmidi.logs.series import recording_of
        from gradmidi.logs.tensorboard import open_events

        choice = Choice(None if columns is None else list(columns), run=run)
        with Source(path, "the folder of a TensorBoard run") as source:
            return recording_of(open_events(source, choice), choice.columns, metrics)

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        step: str | None = None,
    ) -> Recording:
        """Chosen columns of any CSV; an empty cell is a gap. Args as :meth:`from_tensorboard` and:

        Args:
            step: name of the column that counts steps; ``step``, ``global_step``, ``iteration`` … if not given.

        Raises:
            InputError: the file cannot be read, nothing fits, or a chosen cell is not a number.
        """
        from gradmidi.logs.csv_log import CsvLog
        from gradmidi.logs.series import recording_of

        with Source(path, "the log of a run") as source:
            return recording_of(CsvLog(source, step), columns, metrics)

    @classmethod
    def from_jsonl(
        cls,
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        step: str | None = None,
    ) -> Recording:
        """Chosen numbers of a file of JSON objects, one per line or in one array; nested keys are joined by ``/``.

        A Hugging Face Trainer's ``trainer_state.json`` is read as well. Args and errors as :meth:`from_csv`.
        """
        from gradmidi.logs.json_log import open_json
        from gradmidi.logs.series import recording_of

        with Source(path, "the log of a run") as source:
            return recording_of(open_json(source, step), columns, metrics)

    @classmethod
    def from_wandb_export(
        cls,
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        step: str | None = None,
        run: str | None = None,
    ) -> Recording:
        """A history (CSV or JSONL) from Weights & Biases, or a chart's CSV, of whose runs ``run`` chooses one.

        Args and errors as :meth:`from_csv`.
        """
        from gradmidi.logs.series import recording_of
        from gradmidi.logs.source import open_table
        from gradmidi.logs.wandb import WandbLog

        with Source(path, "the export of a run") as source:
            return recording_of(WandbLog(open_table(source, step), run), columns, metrics)

    @classmethod
    def from_log(
        cls,
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        step: str | None = None,
        run: str | None = None,
    ) -> Recording:
        """The log of a run, whatever wrote it, as ``gradmidi render`` and ``gradmidi import`` read it.

        Besides what the other methods read: the output folder of a Hugging Face Trainer or of Lightning's CSVLogger,
        MLflow's file store, DLLogger's lines, and recordings. Args and errors as :meth:`from_tensorboard` and
        :meth:`from_csv`.
        """
        from gradmidi.logs.source import read_source

        return read_source(path, columns, metrics, step, run)
