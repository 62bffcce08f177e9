"""Small trainings for the tests, and gradient norms computed without the probe."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

torch.set_num_threads(1)


def small_net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def weight_norms(model: nn.Module) -> list[float]:
    return [p.grad.double().norm().item() for n, p in model.named_parameters() if n.endswith("weight")]


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int,
    seed: int = 1,
    loss: Callable[[Tensor], Tensor] = lambda value: value,
) -> list[list[float]]:
    """Train on noise; the weight-gradient norms of every step, in float64, without the probe."""
    generator = torch.Generator().manual_seed(seed)
    expected = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(torch.randn(5, 6, generator=generator)).square().mean()).backward()
        expected.append(weight_norms(model))
        optimizer.step()
    return expected
