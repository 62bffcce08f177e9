"""listen: attach to any training loop in one line, and keep or play what is measured."""

from __future__ import annotations

import atexit
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from inspect import signature
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError, Notice, TrainingWarning
from gradmidi.forking import keep_from_children
from gradmidi.recording import Recording
from gradmidi.recording.csv_writer import METRICS, RecordingWriter
from gradmidi.recording.elsewhere import RecordedElsewhere
from gradmidi.recording.existing import check_existing
from gradmidi.recording.findings import Tally
from gradmidi.recording.path import check_recording_path
from gradmidi.session.report import SessionReport

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
    existing: str = "keep",
    first_step: int | None = None,
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
        path: a CSV that every step is written to at once, so that a killed run keeps what it has; memory then stays
            flat. Without it the rows are kept in memory, 9 bytes a layer and step.
        existing: what happens to an earlier recording at ``path``. ``"keep"`` renames it to ``norms.1.csv``, or the
            next free number, so that ``path`` is always the newest run; ``"append"`` continues it, with the same layers
            and metrics; ``"replace"`` drops it. A file without a step is replaced in every case.
        first_step: number of the first step. If not given, 0, or the one after the last step of a file that is
            continued.
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
        InputError: an argument that cannot be used, a file that another process records to, or one with other columns
            that was to be continued; nothing is attached then.
        MissingPartError: what live sound needs is not installed.
    """
    from gradmidi.measure.probe import GradientProbe

    probing = {**(probe_options or {})}
    probing |= {name: composer_options.pop(name) for name in PROBE_OPTIONS & composer_options.keys()}
    _check_names(composer_options)
    return Session(
        lambda on_step: _checked(GradientProbe(model, optimizer, on_step, ranks=ranks, **probing), composer_options),
        path=path,
        existing=existing,
        first_step=first_step,
        metrics=metrics,
        meta={"model": type(model).__name__, **(meta or {})},
        late=late,
        ranks=ranks,
        play=None if live is None else (live, live_options or {}, composer_options),
    )


PROBE_OPTIONS = frozenset({"layers", "parameters", "quantities", "when", "every", "scaler"})


def _check_names(composer_options: Mapping[str, Any]) -> None:
    """A mistyped option is an error without live sound too, where nothing would miss it."""
    from gradmidi.composition.composer import Composer

    known = [name for name in signature(Composer).parameters if name != "layers"]
    for name in composer_options:
        if name not in known:
            raise InputError(f"listen() has no option {name!r}; beside its own it takes {', '.join(known)}")


_alive: WeakSet[Session] = WeakSet()


@atexit.register
def _end_all() -> None:
    """A script that ends without ending its sessions would lose a late row, and those on their way from a device."""
    for session in list(_alive):
        session.end(well=False)


class Probe(Protocol):
    """What a session listens to; see :class:`gradmidi.measure.probe.GradientProbe`."""

    layers: tuple[str, ...]
    metrics: tuple[str, ...]
    on_join: Callable[[Sequence[str]], bool] | None

    @property
    def steps(self) -> int: ...
    def count_from(self, step: int) -> None: ...
    def note(self, **values: Any) -> None: ...
    def attach(self) -> None: ...
    def flush(self) -> None: ...
    def detach(self) -> None: ...
    def missed(self) -> Sequence[str]: ...
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
        path, existing, first_step, metrics, meta, late, ranks: see :func:`listen`.
        play: port, options of live sound and of the composer, as :meth:`play` takes them; None for no sound.
        tell: called with each line about an earlier recording; a warning of the kind :class:`Notice` by default.

    Attributes:
        layers: names of the L layers.

    Raises:
        InputError: the file at ``path`` cannot be written or appended to; the probe is detached.
        MissingPartError: as :func:`listen`; no file was touched.
    """

    says_findings = True  # at the end, as a warning; a subclass may leave that to someone else
    join_remedy = 'layers="all" takes every layer from the start'

    def __init__(
        self,
        make_probe: Callable[[Callable[[StepNorms], None]], Probe],
        *,
        path: str | Path | None = None,
        existing: str = "keep",
        first_step: int | None = None,
        metrics: Sequence[str] = METRICS,
        meta: Mapping[str, object] | None = None,
        late: bool = False,
        ranks: str = "first",
        play: tuple[str, Mapping[str, Any], Mapping[str, Any]] | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        from gradmidi.measure.distributed import launched_rank, path_here, records_here

        if path is not None:
            check_recording_path(Path(path))
        self._held: list[tuple[StepNorms, Numbers]] = []
        self._late: dict[int, dict[str, float]] | None = {} if late else None
        self._kept: list[tuple[int, dict[str, float]]] = [(0, {})]  # sticky numbers, and from which step on
        self._ended = False
        self._closers: list[Callable[[bool], object]] = []  # told whether the training ended well
        self._receivers: dict[str, Receiver] = {}
        self._live: LiveReport | None = None
        self._notices: list[str] = []
        self._findings_said = False
        self._silence_said = self._missed_said = False
        self._no_gaps: NDArray[np.bool_] | None = None
        # Not whether this rank records to a file: where parameters are sharded, all ranks have to measure the same.
        self._fixed = path is not None
        self._path = None if path is None else path_here(Path(path), ranks)
        self._elsewhere = not records_here(ranks)
        self._left_to_rank_0 = Path(path).absolute() if path is not None and self._elsewhere else None
        self._probe = make_probe(self._receive)
        self._probe.on_join = self._joined
        self.layers: tuple[str, ...] = self._probe.layers
        self._meta = {key: str(value) for key, value in (meta or {}).items()}
        if ranks == "each":
            self._meta["rank"] = str(launched_rank())
        self._columns = tuple(dict.fromkeys([*metrics, *self._probe.metrics]))
        self._known = frozenset(self._columns)
        self._tally = Tally(self.layers)
        self._begun: int | None = None  # the step that was handed on last, perhaps not to everyone
        self._first = 0
        keep_from_children(self)
        _alive.add(self)
        try:
            check_existing(existing)
            if play is not None:  # before any file is touched, as a port may well be missing
                self.play(*play)
            self._record(existing, tell or _tell)
            self._count_from(first_step)
        except BaseException:
            _in_spite_of_interrupts(self._probe.detach, partial(self._close, well=False))
            raise

    def _record(self, existing: str, tell: Callable[[str], object]) -> None:
        from gradmidi.recording.memory import RowStore

        if self._left_to_rank_0 is not None:
            self._end_as_on_rank_0(self._left_to_rank_0)
        self._store: RowStore | RecordingWriter
        name = "recording" if self._path is None else f"recording to {self._path}"
        if self._path is None:
            self._store = RowStore(self.layers, self._columns)
        else:
            self._store = writer = RecordingWriter(
                self._path, self.layers, self._columns, self._meta, existing, partial(self.end, well=False)
            )
            self._closers.append(lambda _: writer.close())
            for notice in writer.notices:
                tell(notice)
        self._add_metric = self._store.add_metric
        self._receivers = {name: self._store.append, "report": self._tally.append, **self._receivers}

    def _end_as_on_rank_0(self, path: Path) -> None:
        """End an earlier session on the same path, as its writer does on rank 0, which reads together with this one."""
        for session in list(_alive):
            if session is not self and session._left_to_rank_0 == path:
                session.end(well=False)

    def _count_from(self, first_step: int | None) -> None:
        if first_step is None:
            first_step = getattr(self._store, "next_step", None)
        if first_step:
            self._first = first_step
            self._probe.count_from(first_step)

    def play(self, port: str, live_options: Mapping[str, Any], composer_options: Mapping[str, Any]) -> None:
        """Play every step from now on on a MIDI port, on rank 0; the options are those of :func:`listen`."""
        from gradmidi.composition.composer import Composer
        from gradmidi.measure.distributed import sounds_here
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
        if not isinstance(self._store, RecordingWriter):
            return self._store.recording(self._meta)
        path = self._store.path
        try:
            return Recording.load(path)
        except InputError:
            if self.report.steps or not path.exists():
                raise
            return self._nothing()

    def _nothing(self) -> Recording:
        from gradmidi.recording.memory import RowStore

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
        if self._elsewhere:
            return  # its rows never come to take the numbers along
        try:
            self._keep({name: float(value) for name, value in metrics.items() if name in STICKY})
            others = {name: value for name, value in metrics.items() if name not in STICKY}
            if self._late is None:
                self.log_coming(**others)
            else:
                late = self._late.setdefault(self._next_step - 1, {})
                late |= {name: float(value) for name, value in others.items()}
        except Exception as error:
            _warn(f"gradmidi could not log {', '.join(metrics)}: {error}")

    def _keep(self, sticky: dict[str, float]) -> None:
        # By step, because on CUDA the rows of the steps before may still be on their way.
        kept = self._kept[-1][1]
        if sticky.items() - kept.items():
            self._kept.append((self._next_step, kept | sticky))

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
        self.end(well=True)

    def leave_to_parent(self) -> None:
        """See :class:`gradmidi.forking.Inherited`."""
        for shared in (self._held, self._receivers, self._closers):
            shared.clear()
        self._findings_said = self._silence_said = self._missed_said = True

    def end(self, well: bool) -> None:
        """:meth:`detach`, and say what was wrong; live sound is not heard to its end unless it ends ``well``."""
        # A second Ctrl-C, or the first at the very end, must not cost the last rows.
        release, close = partial(self._release, everything=True), partial(self._close, well)
        _in_spite_of_interrupts(self._probe.detach, release, close)
        if well:  # an exception speaks for itself
            self._say_silence()
            self._say_missed()
        self._say_findings()

    def _close(self, well: bool) -> None:
        self._ended = self._ended or bool(self._closers)
        while self._closers:
            self._guarded("closing", partial(self._closers.pop(), well))

    def _joined(self, names: Sequence[str]) -> bool:
        """Layers join the training: a column each in memory; a file and live sound have only those of the beginning."""
        if self._fixed or isinstance(self._store, RecordingWriter):
            self._say_join(names, f"not recorded, as {self._path} keeps its columns")
            return False
        from gradmidi.measure.row import widened

        before = len(self.layers)
        self._store.add_layers(names)
        self._tally.add_layers(names)
        self.layers = (*self.layers, *names)
        self._held[:] = [(widened(row, len(self.layers)), metrics) for row, metrics in self._held]
        if played := self._receivers.get("live sound"):
            self._receivers["live sound"] = _first_layers(played, before)
            self._say_join(names, "recorded from now on, but not played")
        return True

    def _say_missed(self) -> None:
        if not self._missed_said and (names := self._probe.missed()):
            self._missed_said = True
            self._say_join(names, "not recorded")

    def _say_join(self, names: Sequence[str], fate: str) -> None:
        from gradmidi.measure.joining import joined

        if not self._elsewhere:
            self._notice(f"{joined(names)} while training and {fate}; {self.join_remedy}")

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
        self.end(well=kind is None)

    def _receive(self, row: StepNorms) -> None:
        while len(self._kept) > 1 and self._kept[1][0] <= row.step:
            del self._kept[0]
        self._held.append((row, {**self._kept[0][1], **row.metrics}))
        self._release(everything=self._late is None)

    @property
    def _next_step(self) -> int:
        return self._first + self._probe.steps

    def _release(self, everything: bool) -> None:
        """Hand on the rows whose numbers are all known: in a late session all but the newest step's.

        A row leaves ``_held`` only when everyone has it, so that Ctrl-C in between does not lose it.
        """
        while self._held and (everything or self._held[0][0].step < self._next_step - 1):
            row, metrics = self._held[0]
            if self._late:
                metrics = {**metrics, **self._late.get(row.step, {})}
                self._late = {step: numbers for step, numbers in self._late.items() if step >= row.step}
            if not metrics.keys() <= self._known:
                self._meet(metrics)
            interrupted = row.step == self._begun
            self._begun = row.step
            if not (interrupted and self._store.holds(row.step)):
                self._hand_on(row, metrics)
            del self._held[0]

    def _hand_on(self, row: StepNorms, metrics: Numbers) -> None:
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


def _in_spite_of_interrupts(*calls: Callable[[], object]) -> None:
    """Make all the calls, of which each may be made twice; a Ctrl-C that comes meanwhile is raised afterwards."""
    interrupt = None
    for call in calls:
        try:
            call()
        except KeyboardInterrupt as error:
            interrupt = error
            call()
    if interrupt is not None:
        raise interrupt


def _tell(message: str) -> None:
    with suppress(Notice):  # someone has turned warnings into errors
        warnings.warn(message, Notice, stacklevel=5)


def _first_layers(receive: Receiver, count: int) -> Receiver:
    """The receiver, of which the layers after the first ``count`` are kept."""

    def receive_some(
        step: int, norms: NDArray[np.floating], metrics: Numbers, gaps: NDArray[np.bool_] | None
    ) -> object:
        return receive(step, norms[:count], metrics, None if gaps is None else gaps[:count])

    return receive_some


def _warn(message: str) -> None:
    with suppress(TrainingWarning):
        warnings.warn(message, TrainingWarning, stacklevel=3)
