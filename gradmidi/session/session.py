"""Session: a training that is listened to, and what happens to its rows."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from gradmidi.errors import InputError
from gradmidi.forking import keep_from_children
from gradmidi.recording.companion import ENDED
from gradmidi.recording.csv_writer import METRICS, RecordingWriter
from gradmidi.recording.existing import check_existing
from gradmidi.recording.findings import Tally
from gradmidi.recording.memory import RowStore
from gradmidi.recording.path import check_recording_path
from gradmidi.recording.recording import Recording
from gradmidi.recording.row import Row, RowSink
from gradmidi.saying import notice, warn
from gradmidi.session.delivery import Delivery, FirstLayers, Numbers, say_stopped
from gradmidi.session.doctor import NAME as DOCTOR
from gradmidi.session.elsewhere import RecordedElsewhere
from gradmidi.session.ending import STOPPED, WELL, how_it_ended, how_the_script_ended, in_spite_of_interrupts
from gradmidi.session.notices import Notices
from gradmidi.session.probe import Probe
from gradmidi.session.report import SessionReport
from gradmidi.session.telling import Stopper, Telling, TellsEvents

if TYPE_CHECKING:
    from gradmidi.events import Event
    from gradmidi.outputs.live import LiveOutput
    from gradmidi.outputs.live.report import LiveReport

STICKY = frozenset({"epoch"})  # continues until another value is given
OWN_PORT = "gradmidi"  # the virtual port that is opened rather than searched for
LIVE, STOP = "live sound", "stopping"

Number = TypeVar("Number")

_alive: WeakSet[Session] = WeakSet()


@atexit.register
def _end_all() -> None:
    """Flush the sessions that a script leaves open; otherwise late rows and those still on a device would be lost."""
    for session in list(_alive):
        session.end(well=False, how=how_the_script_ended())


class Session(TellsEvents):
    """A training that is listened to. Attached when made; leaving it as a context manager detaches.

    An output that fails is dropped with one :class:`TrainingWarning`; the training and the other outputs continue. When
    the session ends, one :class:`TrainingWarning` says what was wrong with the run, if anything was, and another why
    nothing was recorded, if nothing was; :attr:`report` holds the same.

    Args:
        make_probe: from the receiver of rows to the probe, attached.
        path: this and the options down to ``ranks`` are those of :func:`gradmidi.listen`.
        existing: likewise.
        first_step: likewise.
        metrics: likewise.
        meta: likewise.
        late: likewise.
        ranks: likewise.
        play: port, options of live sound and of the composer, as :meth:`play` accepts them; None for no sound.
        tell: called with each line about an earlier recording; a warning of the kind :class:`Notice` by default.

    Attributes:
        layers: names of the L layers.
        live: what plays, with its ``port`` and ``system``; None without live sound.
        telling: finds events in the rows and hands them on.

    Raises:
        InputError: the file at ``path`` cannot be written or appended to; the probe is detached.
        MissingPartError: as :func:`gradmidi.listen`; no file was touched.
    """

    says_findings = True  # at the end, as a warning; a subclass may leave that to someone else
    join_remedy = 'layers="all" takes every layer from the start'

    def __init__(
        self,
        make_probe: Callable[[Callable[[Row], None]], Probe],
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
        self._delivery = Delivery(self._next_step, late)
        self._ended = False  # permanently, as a file or port was closed
        self._over = True  # until everything is set up
        self._closers: list[Callable[[bool], object]] = []  # called with whether the training ended well
        self.live: LiveOutput | None = None
        self._heard: LiveReport | None = None
        self._notices = Notices()
        # Not whether this rank records to a file: where parameters are sharded, all ranks have to measure the same.
        self._fixed = path is not None
        self._path = None if path is None else path_here(Path(path), ranks)
        self._elsewhere = not records_here(ranks)
        self._left_to_rank_0 = Path(path).absolute() if path is not None and self._elsewhere else None
        self._first = 0
        self._probe = make_probe(self._delivery.receive)
        self._probe.on_join = self._joined
        self.layers: tuple[str, ...] = self._probe.layers
        self._meta = {key: str(value) for key, value in (meta or {}).items()}
        if ranks == "each":
            self._meta["rank"] = str(launched_rank())
        self._columns = tuple(dict.fromkeys([*metrics, *self._probe.metrics]))
        self._delivery.known, self._delivery.on_new = frozenset(self._columns), self._meet
        self._tally = Tally(self.layers)
        self.telling = Telling(self.layers)
        self.telling.add_last = self._add_last
        keep_from_children(self)
        _alive.add(self)
        try:
            check_existing(existing)
            if play is not None:  # before any file is touched, as the port may be missing
                self.play(*play)
            self._record(existing, tell or notice)
            self._count_from(first_step)
            self._over = False
        except BaseException:
            in_spite_of_interrupts(self._probe.detach, partial(self._close, well=False))
            raise

    def _record(self, existing: str, tell: Callable[[str], object]) -> None:
        if self._left_to_rank_0 is not None:
            self._end_as_on_rank_0(self._left_to_rank_0)
        self._store: RowStore | RecordingWriter
        self._name = "recording" if self._path is None else f"recording to {self._path}"
        if self._path is None:
            self._store = RowStore(self.layers, self._columns)
        else:
            self._store = writer = RecordingWriter(
                self._path, self.layers, self._columns, self._meta, existing, partial(self.end, well=False, how=STOPPED)
            )
            self._closers.append(lambda _: writer.close())
            events = self.telling.write_beside(writer, existing)
            if events is not None:
                self._closers.append(lambda _: events.close())
            for line in (*writer.notices, *(events.notices if events is not None else ())):
                tell(line)
        self._delivery.stored = self._store.holds
        # The doctor comes before live sound, which says with a row what was found in it.
        own = {self._name: self._store, "report": self._tally, DOCTOR: self.telling.doctor}
        self._delivery.sinks = {**own, **self._delivery.sinks}

    def _add(self, name: str, sink: RowSink) -> None:
        sinks = self._delivery.sinks
        last = sinks.pop(STOP, None)
        sinks[name] = sink
        if last is not None:
            sinks[STOP] = last

    def _add_last(self, sink: Stopper) -> None:
        self._delivery.sinks[STOP] = sink

    def _end_as_on_rank_0(self, path: Path) -> None:
        """End an earlier session on the same path, as its writer does on rank 0, which reads together with this one."""
        for session in list(_alive):
            if session is not self and session._left_to_rank_0 == path:
                session.end(well=False, how=STOPPED)

    def _count_from(self, first_step: int | None) -> None:
        if first_step is None:
            first_step = getattr(self._store, "next_step", None)
        if first_step:
            self._first = first_step
            self._probe.count_from(first_step)

    def add(self, sink: RowSink, name: str | None = None) -> RowSink:
        """Hand every row from now on to another sink as well.

        Args:
            sink: has ``append(row)`` and, optionally, ``close(well)``, called at the end; see
                :class:`gradmidi.recording.row.RowSink`.
            name: its name in a warning if it fails; its class by default.

        Returns:
            The sink.
        """
        called = name or type(sink).__name__
        while called in self._delivery.sinks:
            called += "'"
        self._add(called, sink)
        if callable(close := getattr(sink, "close", None)):
            self._closers.append(close)
        return sink

    def play(self, port: str, live_options: Mapping[str, Any], composer_options: Mapping[str, Any]) -> None:
        """From now on, play every step on a MIDI port, on rank 0; the options are those of :func:`gradmidi.listen`."""
        from gradmidi.composition.composer import Composer
        from gradmidi.measure.distributed import sounds_here
        from gradmidi.outputs.live import LiveOutput

        composer = Composer(self.layers, **composer_options)
        if not sounds_here():
            return
        self.live = output = LiveOutput(composer, None if port == OWN_PORT else port, told=True, **live_options)
        self._add(LIVE, output)
        self.telling.receivers.append((LIVE, output.hear))
        self.telling.doctor.every = output.patience

        def close(well: bool) -> None:
            self._heard = output.close(drain=well)  # which lets the last steps be heard if all went well

        self._closers.append(close)

    @property
    def report(self) -> SessionReport:
        """Steps so far, what was wrong with them, and, once the session has ended, how the live performance went."""
        self._arrive()
        findings, events = self._tally.findings(), self.telling.so_far()
        notices = (*self._notices.texts, *self.telling.notices())
        return SessionReport(self._tally.steps, self.layers, findings, notices, self._heard, events)

    @property
    def events(self) -> tuple[Event, ...]:
        """What was found in the rows so far, in order; of more than 1,000 events the first, and those of the end."""
        self._arrive()
        return self.telling.so_far()

    @property
    def recording(self) -> Recording:
        """What was recorded so far, with 0 steps if nothing was; with ``path`` it is read from there.

        On a rank that does not record it has no steps, and its ``save`` leaves the file to rank 0.

        Raises:
            InputError: the file at ``path`` has gone.
        """
        self._arrive()
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
            return RowStore(self.layers, self._columns).recording(self._meta)

    @property
    def failure(self) -> str:
        """Why the recording has stopped, such as a full disk; empty while it has not."""
        error = self._delivery.failed.get(self._name)
        return "" if error is None else getattr(error, "strerror", None) or str(error)

    def loss(self, value: Number) -> Number:
        """Log the loss of the coming step and return it: ``session.loss(loss_fn(…)).backward()``."""
        self.log(loss=value)
        return value

    def log(self, **metrics: Any) -> None:
        """Numbers of the coming step, called before ``optimizer.step()``; ``epoch`` is kept until it is given again.

        A CUDA tensor causes no synchronisation. A name that was not declared (see ``metrics`` of
        :func:`gradmidi.listen`) becomes a column if possible; otherwise it is dropped, with one notice. In a ``late``
        session the numbers belong to the step that was just made.
        """
        if self._elsewhere:
            return  # there will be no rows for the numbers to go with
        try:
            self._delivery.keep({name: float(value) for name, value in metrics.items() if name in STICKY})
            others = {name: value for name, value in metrics.items() if name not in STICKY}
            if self._delivery.is_late:
                self._delivery.note_late({name: float(value) for name, value in others.items()})
            else:
                self.log_coming(**others)
        except Exception as error:
            warn(f"gradmidi could not log {', '.join(metrics)}: {error}")

    def log_coming(self, **metrics: Any) -> None:
        """Numbers of the coming step, in a ``late`` session too."""
        try:
            self._probe.note(**metrics)
        except Exception as error:
            warn(f"gradmidi could not log {', '.join(metrics)}: {error}")

    def attach(self) -> None:
        """Listen again after :meth:`detach`, into the same memory; the step count continues.

        Raises:
            InputError: the session wrote to a file or played, and has closed it; start another one.
        """
        if self._ended:
            raise InputError("this session has closed its file or port; start another one with listen(...)")
        self._over = False
        self._probe.attach()

    def detach(self) -> None:
        """Remove every hook and close file and port; may be called twice."""
        self.end(well=True)

    def leave_to_parent(self) -> None:
        """See :class:`gradmidi.forking.Inherited`."""
        self._delivery.forget()
        self.telling.forget()
        self._closers.clear()
        self._over = True
        self._notices.said = {"findings", "silence", "missed"}

    def end(self, well: bool, how: str = WELL) -> None:
        """:meth:`detach`, and say what was wrong; live sound is played to its end only if training ended ``well``.

        Args:
            well: whether to wait for live sound, and to say why nothing was recorded.
            how: what the last event says of it: ``"well"``, ``"stopped"`` or ``"failed"``.
        """
        # A second Ctrl-C, or the first at the very end, must not cost the last rows.
        release, close = partial(self._delivery.release, everything=True), partial(self._close, well)
        in_spite_of_interrupts(self._probe.detach, release, partial(self.telling.finish, how), close)
        self._meta[ENDED] = how
        self._over = True
        if well:  # an exception speaks for itself
            self._notices.once(
                "silence", self._probe.silence, lambda why: self._notices.say(f"no gradient was recorded: {why}")
            )
            self._notices.once("missed", self._probe.missed, lambda names: self._say_join(names, "not recorded"))
        if self.says_findings:
            problems = self.report.problems
            self._notices.once("findings", lambda: problems, lambda lines: warn(f"gradmidi: {'; '.join(lines)}"))

    def __del__(self) -> None:
        # A training that is dropped with its session: deliver a late row, or those on their way from a device.
        if not getattr(self, "_over", True):
            self.end(well=False)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(well=kind is None, how=how_it_ended(kind))

    def _next_step(self) -> int:
        return self._first + self._probe.steps

    def _arrive(self) -> None:
        """Have every row delivered that is on its way."""
        self._probe.flush()
        self._delivery.release(everything=True)

    def _close(self, well: bool) -> None:
        self._ended = self._ended or bool(self._closers)
        while self._closers:
            close = self._closers.pop()
            try:
                close(well)
            except Exception as error:
                say_stopped("closing", error)

    def _joined(self, names: Sequence[str]) -> bool:
        """Add layers that join the training as columns in memory; a file and live sound keep the initial layers."""
        if self._fixed or isinstance(self._store, RecordingWriter):
            self._say_join(names, f"not recorded, as {self._path} keeps its columns")
            return False
        before = len(self.layers)
        self._store.add_layers(names)
        self._tally.add_layers(names)
        self.telling.add_layers(names)
        self.layers = (*self.layers, *names)
        self._delivery.widen(len(self.layers))
        if played := self._delivery.sinks.get(LIVE):
            self._delivery.sinks[LIVE] = FirstLayers(played, before)
            self._say_join(names, "recorded from now on, but not played")
        return True

    def _say_join(self, names: Sequence[str], fate: str) -> None:
        from gradmidi.measure.joining import joined

        if not self._elsewhere:
            self._notices.say(f"{joined(names)} while training and {fate}; {self.join_remedy}")

    def _meet(self, metrics: Numbers) -> frozenset[str]:
        """Add undeclared metrics as columns if possible, otherwise say so once."""
        new = [name for name in metrics if name not in self._delivery.known]
        lost = [name for name in new if not self._added(name)]
        if lost:
            declare = f"declare it: metrics={(*self._columns, *lost)!r}"
            self._notices.say(f"{', '.join(lost)}: not recorded, as {self._path} already has steps without; {declare}")
        return self._delivery.known | frozenset(new)

    def _added(self, metric: str) -> bool:
        try:
            return self._store.add_metric(metric)
        except OSError:  # a full disk, which the next row will report
            return False
