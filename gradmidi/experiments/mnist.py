"""The post's training loop, recorded: 201 batches of MNIST with the probe attached."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import gradmidi
from gradmidi.errors import InputError
from gradmidi.experiments.digits import Digits
from gradmidi.experiments.net import Net
from gradmidi.experiments.settings import Settings
from gradmidi.recording.row import RowSink
from gradmidi.session import Session, listen

PIXEL_MEAN, PIXEL_DEVIATION = 0.1307, 0.3081  # the post's normalisation


class Batch(NamedTuple):
    """Normalised digits (B, 1, 28, 28) float32 and labels (B,) int64 on the device, and the epoch they belong to."""

    epoch: int
    digits: torch.Tensor
    labels: torch.Tensor


def choose_device(name: str) -> torch.device:
    """The device of ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        InputError: the device is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if not there[name]:
        raise InputError(f"--device {name}: this machine has none that torch can use; use --device cpu")
    return torch.device(name)


def start(settings: Settings) -> tuple[Net, torch.optim.Optimizer, torch.device]:
    """Network and optimizer as they are before the first step; sets torch's seed."""
    device = choose_device(settings.device)
    torch.manual_seed(settings.seed)
    net = Net().to(device)
    if settings.optimizer == "adam":
        return net, torch.optim.Adam(net.parameters(), lr=settings.lr), device
    return net, torch.optim.SGD(net.parameters(), lr=settings.lr, momentum=settings.momentum), device


def batches(digits: Digits, settings: Settings, device: torch.device) -> Iterator[Batch]:
    """Batches without end; each epoch goes through all digits in a new order, its last batch may be smaller."""
    order = torch.Generator().manual_seed(settings.seed)
    images, labels = torch.from_numpy(digits.images.copy()), torch.from_numpy(digits.labels.copy()).long()
    epoch = 0
    while True:
        epoch += 1
        for chosen in torch.split(torch.randperm(len(images), generator=order), settings.batch_size):
            pixels = images[chosen].to(device).float().div_(255).sub_(PIXEL_MEAN).div_(PIXEL_DEVIATION)
            yield Batch(epoch, pixels.unsqueeze(1), labels[chosen].to(device))


def train(settings: Settings, digits: Digits, attach: Callable[[nn.Module, torch.optim.Optimizer], Session]) -> Net:
    """Train ``settings.steps`` steps under a session, and return the trained network.

    Args:
        settings: how the run is set up.
        digits: what it is trained on.
        attach: makes the session, such as ``gradmidi.listen``. The training stops early where its recording fails.

    Raises:
        InputError: the device is not there.
    """
    net, optimizer, device = start(settings)
    net.train()
    with attach(net, optimizer) as session:
        for _, batch in zip(range(settings.steps), batches(digits, settings, device), strict=False):
            session.log(epoch=batch.epoch)
            optimizer.zero_grad()
            session.loss(F.nll_loss(net(batch.digits), batch.labels)).backward()
            optimizer.step()
            if session.failure:
                break
    return net


def into(*sinks: RowSink) -> Callable[[nn.Module, torch.optim.Optimizer], Session]:
    """What attaches a session in memory for :func:`train`, and hands every row to these sinks as well."""

    def attach(net: nn.Module, optimizer: torch.optim.Optimizer) -> Session:
        session = listen(net, optimizer)
        for sink in sinks:
            session.add(sink)
        return session

    return attach


def describe(settings: Settings, digits: Digits) -> dict[str, object]:
    """Metadata of the recording: how the run was made, and with which versions."""
    return {
        "title": f"MNIST, {settings.optimizer}, learning rate {settings.lr:g}, batch size {settings.batch_size}",
        "model": "Net (2 convolutions, 2 linear layers; Perone 2019)",
        "optimizer": settings.optimizer,
        "learning_rate": settings.lr,
        "momentum": settings.momentum if settings.optimizer == "sgd" else "none",
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "device": choose_device(settings.device).type,
        "data": digits.source,
        "gradmidi": gradmidi.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
