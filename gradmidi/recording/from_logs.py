"""Runs logged by other tools, as recordings: the methods ``Recording.from_…``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gradmidi.files.reading import Source

if TYPE_CHECKING:
    from gradmidi.recording.recording import Recording


class FromLogs:
    """The readers of other tools' logs, which :class:`gradmidi.Recording` inherits."""

    @staticmethod
    def load(path: str | Path, columns: Iterable[str] | None = None, run: str | None = None) -> Recording:
        """Read a recording, or the log of a run, whatever wrote it, as ``gradmidi render`` does.

        A recording is ``.npz`` or CSV, or any CSV with a ``step`` column and number columns. Logs are those of
        TensorBoard, a Hugging Face Trainer, Lightning, MLflow, Weights & Biases and more, see docs/logs.md.

        Args:
            path: a file, a folder, a FIFO such as that of ``<(cat norms.csv)``, or ``"-"`` for standard input.
            columns: names or globs of the columns that become layers, such as ``"grad/*/norm"``. If not given, all of
                a recording, and in a log those that look like gradient norms.
            run: name or glob of the run, where a log holds several. For more choices see :meth:`from_log`.

        Raises:
            InputError: the file is missing, empty, cut short, or holds something that is not a number, or nothing fits;
                the message names file, line and column.
            MissingPartError: tensorboard is needed and not installed.
        """
        from gradmidi.recording.csv_reader import is_archive, is_own, load

        with Source(path) as source:
            if run is None and (is_archive(source) or (columns is None and is_own(source))):
                return load(source) if columns is None else load(source).only(columns)
            from gradmidi.logs.source import read_opened

            return read_opened(source, columns, run=run)

    @staticmethod
    def from_tensorboard(
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        run: str | None = None,
    ) -> Recording:
        """A run logged to TensorBoard: all points of its scalars, including tensor-style ones.

        Tags may have points at different steps: the rows are all steps of the chosen ones, with gaps.

        Args:
            path: a folder with event files, or below which they are, or an event file.
            columns: names or globs of the tags that become layers, such as ``"grad/*/norm"``; by default those
                that look like gradient norms. The common parts of their names (``grad/``, ``/norm``) are removed.
            metrics: names or globs of tags that become metrics; by default loss, epoch and learning rate.
            run: the run's folder below ``path``, or a glob, if there are several.

        Raises:
            InputError: no event files, several runs, or no match; the message lists what is available.
            MissingPartError: tensorboard is not installed.
        """
        from gradmidi.logs.runs import Choice
        from gradmidi.logs.series import recording_of
        from gradmidi.logs.tensorboard import open_events

        choice = Choice(None if columns is None else list(columns), run=run)
        with Source(path, "the folder of a TensorBoard run") as source:
            return recording_of(open_events(source, choice), choice.columns, metrics)

    @staticmethod
    def from_csv(
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        step: str | None = None,
    ) -> Recording:
        """Chosen columns of any CSV; an empty cell is a gap. Args as :meth:`from_tensorboard` and:

        Args:
            step: name of the column that counts steps; by default ``step``, ``global_step``, ``iteration`` …

        Raises:
            InputError: the file cannot be read, nothing matches, or a chosen cell is not a number.
        """
        from gradmidi.logs.csv_log import CsvLog
        from gradmidi.logs.series import recording_of

        with Source(path, "the log of a run") as source:
            return recording_of(CsvLog(source, step), columns, metrics)

    @staticmethod
    def from_jsonl(
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

    @staticmethod
    def from_wandb_export(
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        step: str | None = None,
        run: str | None = None,
    ) -> Recording:
        """A history (CSV or JSONL) from Weights & Biases, or a chart's CSV, from which ``run`` chooses one run.

        Args and errors as :meth:`from_csv`.
        """
        from gradmidi.logs.series import recording_of
        from gradmidi.logs.source import open_table
        from gradmidi.logs.wandb import WandbLog

        with Source(path, "the export of a run") as source:
            return recording_of(WandbLog(open_table(source, step), run), columns, metrics)

    @staticmethod
    def from_log(
        path: str | Path,
        columns: Iterable[str] | None = None,
        metrics: Iterable[str] | None = None,
        step: str | None = None,
        run: str | None = None,
    ) -> Recording:
        """The log of a run in any supported format, as ``gradmidi render`` and ``gradmidi import`` read it.

        Besides what the other methods read: the output folder of a Hugging Face Trainer or of Lightning's CSVLogger,
        MLflow's file store, DLLogger's lines, and recordings. Args and errors as :meth:`from_tensorboard` and
        :meth:`from_csv`.
        """
        from gradmidi.logs.source import read_source

        return read_source(path, columns, metrics, step, run)
