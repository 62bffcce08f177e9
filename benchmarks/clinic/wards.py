"""The five architectures: net, data, how each is usually trained, and the places at which a fault can be put."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from benchmarks.clinic import data, nets
from benchmarks.clinic.recipe import Recipe
from gradmidi.experiments.net import Net

SLOWER = 3.0  # as dropout and tiny batches are


class Ward(NamedTuple):
    """An architecture with its task.

    Attributes:
        name: what its runs are called after.
        make: makes the net, from torch's random numbers.
        data: all examples.
        recipe: how it is trained when healthy.
        hidden: layers that a ReLU follows.
        dying: the module whose bias kills its ReLUs, and the layers that then have a gradient of exactly 0.
        cut: the layer that is detached, and the layers that no gradient reaches then.
        frozen: the layer whose weights are kept from moving.
        healthy_loss: the median loss of a twin's last 50 of 1,000 steps lies below it, and that of another healthy run
            below :data:`SLOWER` times as much.
        held_out: whether rules may be tuned on none of its runs.
    """

    name: str
    make: Callable[[], nn.Module]
    data: Callable[[], data.Data]
    recipe: Recipe
    hidden: tuple[str, ...]
    dying: tuple[str, tuple[str, ...]]
    cut: tuple[str, tuple[str, ...]]
    frozen: str
    healthy_loss: float
    held_out: bool = False


def _transformer() -> nn.Module:
    return nets.Transformer(int(data.text().inputs.max()) + 1, data.WINDOW)


_BLOCK1 = ("block1.conv1", "block1.norm1", "block1.conv2", "block1.norm2")

WARDS = {
    ward.name: ward
    for ward in (
        Ward(
            "post",
            Net,
            data.digits,
            Recipe("sgd", lr=0.03, momentum=0.5, weight_decay=1e-4, batch=5),
            hidden=("conv1", "conv2", "fc1"),
            dying=("fc1", ("conv1", "conv2", "fc1", "fc2")),
            cut=("conv2", ("conv1", "conv2")),
            frozen="fc1",
            healthy_loss=0.15,
        ),
        Ward(
            "mlp",
            nets.Perceptron,
            data.small_digits,
            Recipe("sgd", lr=0.05, momentum=0.9, weight_decay=1e-4, batch=32),
            hidden=("fc1", "fc2", "fc3"),
            dying=("fc2", ("fc1", "fc2", "fc3")),
            cut=("fc2", ("fc1", "fc2")),
            frozen="fc2",
            healthy_loss=0.25,
        ),
        Ward(
            "residual",
            nets.Residual,
            data.small_digits,
            Recipe("sgd", lr=0.05, momentum=0.9, weight_decay=1e-4, batch=16, least_batch=4),
            hidden=("norm0", "block1.norm1", "block2.norm1"),
            dying=("block2.norm1", ("block2.conv1", "block2.norm1", "block2.conv2", "block2.norm2")),
            cut=("block1.norm2", _BLOCK1),
            frozen="block2.conv1",
            healthy_loss=0.4,
            held_out=True,
        ),
        Ward(
            "lstm",
            nets.Recurrent,
            data.series,
            Recipe("adam", lr=3e-3, momentum=0.9, weight_decay=1e-5, batch=8, warmup=50),
            hidden=("fc1",),
            dying=("fc1", ("lstm1", "lstm2", "fc1", "fc2")),
            cut=("fc1", ("lstm1", "lstm2", "fc1")),
            frozen="lstm2",
            healthy_loss=0.012,
        ),
        Ward(
            "transformer",
            _transformer,
            data.text,
            Recipe("adamw", lr=3e-3, momentum=0.9, weight_decay=0.01, batch=8, warmup=50),
            hidden=("blocks.0.ff1", "blocks.1.ff1"),
            dying=("blocks.1.ff1", ("blocks.1.ff1", "blocks.1.ff2", "blocks.1.norm2")),
            cut=("blocks.1.out", ("blocks.1.norm1", "blocks.1.qkv", "blocks.1.out")),
            frozen="blocks.0.qkv",
            healthy_loss=0.4,
            held_out=True,
        ),
    )
}
