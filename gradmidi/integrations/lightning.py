"""A Lightning callback: ``Trainer(callbacks=[GradmidiCallback("norms.csv")])``. Needs ``pip install lightning``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from gradmidi.integrations import framework
from gradmidi.session import Session, listen

_Callback: Any = framework("lightning.pytorch", "pytorch_lightning", install="pip install lightning").Callback


class GradmidiCallback(_Callback):  # type: ignore[misc]
    """Records, and optionally plays, the gradient norms of a ``LightningModule`` while it is fitted.

    Correct under gradient accumulation (one row per optimizer step), clipping, mixed precision and manual optimisation,
    because it listens to the optimizers themselves. ``loss`` is that of the step's last batch.

    Args:
        path: the CSV to append to; in memory without it.
        options: as for :func:`gradmidi.listen`. If a run is resumed from a checkpoint, its step count continues.

    Attributes:
        session: the present or last session; its ``recording`` is what was recorded.
    """

    def __init__(self, path: str | Path | None = None, **options: Any) -> None:
        super().__init__()
        self.session: Session | None = None
        self._options = {"path": path, **options}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._end()  # what a fit that ended in no usual way has left
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        # Lightning counts every optimizer's steps, a row stands for one of each.
        made = trainer.global_step // max(len(trainer.optimizers), 1)
        options = {"scaler": scaler, "first_step": made or None, **self._options}
        self.session = listen(pl_module, trainer.optimizers, **options)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if self.session is not None:
            self.session.log(epoch=trainer.current_epoch)

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        if self.session is not None:
            # Lightning has divided the loss by the number of accumulated batches, and mixed precision has scaled it.
            scale = getattr(getattr(trainer.precision_plugin, "scaler", None), "_scale", None)
            loss = loss.detach() * trainer.accumulate_grad_batches
            self.session.loss(loss if scale is None else loss / scale)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._end()

    def _end(self) -> None:
        if self.session is not None:
            self.session.detach()
