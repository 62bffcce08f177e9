"""What is computed on the device: one number per parameter for each term, joined over shards and over a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Norms are accumulated in float32 for dtypes up to 32 bits. Wider and complex ones keep their own
# dtype, because torch refuses to narrow.
NORM_DTYPE = {torch.float16: torch.float32, torch.bfloat16: torch.float32, torch.float32: torch.float32}


class Batch(NamedTuple):
    """Parameters that one fused call can take together: equal dtype and device.

    Attributes:
        positions: of the K parameters in the reader's row.
        grads: K gradients; of a sparse one the values only.
        weights: the K parameters themselves.
    """

    positions: Sequence[int]
    grads: list[Tensor]
    weights: list[Tensor]


Compute = Callable[[Batch], Sequence[Tensor]]


class Term(NamedTuple):
    """One number per parameter.

    Attributes:
        make: returns a new computation: a batch of K parameters → K real 0-d tensors on their device.
        join: how numbers of shards or of one layer's parameters become one, a key of :data:`JOINS`.
    """

    make: Callable[[], Compute]
    join: str


def grad_norm(batch: Batch) -> Sequence[Tensor]:
    return torch._foreach_norm(batch.grads, 2, dtype=NORM_DTYPE.get(batch.grads[0].dtype))


def weight_norm(batch: Batch) -> Sequence[Tensor]:
    weights = [weight.detach() for weight in batch.weights]
    return torch._foreach_norm(weights, 2, dtype=NORM_DTYPE.get(weights[0].dtype))


def grad_max(batch: Batch) -> Sequence[Tensor]:
    # An empty shard has no largest element; its share is 0.
    return [g.abs().amax() if g.numel() else torch.zeros((), device=g.device) for g in batch.grads]


def nonzeros(batch: Batch) -> Sequence[Tensor]:
    return [torch.count_nonzero(g).float() for g in batch.grads]


def sizes(batch: Batch) -> Sequence[Tensor]:
    # A fused fill, because a tensor made from a Python number would wait for the device.
    return [torch.full((), float(w.numel()), device=w.device) for w in batch.weights]


class Products:
    """Inner product of each gradient with the one measured before it, and that one's norm; keeps one copy."""

    def __init__(self) -> None:
        self._before: dict[int, Tensor] = {}

    def __call__(self, batch: Batch) -> Sequence[Tensor]:
        dots = []
        for position, grad in zip(batch.positions, batch.grads, strict=True):
            before = self._before.get(position)
            if before is None or before.shape != grad.shape or before.device != grad.device:
                dots.append(torch.full((), float("nan"), device=grad.device))
                self._before[position] = grad.detach().clone()
            else:
                dots.append(_inner(grad, before))
                before.copy_(grad)
        return dots


def _inner(a: Tensor, b: Tensor) -> Tensor:
    a, b = a.reshape(-1), b.reshape(-1)
    product = torch.vdot(a, b).real if a.is_complex() else torch.dot(a.float(), b.float())
    return product.float()


def _root_sum_square(values: NDArray[np.float64], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.sqrt(np.add.reduceat(values**2, starts))


JOINS: dict[str, Callable[[NDArray[np.float64], NDArray[np.intp]], NDArray[np.float64]]] = {
    "norm": _root_sum_square,
    "sum": np.add.reduceat,
    "max": np.maximum.reduceat,
}

TERMS = {
    "grad_norm": Term(lambda: grad_norm, "norm"),
    "weight_norm": Term(lambda: weight_norm, "norm"),
    "grad_max": Term(lambda: grad_max, "max"),
    "nonzeros": Term(lambda: nonzeros, "sum"),
    "sizes": Term(lambda: sizes, "sum"),
    "product": Term(Products, "sum"),
}
