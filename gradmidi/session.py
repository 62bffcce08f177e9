"""listen: attach to any training loop in one line, and keep or play what is measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from inspect import signature
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gradmidi.elsewhere import RecordedElsewhere
from gradmidi.errors import InputError, TrainingWarning
from gradmidi.findings import Tally
from gradmidi.recording import Recording
from gradmidi.recording_csv import METRICS, RecordingWriter
from gradmidi.recording_path import check_recording_path
from gradmidi.session_report import SessionReport

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from gradmidi.measure.row import StepNorms
    from gradmidi.outputs.live.report import LiveReport

STICKY = frozenset({"epoch"})  # goes on until another value is given
OWN_PORT = "gradmidi"  # the virtual port that is opened rather than looked for

Numbers = Mapping[str, float]
Receiver = Callable[..., object]  # of one step: its number, norms (L,), metrics, and gaps (L,) or None
Number = TypeVar("Number")


def listen(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    *,
    path: str | Path | None = None,
    live: str | None = None,
    metrics: Sequence[str] = METRICS,
    meta: Mapping[str, object] | None = None,
    late: bool = False,
    ranks: str = "first",
    live_options: Mapping[str, Any] | None = None,
    probe_options: Mapping[str, Any] | None = None,
    **composer_options: Any,
) -> Session:
    """Record, and if wanted play, the gradient norms of ``model`` from now on.

    ::

        with gradmidi.listen(model, optimizer, live="gradmidi", scale="D dorian") as session:
            for x, y in loader:
                session.loss(loss_fn(model(x), y)).backward()
                optimizer.step()
                optimizer.zero_grad()
        session.recording.save("norms.csv")

    Args:
        model: the network; several go into an ``nn.ModuleDict``.
        optimizer: the torch optimizer, or several.
        path: a CSV to append every step to, so that a killed run keeps what it has; memory then stays flat. Without it
            the rows are kept in memory, 9 bytes a layer and step.
        live: name of a MIDI port to play on while training; ``"gradmidi"`` opens a virtual port of that name.
        metrics: columns besides the layers, filled by :meth:`Session.log`. In memory, and in a file before its first
            step, a name that is logged without being declared here becomes a column as well.
        meta: text by key, kept with the recording.
        late: numbers are logged after the step that they belong to, as frameworks' callbacks do; rows are then handed
            on one step later.
        ranks: which processes of a distributed training record: ``"first"``, rank 0, or ``"each"``, for pipeline and
            expert parallelism, where a rank has layers of its own. Each then leaves a recording, ``norms.rank0.csv``,
            ``norms.rank1.csv`` and so on, which :meth:`gradmidi.Recording.join` lays side by side. Live sound comes
            from rank 0.
        live_options: options of :class:`gradmidi.outputs.live.LiveOutput`, such as ``{"pace": "wait"}``.
        probe_options: options of :class:`gradmidi.measure.probe.GradientProbe`; its ``layers``, ``parameters``,
            ``quantities``, ``when``, ``every`` and ``scaler`` may also be given by themselves.
        composer_options: how live notes are made, as in :func:`gradmidi.compose`: ``scale``, ``mapping``, ``timing`` …
            Without ``live`` they are checked and have no effect; a recording is composed afterwards.

    Cost: that of the probe; with ``path`` one small write a step (about 5 µs and 1 µs a layer).

    Raises:
        InputError: an argument that cannot be used; nothing is attached then.
        MissingPartError: what live sound needs is not installed.
    """
    from gradmidi.measure.probe import GradientProbe

    probing = {**(probe_options or {})}
    probing |= {name: composer_options.pop(name) for name in PROBE_OPTIONS & composer_options.keys()}
    _check_names(composer_options)
    session = Session(
        lambda on_step: _checked(GradientProbe(model, optimizer, on_step, ranks=ranks, **probing), composer_options),
        path=path,
        metrics=metrics,
        meta={"model": type(model).__name__, **(meta or {})},
        late=late,
        ranks=ranks,
    )
    if live is not None:
        try:
            session.play(live, live_options or {}, composer_options)
        except BaseException:
            session.detach()
            raise
    return session


PROBE_OPTIONS = frozenset({"layers", "parameters", "quantities", "when", "every", "scaler"})


def _check_names(composer_options: Mapping[str, Any]) -> None:
    """A mistyped option is an error without live sound too, where nothing would miss it."""
    from gradmidi.composition.composer import Composer

    known = [name for name in signature(Composer).parameters if name != "layers"]
    for name in composer_options:
        if name not in known:
            raise InputError(f"listen() has no option {name!r}; beside its own it takes {', '.join(known)}")


class Probe(Protocol):
    """What a session listens to; see :class:`gradmidi.measure.probe.GradientProbe`."""

    layers: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def steps(self) -> int: ...
    def note(self, **values: Any) -> None: ...
    def attach(self) -> None: ...
    def flush(self) -> None: ...
    def detach(self) -> None: ...
    def silence(self) -> str | None: ...


def _checked(probe: Probe, composer_options: Mapping[str, Any]) -> Probe:
    """The probe, before any file is made; detached where its layers cannot be composed with these options."""
    from gradmidi.composition.composer import Composer

    try:
        if composer_options:
            Composer(probe.layers, **composer_options)
    except BaseException:
        probe.detach()
        raise
    return probe


class Session:
    """A training that is listened to. Attached when made; leaving it as a context manager detaches.

    An output that fails is dropped with one :class:`TrainingWarning`; the training and the other outputs continue. When
    the session ends, one :class:`TrainingWarning` says what was wrong with the run, if anything was, and another why
    nothing was heard, if nothing was; :attr:`report` holds the same.

    Args:
        make_probe: from the receiver of rows to the probe, attached.
        path, metrics, meta, late, ranks: see :func:`listen`.

    Attributes:
        layers: names of the L layers.

    Raises:
        InputError: the file at ``path`` cannot be written; the probe is detached.
    """

    says_findings = True  # at the end, as a warning; a subclass may leave that to someone else

    def __init__(
        self,
        make_probe: Callable[[Callable[[StepNorms], None]], Probe],
        *,
        path: str | Path | None = None,
        metrics: Sequence[str] = METRICS,
        meta: Mapping[str, object] | None = None,
        late: bool = False,
        ranks: str = "first",
    ) -> None:
        from gradmidi.measure.setups import launched_rank, path_here, records_here

        if path is not None:
            check_recording_path(Path(path))
        self._held: list[tuple[StepNorms, Numbers]] = []
        self._late: dict[int, dict[str, float]] | None = {} if late else None
        self._kept: dict[str, float] = {}
        self._ended = False
        self._closers: list[Callable[[bool], object]] = []  # told whether the training ended well
        self._receivers: dict[str, Receiver] = {}
        self._live: LiveReport | None = None
        self._notices: list[str] = []
        self._findings_said = False
        self._silence_said = False
        self._no_gaps: NDArray[np.bool_] | None = None
        self._path = None if path is None else path_here(Path(path), ranks)
        self._elsewhere = not records_here(ranks)
        self._probe = make_probe(self._receive)
        self.layers: tuple[str, ...] = self._probe.layers
        self._meta = {key: str(value) for key, value in (meta or {}).items()}
        if ranks == "each":
            self._meta["rank"] = str(launched_rank())
        self._columns = tuple(dict.fromkeys([*metrics, *self._probe.metrics]))
        self._known = frozenset(self._columns)
        self._tally = Tally(self.layers)
        try:
            self._record()
        except InputError:
            self._probe.detach()
            raise

    def _record(self) -> None:
        from gradmidi.measure.store import RowStore

        if self._path is None:
            self._store = RowStore(self.layers, self._columns)
            self._receivers["recording"] = self._store.append
            self._add_metric = self._store.add_metric
        else:
            writer = RecordingWriter(self._path, self.layers, self._columns, self._meta)
            self._closers.append(lambda _: writer.close())
            self._receivers[f"recording to {self._path}"] = writer.append
            self._add_metric = writer.add_metric
        self._receivers["report"] = self._tally.append

    def play(self, port: str, live_options: Mapping[str, Any], composer_options: Mapping[str, Any]) -> None:
        """Play every step from now on on a MIDI port, on rank 0; the options are those of :func:`listen`."""
        from gradmidi.composition.composer import Composer
        from gradmidi.measure.setups import sounds_here
        from gradmidi.outputs.live import LiveOutput

        composer = Composer(self.layers, **composer_options)
        if not sounds_here():
            return
        output = LiveOutput(composer, None if port == OWN_PORT else port, **live_options)
        self._receivers["live sound"] = output.append

        def close(well: bool) -> None:
            self._live = output.close(drain=well)  # which lets the last steps be heard if all went well

        self._closers.append(close)

    @property
    def report(self) -> SessionReport:
        """Steps so far, what was wrong with them, and, once the session has ended, how the live performance went."""
        self._probe.flush()
        self._release(everything=True)
        findings = self._tally.findings()
        return SessionReport(self._tally.steps, self.layers, findings, tuple(self._notices), self._live)

    @property
    def recording(self) -> Recording:
        """What was recorded so far, of 0 steps if nothing was; with ``path`` it is read from there.

        On a rank that does not record it has no steps, and its ``save`` leaves the file to rank 0.

        Raises:
            InputError: the file at ``path`` has gone.
        """
        self._probe.flush()
        self._release(everything=True)
        if self._elsewhere:
            return RecordedElsewhere.of(self.layers)
        if self._path is None:
            return self._store.recording(self._meta)
        try:
            return Recording.load(self._path)
        except InputError:
            if self.report.steps or not self._path.exists():
                raise
            return self._nothing()

    def _nothing(self) -> Recording:
        from gradmidi.measure.store import RowStore

        return RowStore(self.layers, self._columns).recording(self._meta)

    def loss(self, value: Number) -> Number:
        """Give the loss of the coming step and get it back: ``session.loss(loss_fn(…)).backward()``."""
        self.log(loss=value)
        return value

    def log(self, **metrics: Any) -> None:
        """Numbers of the coming step, called before ``optimizer.step()``; ``epoch`` goes on until it is given anew.

        A tensor on CUDA is not waited for. A name that was not declared (see ``metrics`` of :func:`listen`) becomes a
        column where that is possible; otherwise it is dropped, which is said once. In a ``late`` session the numbers
        belong to the step that was just made.
        """
        try:
            self._kept |= {name: float(value) for name, value in metrics.items() if name in STICKY}
            others = {name: value for name, value in metrics.items() if name not in STICKY}
            if self._late is None:
                self.log_coming(**others)
            else:
                late = self._late.setdefault(self._probe.steps - 1, {})
                late |= {name: float(value) for name, value in others.items()}
        except Exception as error:
            _warn(f"gradmidi could not log {', '.join(metrics)}: {error}")

    def log_coming(self, **metrics: Any) -> None:
        """Numbers of the coming step, in a ``late`` session too."""
        try:
            self._probe.note(**metrics)
        except Exception as error:
            _warn(f"gradmidi could not log {', '.join(metrics)}: {error}")

    def attach(self) -> None:
        """Listen again after :meth:`detach`, into the same memory; steps are counted on.

        Raises:
            InputError: the session wrote to a file or played, and has closed that; start another one.
        """
        if self._ended:
            raise InputError("this session has closed its file or port; start another one with listen(...)")
        self._probe.attach()

    def detach(self) -> None:
        """Take every hook away and close file and port; may be called twice."""
        self._end(well=True)

    def _end(self, well: bool) -> None:
        self._probe.detach()
        self._release(everything=True)
        self._ended = self._ended or bool(self._closers)
        while self._closers:
            self._guarded("closing", partial(self._closers.pop(), well))
        if well:  # an exception speaks for itself
            self._say_silence()
        self._say_findings()

    def _say_silence(self) -> None:
        if not self._silence_said and (reason := self._probe.silence()):
            self._silence_said = True
            self._notice(f"no gradient was heard: {reason}")

    def _say_findings(self) -> None:
        problems = self.report.problems
        if self.says_findings and problems and not self._findings_said:
            self._findings_said = True
            _warn(f"gradmidi: {'; '.join(problems)}")

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(well=kind is None)

    def _receive(self, row: StepNorms) -> None:
        self._held.append((row, {**self._kept, **row.metrics}))
        self._release(everything=self._late is None)

    def _release(self, everything: bool) -> None:
        """Hand on the rows whose numbers are all known: in a late session all but the newest step's."""
        while self._held and (everything or self._held[0][0].step < self._probe.steps - 1):
            row, metrics = self._held.pop(0)
            if self._late:
                metrics = {**metrics, **self._late.pop(row.step, {})}
                self._late = {step: numbers for step, numbers in self._late.items() if step > row.step}
            if not metrics.keys() <= self._known:
                self._meet(metrics)
            gaps = None if row.gaps is self._no_gaps else self._gaps_of(row)
            for name, receive in list(self._receivers.items()):
                if not self._guarded(name, receive, row.step, row.norms, metrics, gaps):
                    del self._receivers[name]

    def _gaps_of(self, row: StepNorms) -> NDArray[np.bool_] | None:
        """None without gaps, as outputs are quicker then; most rows share one array, which is looked at once."""
        if row.gaps.any():
            return row.gaps
        self._no_gaps = None if row.gaps.flags.writeable else row.gaps
        return None

    def _meet(self, metrics: Numbers) -> None:
        """Metrics that were not declared: a column each where that is possible, otherwise said once."""
        new = [name for name in metrics if name not in self._known]
        self._known |= frozenset(new)
        lost = [name for name in new if not self._added(name)]
        if lost:
            declared = (*self._columns, *lost)
            self._notice(
                f"{', '.join(lost)}: not recorded, as {self._path} already has steps without that column; "
                f"declare it: metrics={declared!r}"
            )

    def _added(self, metric: str) -> bool:
        try:
            return self._add_metric(metric)
        except OSError:  # a full disk, which the next row will report
            return False

    def _notice(self, text: str) -> None:
        """Say it now, and once more in the report."""
        self._notices.append(text)
        _warn(f"gradmidi: {text}")

    def _guarded(self, name: str, call: Callable[..., object], *args: Any) -> bool:
        try:
            call(*args)
        except Exception as error:
            _warn(f"gradmidi: {name} stopped, the training goes on: {type(error).__name__}: {error}")
            return False
        return True


def _warn(message: str) -> None:
    with suppress(TrainingWarning):
        warnings.warn(message, TrainingWarning, stacklevel=3)
