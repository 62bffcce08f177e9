"""What the clinic's nets learn: the digits that ship with gradmidi, a generated text and generated time series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gradmidi.experiments.digits import embedded_digits
from gradmidi.experiments.mnist import PIXEL_DEVIATION, PIXEL_MEAN

SERIES, LENGTH = 2000, 20  # time series, and steps of each
WINDOW = 20  # characters that the transformer sees at once
UNSCORED = 6  # steps or characters at the beginning, from which nobody could tell what follows
SENTENCES = 40  # of the text, few enough to be known by heart after some thousand steps
SUBJECTS = ["the cat", "a small dog", "the old sailor", "her sister", "every child", "the red bird"]
VERBS = ["sees", "follows", "draws", "sings of", "waits for", "forgets"]
OBJECTS = ["the sea", "a paper boat", "two white stones", "the last train", "an apple tree", "the moon"]


class Batch(NamedTuple):
    """Inputs and targets, each with B examples along the first axis."""

    inputs: Tensor
    targets: Tensor


class Data(NamedTuple):
    """All examples of a task, and how it is scored.

    Attributes:
        inputs: (N, ...) float32, or int64 where the examples are text.
        targets: (N, ...) int64 classes, or float32 numbers.
        loss: from the net's output, the targets and ``reduction="mean"`` or ``"sum"`` to the loss, a scalar.
    """

    inputs: Tensor
    targets: Tensor
    loss: Callable[..., Tensor]


def batches(data: Data, size: int, seed: int) -> Iterator[Batch]:
    """Batches without end; every epoch has a new order and leaves its last, smaller batch out."""
    order = torch.Generator().manual_seed(seed)
    count = len(data.inputs) // size * size
    while True:
        for chosen in torch.randperm(len(data.inputs), generator=order)[:count].split(size):
            yield Batch(data.inputs[chosen], data.targets[chosen])


@cache
def digits() -> Data:
    """5,000 digits (N, 1, 28, 28), normalised as in the post, and their classes."""
    found = embedded_digits()
    pixels = torch.from_numpy(found.images.copy()).float().div(255).sub(PIXEL_MEAN).div(PIXEL_DEVIATION)
    classes = torch.from_numpy(found.labels.copy()).long()
    return Data(pixels.unsqueeze(1), classes, F.nll_loss)


@cache
def small_digits() -> Data:
    """The same digits (N, 1, 14, 14), at half the size."""
    large = digits()
    return large._replace(inputs=F.avg_pool2d(large.inputs, 2))


@cache
def text() -> Data:
    """Every window of a generated text, and the character that follows each of its characters, both (N, T)."""
    choose = np.random.default_rng(12)
    words = [" ".join(str(choose.choice(part)) for part in (SUBJECTS, VERBS, OBJECTS)) for _ in range(SENTENCES)]
    written = ". ".join(words)
    letters = sorted(set(written))
    codes = torch.tensor([letters.index(letter) for letter in written])
    windows = codes.unfold(0, WINDOW + 1, 1)
    return Data(windows[:, :-1], windows[:, 1:], _cross_entropy)


@cache
def series() -> Data:
    """Sums of two sine waves (N, T, 1), and the value that follows each of their values, (N, T, 1)."""
    draw = np.random.default_rng(7)
    pace = draw.uniform(0.2, 0.9, (SERIES, 2, 1))
    phase = draw.uniform(0, 2 * np.pi, (SERIES, 2, 1))
    waves = np.sin(pace * np.arange(LENGTH + 1) + phase).sum(axis=1).astype(np.float32)
    table = torch.from_numpy(waves).unsqueeze(2)
    return Data(table[:, :-1], table[:, 1:], _squared_error)


def _cross_entropy(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    return F.cross_entropy(output[:, UNSCORED:].flatten(0, 1), target[:, UNSCORED:].flatten(), reduction=reduction)


def _squared_error(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    return F.mse_loss(output[:, UNSCORED:], target[:, UNSCORED:], reduction=reduction)
