"""A callback for the Hugging Face Trainer: ``Trainer(…, callbacks=[GradmidiCallback("norms.csv")])``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradmidi.measure.callbacks import framework
from gradmidi.session import Session, listen

_Callback: Any = framework("transformers", install="pip install transformers accelerate").TrainerCallback

METRICS = ("epoch", "loss", "learning_rate")


class GradmidiCallback(_Callback):  # type: ignore[misc]
    """Records, and if wanted plays, the gradient norms of the Trainer's model.

    Right under gradient accumulation (a row a real step), clipping and mixed precision, because it listens to the
    optimizer itself. ``loss`` and ``learning_rate`` stand at the steps at which the Trainer logs them
    (``logging_steps``; the loss is its mean over the steps since the last), nan elsewhere.

    Args:
        path: the CSV to append to; in memory without it.
        options: as of :func:`gradmidi.listen`.

    Attributes:
        session: the present or last session; its ``recording`` is what was heard.
    """

    def __init__(self, path: str | Path | None = None, **options: Any) -> None:
        self.session: Session | None = None
        self._options = {"path": path, "metrics": METRICS, **options}

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.session = listen(given["model"], given["optimizer"], late=True, **self._options)

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if self.session is not None:
            self.session.log(**{name: given["logs"][name] for name in METRICS if name in given["logs"]})

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if self.session is not None:
            self.session.detach()
