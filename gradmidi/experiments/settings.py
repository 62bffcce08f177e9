"""How a run is set up: the presets and what may be changed in them. Does not import torch."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources

from gradmidi.errors import InputError

OPTIMIZERS = ("sgd", "adam")
DEVICES = ("auto", "cpu", "cuda", "mps")
LAYERS = ("conv1", "conv2", "fc1", "fc2")  # of the post's network, in forward order
DEFAULT_PRESET = "sgd-lr0.01"
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Settings:
    """One run of the experiment.

    Args:
        optimizer: ``sgd`` or ``adam``.
        lr: learning rate, 0 or more.
        momentum: of SGD, from 0 up to 1; Adam has none.
        batch_size: digits per step.
        steps: optimizer steps.
        seed: of weights and of the order of the digits.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        InputError: a value out of range; the message names its option.
    """

    optimizer: str
    lr: float
    momentum: float
    batch_size: int
    steps: int
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        checks = (
            (self.optimizer in OPTIMIZERS, "--optimizer", self.optimizer, f"one of {', '.join(OPTIMIZERS)}"),
            (math.isfinite(self.lr) and self.lr >= 0, "--lr", self.lr, "a learning rate of 0 or more"),
            (0 <= self.momentum < 1, "--momentum", self.momentum, "at least 0 and below 1"),
            (self.batch_size >= 1, "--batch-size", self.batch_size, "1 or more"),
            (self.steps >= 1, "--steps", self.steps, "1 or more"),
            (0 <= self.seed <= MAX_SEED, "--seed", self.seed, "0 or more, below 2**63"),
            (self.device in DEVICES, "--device", self.device, f"one of {', '.join(DEVICES)}"),
        )
        for good, option, value, wanted in checks:
            if not good:
                raise InputError(f"{option} is {value}; it must be {wanted}")


@cache
def presets() -> dict[str, dict[str, object]]:
    """The rows of presets.toml by name."""
    return tomllib.loads(resources.files(__package__).joinpath("presets.toml").read_text(encoding="utf-8"))


def preset_settings(name: str = DEFAULT_PRESET, **changes: object) -> Settings:
    """The settings of a preset with some of them changed; a value of ``None`` changes nothing.

    Raises:
        InputError: an unknown preset or a value out of range.
    """
    if name not in presets():
        raise InputError(f"no preset is called {name!r}; there are {', '.join(presets())}")
    known = {field.name for field in fields(Settings)}
    row = {key: value for key, value in presets()[name].items() if key in known}
    row |= {key: value for key, value in changes.items() if value is not None}
    return Settings(**row)  # type: ignore[arg-type]
