"""The faults, one row each: what is wrong, when it can begin, and the function that makes it so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.clinic.data import Batch
from benchmarks.clinic.training import Training
from benchmarks.clinic.wards import WARDS, Ward

STEPS, SLOW = 500, 1000  # of a run with a fault
FROM_THE_START = 2  # the first so many seeds; in the others a fault begins in the middle
EARLIEST, LATEST = 150, 300  # step at which it then begins
SEEDS = (0, 1, 2, 3, 4)
LARGEST_HALF = 65504.0
HALF_SCALE = 65536.0 * 64  # on the gradients; an element over 1/64 then overflows

ALL = tuple(WARDS)


class Fault(NamedTuple):
    """A kind of fault.

    Attributes:
        name: what it is called.
        change: makes the training wrong from now on.
        start: whether it can be there from the first step.
        middle: whether it can begin in the middle of a run.
        wards: the architectures that can have it.
        layers: the layers that are meant by it; none where it is the whole net.
        steps: how long a run with it is.
    """

    name: str
    change: Callable[[Training], None]
    start: bool = True
    middle: bool = True
    wards: tuple[str, ...] = ALL
    layers: Callable[[Ward], tuple[str, ...]] = lambda ward: ()
    steps: int = STEPS

    def onset(self, ward: str, seed: int) -> int:
        """The step from which the fault acts, drawn by architecture, fault and seed if it is in the middle."""
        if not self.middle or (self.start and seed < FROM_THE_START):
            return 0
        drawn = np.random.default_rng([crc32(f"{ward} {self.name}".encode()), seed])
        return int(drawn.integers(EARLIEST, LATEST + 1))


def _set(training: Training, **attributes: Any) -> None:
    for name, value in attributes.items():
        setattr(training, name, value)


def _weights(net: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in net.parameters() if parameter.dim() > 1]


@torch.no_grad()
def _bad_init(training: Training) -> None:
    for weight in _weights(training.net):
        weight.mul_(10)


@torch.no_grad()
def nudge(training: Training) -> None:
    """No fault: all weights change by a hundred-thousandth, which is harmless and after many steps seen everywhere."""
    draw = torch.Generator().manual_seed(training.seed)
    for parameter in training.net.parameters():
        parameter.mul_(1 + 1e-5 * torch.randn(parameter.shape, generator=draw))


def _no_norm(training: Training) -> None:
    """Only the scaling and shifting of each normalisation is left, so that the net has the same layers."""
    for module in training.net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = partial(_affine, module, (1, -1, 1, 1))  # type: ignore[method-assign]
        elif isinstance(module, nn.LayerNorm):
            module.forward = partial(_affine, module, (-1,))  # type: ignore[method-assign]


def _affine(module: nn.BatchNorm2d | nn.LayerNorm, shape: tuple[int, ...], x: Tensor) -> Tensor:
    return x * module.weight.view(shape) + module.bias.view(shape)


@torch.no_grad()
def _saturating(training: Training) -> None:
    """A steep sigmoid before each ReLU, which leaves it as it is; an LSTM's own sigmoids are driven far."""
    for name in training.ward.hidden:
        training.module(name).register_forward_hook(lambda module, args, output: torch.sigmoid(20 * output))
    for module in training.net.modules():
        if isinstance(module, nn.LSTM):
            for parameter in module.parameters():
                parameter.mul_(30)


@torch.no_grad()
def _dying_relu(training: Training) -> None:
    bias = training.module(training.ward.dying[0]).bias
    assert isinstance(bias, Tensor)
    bias -= 100


def _shuffled_labels(training: Training) -> None:
    draw = torch.Generator().manual_seed(training.seed)
    training.on_batch.append(lambda batch: _shuffled(batch, draw))


def _shuffled(batch: Batch, draw: torch.Generator) -> Batch:
    return batch._replace(targets=batch.targets[torch.randperm(len(batch.targets), generator=draw)])


def _unnormalised_input(training: Training) -> None:
    training.on_inputs.append(lambda numbers: numbers * 255)


def _poisoned_batch(training: Training) -> None:
    draw, onset = torch.Generator().manual_seed(training.seed), training.step
    training.on_batch.append(lambda batch: _shuffled(batch, draw) if training.step == onset else batch)
    training.on_inputs.append(lambda numbers: numbers * 10 if training.step == onset else numbers)


def _nan_input(training: Training) -> None:
    onset = training.step
    training.on_inputs.append(lambda numbers: numbers * float("nan") if training.step == onset else numbers)


def _momentum(training: Training) -> None:
    for group in training.optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (0.99, group["betas"][1])
        else:
            group["momentum"] = 0.99


def _weight_decay(training: Training) -> None:
    for group in training.optimizer.param_groups:
        group["weight_decay"] *= 1000


def _half_overflow(training: Training) -> None:
    """For even seeds a scale with which every step overflows and is made; for odd ones, see :class:`NearTheLimit`."""
    if training.seed % 2 == 0:
        training.after_backward.append(lambda: _through_half(training.net, HALF_SCALE))
    else:
        training.after_backward.append(NearTheLimit(training))


def _through_half(net: nn.Module, scale: float) -> bool:
    """Gradients of weights as they come out of half precision with a factor on them; whether all are finite."""
    finite = True
    for weight in _weights(net):
        if weight.grad is not None:
            weight.grad = (weight.grad * scale).half().float() / scale
            finite = finite and bool(weight.grad.isfinite().all())
    return finite


class NearTheLimit:
    """Half precision with a scale that the first batch just bears, and that never falls.

    Steps that overflow are seen, and the optimizer leaves them out, as under a ``GradScaler``: Inf comes and goes.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.scale = 0.0

    def __call__(self) -> None:
        net, optimizer = self.training.net, self.training.optimizer
        if not self.scale:
            largest = max(float(one.grad.abs().max()) for one in _weights(net) if one.grad is not None)
            self.scale = LARGEST_HALF / largest
        finite = _through_half(net, self.scale)
        optimizer.found_inf = torch.tensor(0.0 if finite else 1.0)  # type: ignore[attr-defined]


def _detached_layer(training: Training) -> None:
    """No gradient at all for odd seeds; for even ones one of exactly 0, as behind a mask."""
    kept = 0.0 if training.seed % 2 == 0 else None
    training.module(training.ward.cut[0]).register_forward_hook(
        lambda module, args, output: output.detach() if kept is None else output.detach() + kept * output
    )


def _frozen_layer(training: Training) -> None:
    """Its learning rate is 0, or, for odd seeds in the middle of a run, it is set not to require a gradient."""
    layer = training.module(training.ward.frozen)
    if training.step and training.seed % 2 == 1:
        layer.requires_grad_(False)
        return
    frozen = {id(parameter) for parameter in layer.parameters()}
    group = training.optimizer.param_groups[0]
    still = [parameter for parameter in group["params"] if id(parameter) in frozen]
    group["params"] = [parameter for parameter in group["params"] if id(parameter) not in frozen]
    options = {name: value for name, value in group.items() if name != "params"}
    training.optimizer.add_param_group({**options, "params": still, "base": 0.0})


@torch.no_grad()
def _exploding_rnn(training: Training) -> None:
    for name, parameter in training.net.named_parameters():
        if "weight_hh" in name:
            parameter.mul_(4)
    training.on_batch.append(lambda batch: Batch(*(torch.cat([part] * 4, dim=1) for part in batch)))


# Every second one is held out: rules are tuned on none of its runs.
FAULTS = {
    fault.name: fault
    for fault in (
        Fault("lr-high", lambda training: _set(training, factor=100.0)),
        Fault("lr-low", lambda training: _set(training, factor=1e-4)),
        Fault("bad-init", _bad_init, middle=False),
        Fault("no-norm", _no_norm, wards=("residual", "transformer")),
        Fault("dying-relu", _dying_relu, layers=lambda ward: ward.dying[1]),
        Fault("saturating", _saturating),
        Fault("no-zero-grad", lambda training: _set(training, clears=False)),
        Fault("sum-for-mean", lambda training: _set(training, reduction="sum")),
        Fault("shuffled-labels", _shuffled_labels),
        Fault("unnormalised-input", _unnormalised_input),
        Fault("poisoned-batch", _poisoned_batch, start=False),
        Fault("momentum-0.99", _momentum),
        Fault("half-overflow", _half_overflow),
        Fault("detached-layer", _detached_layer, layers=lambda ward: ward.cut[1]),
        Fault("frozen-layer", _frozen_layer, layers=lambda ward: (ward.frozen,)),
        Fault("weight-decay", _weight_decay),
        Fault("slow-divergence", lambda training: _set(training, growth=1.01), steps=SLOW),
        Fault(
            "no-warmup",
            lambda training: _set(training, warmup=False, factor=5.0),
            middle=False,
            wards=("lstm", "transformer"),
        ),
        Fault("exploding-rnn", _exploding_rnn, wards=("lstm",)),
        Fault("nan-input", _nan_input, start=False),
    )
}


def held_out(ward: str, kind: str, seed: int) -> bool:
    """Whether rules may not be tuned on such a run."""
    if WARDS[ward].held_out:
        return True
    return list(FAULTS).index(kind) % 2 == 1 if kind in FAULTS else seed >= 3
