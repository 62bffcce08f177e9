"""A callback for the Hugging Face Trainer: ``Trainer(…, callbacks=[GradmidiCallback("norms.csv")])``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradmidi.integrations import framework
from gradmidi.integrations.loss_tap import LossTap
from gradmidi.session import Session, listen

_Callback: Any = framework("transformers", install="pip install transformers accelerate").TrainerCallback

METRICS = ("epoch", "loss", "learning_rate")
NEARLY = 1e-6  # an epoch that is a whole number but for rounding


class GradmidiCallback(_Callback):  # type: ignore[misc]
    """Records, and optionally plays, the gradient norms of the Trainer's model.

    Correct under gradient accumulation (one row per optimizer step), clipping and mixed precision, because it listens
    to the optimizer itself. Every step has its epoch, counted from 0, the learning rate of the optimizer's first group,
    and
    the loss that the model returned in this process: the mean over the batches of the step, or their sum where the
    Trainer divided each of them by the total number of tokens. Nothing waits for the device.

    Where the model returns no loss (label smoothing, ``compute_loss_func``, DPO), and with ``torch.compile`` or several
    GPUs in one process, ``loss`` is recorded at the steps at which the Trainer logs it (``logging_steps``; its mean
    since the last time) and is nan elsewhere. A custom ``compute_loss`` may train on a different loss from the one the
    model returned; log that one under another name, with ``session.log_coming(distillation=…)``.

    Args:
        path: the CSV to append to; in memory without it.
        options: as for :func:`gradmidi.listen`. If a run is resumed from a checkpoint, its step count continues.

    Attributes:
        session: the present or last session; its ``recording`` is what was recorded.
    """

    def __init__(self, path: str | Path | None = None, **options: Any) -> None:
        self.session: Session | None = None
        self._options = {"path": path, "metrics": METRICS, **options}
        self._tap: LossTap | None = None
        self._epoch: int | None = None
        self._known: set[str] = set()

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._end()  # what an interrupted train() has left
        options = {"first_step": state.global_step or None, **self._options}
        self.session = listen(given["model"], given["optimizer"], late=True, **options)
        if args.n_gpu <= 1:
            self._tap = LossTap(given["model"])
        self._epoch = None
        self._known = set()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        # The Trainer's own number has a fraction, and of a stream of unknown length it is not even whole here.
        self._epoch = int((state.epoch or 0) + NEARLY) if self._epoch is None else self._epoch + 1
        if self.session is not None:
            self.session.log(epoch=self._epoch)

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if self._tap is not None:
            self._tap.clear()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if self.session is None:
            return
        groups = getattr(given["optimizer"], "param_groups", None) or [{}]
        loss = None if self._tap is None else self._tap.loss()
        found = {"learning_rate": groups[0].get("lr"), "loss": loss}
        numbers = {name: value for name, value in found.items() if value is not None}
        self._known |= numbers.keys()
        self.session.log_coming(**numbers)

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        logs = given.get("logs") or {}
        if self.session is not None:
            missing = [name for name in ("loss", "learning_rate") if name in logs and name not in self._known]
            self.session.log(**{name: logs[name] for name in missing})

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._end()

    def _end(self) -> None:
        if self._tap is not None:
            self._tap.remove()
            self._tap = None
        if self.session is not None:
            self.session.detach()
