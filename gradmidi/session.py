"""listen: attach to any training loop in one line, and keep or play what is measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gradmidi.errors import InputError, TrainingWarning
from gradmidi.recording import Recording
from gradmidi.recording_csv import RecordingWriter

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from gradmidi.measure.probe import StepNorms

METRICS = ("epoch", "loss")
STICKY = frozenset({"epoch"})  # goes on until another value is given

Receiver = Callable[["StepNorms", Mapping[str, float]], None]
Number = TypeVar("Number")


def listen(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    *,
    path: str | Path | None = None,
    live: str | None = None,
    scale: Any = "A minor pentatonic",
    mapping: Any = "log",
    metrics: Sequence[str] = METRICS,
    meta: Mapping[str, object] | None = None,
    live_options: Mapping[str, Any] | None = None,
    **probe_options: Any,
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
            the rows are kept in memory.
        live: name of a MIDI port to play on while training.
        scale: what live notes are quantised to: a scale, its text form, or None.
        mapping: from norms to live pitch; see :func:`gradmidi.compose`.
        metrics: columns beside the layers, filled by :meth:`Session.log`.
        meta: text by key, kept with the recording.
        live_options: further options of the live output, such as ``{"pace": "wait"}``.
        probe_options: ``layers``, ``parameters``, ``quantities``, ``when``, ``every``, ``scaler``; see
            :class:`gradmidi.measure.probe.GradientProbe`.

    Cost: that of the probe; with ``path`` one small write a step (about 10 µs and 0.3 µs a layer).

    Raises:
        InputError: an argument that cannot be used; nothing is attached then.
        MissingPartError: torch, or what live sound needs, is not installed.
    """
    session = Session(model, optimizer, metrics=metrics, path=path, meta=meta, probe_options=probe_options)
    if live is not None:
        try:
            session.play(live, scale=scale, mapping=mapping, **(live_options or {}))
        except BaseException:
            session.detach()
            raise
    return session


class Session:
    """A training that is listened to. Attached when made; leaving it as a context manager detaches.

    An output that fails is dropped with one :class:`TrainingWarning`; the training and the other outputs go on.

    Attributes:
        layers: names of the L layers.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer],
        *,
        metrics: Sequence[str],
        path: str | Path | None,
        meta: Mapping[str, object] | None,
        probe_options: Mapping[str, Any],
    ) -> None:
        from gradmidi.measure.probe import GradientProbe
        from gradmidi.measure.store import RowStore

        self._probe = GradientProbe(model, optimizer, self._receive, **probe_options)
        self.layers: tuple[str, ...] = self._probe.layers
        self._meta = {"model": type(model).__name__} | {key: str(value) for key, value in (meta or {}).items()}
        self._columns = tuple(dict.fromkeys([*metrics, *self._probe.metrics]))
        self._kept: dict[str, Any] = {}
        self._ended = False
        self._closers: list[Callable[[], object]] = []
        self._receivers: dict[str, Receiver] = {}
        self._path = None if path is None else Path(path)
        try:
            if self._path is not None:
                writer = RecordingWriter(self._path, self.layers, self._columns, self._meta)
                self._closers.append(writer.close)
                self._receivers[f"recording to {self._path}"] = _appending(writer)
            else:
                self._store = RowStore(self.layers, self._columns)
                self._receivers["recording"] = _appending(self._store)
        except InputError:
            self._probe.detach()
            raise

    def play(self, port: str, *, scale: Any, mapping: Any, **options: Any) -> None:
        """Play every step from now on on a MIDI port."""
        from gradmidi.compose.composer import Composer
        from gradmidi.outputs.live import LiveOutput

        composer = Composer(self.layers, scale=scale, mapping=mapping)
        output = LiveOutput(composer, port, **options)
        self._closers.append(output.close)
        self._receivers["live sound"] = lambda row, metrics: output.feed(self._as_recording(row, metrics))

    @property
    def recording(self) -> Recording:
        """What was recorded so far; with ``path`` it is read from there.

        Raises:
            InputError: the file at ``path`` holds no step yet, or has gone.
        """
        self._probe.flush()
        if self._path is not None:
            return Recording.load(self._path)
        return self._store.recording(self._meta)

    def loss(self, value: Number) -> Number:
        """Give the loss of the coming step and get it back: ``session.loss(loss_fn(…)).backward()``."""
        self.log(loss=value)
        return value

    def log(self, **metrics: Any) -> None:
        """Numbers of the coming step, called before ``optimizer.step()``; ``epoch`` goes on until it is given anew.

        A tensor on CUDA is not waited for. A name that is no column (see ``metrics`` of :func:`listen`) is dropped.
        """
        try:
            self._kept |= {name: float(value) for name, value in metrics.items() if name in STICKY}
            self._probe.note(**{name: value for name, value in metrics.items() if name not in STICKY})
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
        self._probe.detach()
        self._ended = self._ended or bool(self._closers)
        while self._closers:
            self._guarded("closing", self._closers.pop())

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()

    def _receive(self, row: StepNorms) -> None:
        metrics = {**self._kept, **row.metrics}
        failed = [name for name, to in self._receivers.items() if not self._guarded(name, to, row, metrics)]
        for name in failed:
            del self._receivers[name]

    def _guarded(self, name: str, call: Callable[..., object], *args: Any) -> bool:
        try:
            call(*args)
        except Exception as error:
            _warn(f"gradmidi: {name} stopped, the training goes on: {type(error).__name__}: {error}")
            return False
        return True

    def _as_recording(self, row: StepNorms, metrics: Mapping[str, float]) -> Recording:
        numbers = {name: np.array([metrics.get(name, np.nan)]) for name in self._columns}
        return Recording(
            self.layers, np.array([row.step]), row.norms[None].astype(float), numbers, self._meta, row.gaps[None]
        )


def _appending(store: Any) -> Receiver:
    """A receiver for a RowStore or a RecordingWriter, which take a row alike."""
    return lambda row, metrics: store.append(row.step, row.norms, metrics, row.gaps)


def _warn(message: str) -> None:
    with suppress(TrainingWarning):
        warnings.warn(message, TrainingWarning, stacklevel=3)
