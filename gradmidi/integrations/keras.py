"""A Keras 3 callback, on the torch backend: ``model.fit(…, callbacks=[GradmidiCallback("norms.csv")])``.

Keras does not use torch's optimizers, so there is no step to hook into; the gradients are read when a batch has ended,
which is before the next one clears them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradmidi.errors import InputError
from gradmidi.forking import keep_from_children
from gradmidi.integrations import framework
from gradmidi.measure.layers import Layer, chosen
from gradmidi.measure.meter import Meter, say_once_and_stop
from gradmidi.measure.reading import LocalReader, Reader, Reading
from gradmidi.measure.row import RowMaker, StepNorms
from gradmidi.recording.csv_writer import METRICS
from gradmidi.saying import warn
from gradmidi.session import Session

keras = framework("keras", install="pip install keras")
_Callback: Any = keras.callbacks.Callback

BIASES = ("bias", "beta")


class GradmidiCallback(_Callback):  # type: ignore[misc]
    """Records, and optionally plays, the norms of the gradients of each layer's weights.

    Norms are before Keras's clipping (``clipnorm`` …), which works on copies. ``loss`` is the running mean of the epoch
    that Keras reports. With ``steps_per_execution`` above 1 the last batch of each execution is measured. Gradient
    accumulation inside Keras cannot be measured and is declined with a warning.

    Args:
        path: the CSV to append to; in memory without it.
        layers: ``"auto"``, or names or globs of layers, such as ``"dense*"``.
        metrics: columns besides the layers, out of ``epoch`` and Keras's logs.
        existing, live, live_options, composer_options: as for :func:`gradmidi.listen`. The step count continues from
            the optimizer's.

    Attributes:
        session: the present or last session; its ``recording`` is what was recorded.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        layers: str | Sequence[str] = "auto",
        metrics: Sequence[str] = METRICS,
        existing: str = "keep",
        live: str | None = None,
        live_options: Mapping[str, Any] | None = None,
        **composer_options: Any,
    ) -> None:
        super().__init__()
        if keras.backend.backend() != "torch":
            raise InputError(f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=torch")
        self.session: Session | None = None
        self._probe: _KerasProbe | None = None
        self._file: dict[str, Any] = {"path": path, "metrics": metrics, "existing": existing}
        self._layers = layers
        self._play = None if live is None else (live, live_options or {}, composer_options)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self.on_train_end()  # of a fit that was interrupted, which Keras does not tell
        self.session = self._probe = None
        if self.model.optimizer.gradient_accumulation_steps:
            warn("gradmidi cannot measure this training, which continues without it: Keras hides accumulated gradients")
            return
        made = int(self.model.optimizer.iterations) // self.model.steps_per_execution
        meta = {"model": self.model.name}
        self.session = Session(self._make_probe, meta=meta, play=self._play, first_step=made or None, **self._file)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if self.session is not None:
            self.session.log(epoch=epoch)

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if self._probe is not None:
            self._probe.remember_scale(self.model.optimizer)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if self.session is not None and self._probe is not None:
            self.session.log(**(logs or {}))
            self._probe.measure()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        if self.session is not None:
            self.session.detach()

    def _make_probe(self, on_step: Callable[[StepNorms], None]) -> _KerasProbe:
        self._probe = _KerasProbe(self.model, self._layers, on_step)
        return self._probe


class _KerasProbe:
    """A probe that is told when to measure; its one source reads the values behind Keras variables."""

    def __init__(self, model: Any, layers: str | Sequence[str], on_step: Callable[[StepNorms], None]) -> None:
        found = chosen(_owners(model), layers)
        maker = RowMaker(found, ["grad_norm"])
        self.layers = tuple(layer.name for layer in found)
        self.metrics: tuple[str, ...] = ()
        self.on_join: Callable[[Sequence[str]], bool] | None = None
        self.positions: Sequence[int] = range(sum(len(layer.parameters) for layer in found))
        self.reader: Reader = LocalReader([parameter for layer in found for parameter in layer.parameters], maker.terms)
        self._first = 0
        self._meter = Meter([self], maker, on_step)
        self._scale: Any = None
        self._off = False
        keep_from_children(self)

    def leave_to_parent(self) -> None:
        """See :class:`gradmidi.forking.Inherited`."""
        self._off = True

    @property
    def steps(self) -> int:
        return self._meter.steps - self._first

    def count_from(self, step: int) -> None:
        self._first = self._meter.steps = step

    def read(self, notes: Mapping[str, Any]) -> Reading:
        scale = {} if self._scale is None else {"grad_scale": self._scale}
        return self.reader.read({**notes, **scale})

    def complete(self, reading: Reading, notes: Mapping[str, Any]) -> Reading:
        return self.reader.copies.add(reading, notes)

    def remember_scale(self, optimizer: Any) -> None:
        """The factor on the coming batch's loss; the optimizer may change it when it steps."""
        scale = getattr(optimizer, "dynamic_scale", None)
        self._scale = optimizer.loss_scale_factor if scale is None else scale.value.detach().clone()

    def measure(self) -> None:
        if not self._off:
            try:
                self._meter.measure(0)
            except Exception as error:
                self._off = True
                say_once_and_stop(error)

    def note(self, **values: Any) -> None:
        self._meter.note(values)

    def flush(self) -> None:
        self._meter.flush()

    def attach(self) -> None:
        self._off = False

    def detach(self) -> None:
        self.flush()

    def missed(self) -> Sequence[str]:
        return ()  # what is unfrozen is trained from the next compile() on, and so heard by the next session

    def silence(self) -> str | None:
        if self._off or self._meter.heard:
            return None
        return "Keras left no gradient on its variables" if self.steps else "no batch was trained while it listened"


def _owners(model: Any) -> list[Layer]:
    """Layers by the path of their variables: ``model/block/dense/kernel`` belongs to ``block.dense``."""
    found: dict[str, list[Any]] = {}
    for variable in model.trainable_variables:
        if variable.name not in BIASES:
            path = variable.path.removeprefix(f"{model.name}/").rpartition("/")[0]
            found.setdefault(path.replace("/", ".") or variable.name, []).append(variable.value)
    return [Layer(name, tuple(values)) for name, values in found.items()]
