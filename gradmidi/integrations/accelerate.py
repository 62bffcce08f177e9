"""listen for a loop under Hugging Face Accelerate. Needs ``pip install accelerate``."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradmidi.session import Session
from gradmidi.session import listen as listen_to


def listen(accelerator: Any, model: nn.Module, optimizer: Optimizer, **options: Any) -> Session:
    """:func:`gradmidi.listen` after ``accelerator.prepare``; under FSDP2 every process has to call it.

    ::

        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        with listen(accelerator, model, optimizer, path="norms.csv") as session:
            for x, y in loader:
                with accelerator.accumulate(model):
                    accelerator.backward(session.loss(loss_fn(model(x), y)))
                    accelerator.clip_grad_norm_(model.parameters(), 1.0)
                    optimizer.step()
                    optimizer.zero_grad()

    Gives one row per optimizer step, unscaled, and marks those that mixed precision skipped.
    """
    meta = {"processes": accelerator.num_processes, "mixed_precision": accelerator.mixed_precision}
    given = options.pop("meta", None) or {}
    return listen_to(model, optimizer, scaler=accelerator.scaler, meta={**meta, **given}, **options)
