"""The loss that a model returns from its forward pass, for frameworks that do not expose the loss of a step."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn


class LossTap:
    """Sees the losses of a model's forward passes; changes nothing and waits for no device.

    A loss counts if a gradient can flow from it: evaluation is left out. A copy of the model, pickled or deep, does not
    take the tap along.

    Args:
        model: whose output is a mapping with the key ``loss``, or a tuple that begins with the loss.
    """

    def __init__(self, model: nn.Module) -> None:
        self._losses: list[Tensor] = []
        self._summed = False
        self._hook = model.register_forward_hook(self, with_kwargs=True)

    def __call__(self, model: nn.Module, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        # In a graph that is compiled this would be a break; the loss is then not seen.
        if not torch.compiler.is_compiling():
            with suppress(Exception):  # whatever a model returns, its training continues
                self._take(output, kwargs)

    def _take(self, output: Any, kwargs: Mapping[str, Any]) -> None:
        loss = output.get("loss") if isinstance(output, Mapping) else output[0]
        if isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1:
            self._losses.append(loss.detach())
            self._summed = kwargs.get("num_items_in_batch") is not None

    def __reduce__(self) -> tuple[Any, ...]:
        return _Cut, ()

    def clear(self) -> None:
        """Begin a new step."""
        self._losses.clear()

    def loss(self) -> Tensor | None:
        """The loss of the step so far, 0-d: the mean of its batches, or their sum where each was divided by all items.

        None if the model has returned no loss.
        """
        if not self._losses:
            return None
        if len(self._losses) == 1:
            return self._losses[0].reshape(())
        losses = torch.stack([loss.reshape(()) for loss in self._losses])
        return losses.sum() if self._summed else losses.mean()

    def remove(self) -> None:
        """Remove the hook."""
        self._hook.remove()


class _Cut:
    """What a copied model has in place of a tap."""

    def __call__(self, *given: Any) -> None:
        pass
