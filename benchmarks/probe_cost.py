"""What measuring costs: gradmidi's probe beside no probe, the post's own loop, wandb.watch's way and backward hooks.

    python benchmarks/probe_cost.py [--rounds 40] [--threads 1] [--device cpu] [--nets post-10,post-256,mlp,transformer]

Prints two Markdown tables. All ways train their own copy of the same net, taking turns of a few steps in one process,
so that a busy machine slows them alike; ratios are medians of ratios within a round, with the quartiles behind them.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gradmidi.experiments.net import Net
from gradmidi.measure.probe import GradientProbe

STEPS_A_TURN = 5


class Task(NamedTuple):
    """A net with its loss on one batch of noise."""

    net: nn.Module
    loss: Callable[[nn.Module], Tensor]


class Training:
    """One copy of a net that is trained in turns, watched in one way."""

    def __init__(self, task: Task) -> None:
        self.net = copy.deepcopy(task.net)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1e-4)
        self.loss = task.loss
        self.watch_step: Callable[[], object] | None = None

    def weights(self) -> list[nn.Parameter]:
        return [p for name, p in self.net.named_parameters() if "weight" in name]

    def run(self, steps: int) -> float:
        """Seconds of ``steps`` steps."""
        synchronize(self.net)
        start = time.perf_counter()
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.loss(self.net).backward()
            if self.watch_step is not None:
                self.watch_step()
            self.optimizer.step()
        synchronize(self.net)
        return time.perf_counter() - start


def synchronize(net: nn.Module) -> None:
    if next(net.parameters()).is_cuda:
        torch.cuda.synchronize()


@contextmanager
def unwatched(training: Training) -> Iterator[None]:
    yield


@contextmanager
def gradmidi_probe(training: Training) -> Iterator[None]:
    with GradientProbe(training.net, training.optimizer, lambda row: None):
        yield


@contextmanager
def naive_loop(training: Training) -> Iterator[None]:
    """The post's own way: the norm of each layer's weight gradient, one after the other."""
    weights = training.weights()
    training.watch_step = lambda: [weight.grad.norm().item() for weight in weights]
    yield


@contextmanager
def histograms(training: Training) -> Iterator[None]:
    """What ``wandb.watch(model, log="gradients", log_freq=1)`` does: a hook and a 64-bin histogram a parameter."""

    def watch(grad: Tensor) -> None:
        flat = grad.detach().reshape(-1)
        low, high = flat.min().item(), flat.max().item()
        counts = flat.histc(bins=64, min=low, max=high)
        counts.cpu().clone().tolist(), torch.linspace(low, high, steps=65).tolist()

    hooks = [p.register_hook(watch) for p in training.net.parameters()]
    yield
    for hook in hooks:
        hook.remove()


@contextmanager
def backward_hooks(training: Training) -> Iterator[None]:
    """A full backward hook on each module that owns weights, taking the norm of the gradient that passes."""
    found: dict[nn.Module, float] = {}

    def watch(module: nn.Module, inputs: object, outputs: tuple[Tensor, ...]) -> None:
        found[module] = outputs[0].norm().item()

    owners = [m for m in training.net.modules() if getattr(m, "weight", None) is not None]
    hooks = [m.register_full_backward_hook(watch) for m in owners]
    yield
    for hook in hooks:
        hook.remove()


WAYS = {
    "no probe": unwatched,
    "gradmidi": gradmidi_probe,
    "naive loop (the post)": naive_loop,
    "full backward hooks": backward_hooks,
    "histograms (wandb.watch)": histograms,
}


def post_task(batch: int, device: str) -> Task:
    digits, labels = torch.randn(batch, 1, 28, 28, device=device), torch.randint(0, 10, (batch,), device=device)
    return Task(Net().to(device), lambda net: F.nll_loss(net(digits), labels))


def mlp_task(device: str) -> Task:
    x = torch.randn(64, 128, device=device)
    layers = [layer for _ in range(150) for layer in (nn.Linear(128, 128), nn.Tanh())]
    return Task(nn.Sequential(*layers).to(device), lambda net: net(x).square().mean())


def transformer_task(device: str) -> Task:
    x = torch.randn(4, 32, 128, device=device)
    block = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)
    net = nn.TransformerEncoder(block, 24, enable_nested_tensor=False)
    return Task(net.to(device), lambda net: net(x).square().mean())


TASKS: dict[str, tuple[str, Callable[[str], Task]]] = {
    "post-10": ("the post's net, batch 10", lambda device: post_task(10, device)),
    "post-256": ("the post's net, batch 256", lambda device: post_task(256, device)),
    "mlp": ("150-layer MLP", mlp_task),
    "transformer": ("24-block transformer", transformer_task),
}


def quartiles(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3f} ({low:.3f}–{high:.3f})"


def step_ratios(task: Task, rounds: int) -> Iterator[tuple[str, float, str]]:
    """Way, milliseconds a step, ratio to no probe."""
    trainings = {way: Training(task) for way in WAYS}
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    watchers = [WAYS[way](training) for way, training in trainings.items()]
    for watcher in watchers:
        watcher.__enter__()
    for training in trainings.values():
        training.run(STEPS_A_TURN)
    for _ in range(rounds):
        # In a new order each round, so that no way always runs behind the same other.
        for way in random.sample(list(WAYS), len(WAYS)):
            seconds[way].append(trainings[way].run(STEPS_A_TURN) / STEPS_A_TURN)
    for watcher in watchers:
        watcher.__exit__(None, None, None)
    for way, own in seconds.items():
        ratios = [a / b for a, b in zip(own, seconds["no probe"], strict=True)]
        yield way, 1e3 * float(np.median(own)), quartiles(ratios)


def section_ratios(task: Task, rounds: int) -> Iterator[tuple[str, float, str]]:
    """Section, its microseconds within a training, where the gradients are fresh, and the ratio to the bare norm."""
    training = Training(task)
    weights = training.weights()
    probe = GradientProbe(training.net, training.optimizer, lambda row: None)
    (hook,) = training.optimizer._optimizer_step_pre_hooks.values()
    probe.detach()  # the hook is called by hand, so that only it is timed
    sections: dict[str, Callable[[], object]] = {
        "bare fused norm": lambda: torch._foreach_norm([weight.grad for weight in weights], 2, dtype=torch.float32),
        "gradmidi": lambda: hook(training.optimizer, (training.optimizer,), {}),
        "naive loop (the post)": lambda: [weight.grad.norm().item() for weight in weights],
    }
    seconds: dict[str, list[float]] = {name: [] for name in sections}
    for name in sections:
        training.watch_step = sections[name]
        training.run(STEPS_A_TURN)
    for _ in range(4 * rounds):
        for name in random.sample(list(sections), len(sections)):
            training.watch_step = timed(sections[name], seconds[name])
            training.run(1)
    for name, own in seconds.items():
        ratios = [a / b for a, b in zip(own, seconds["bare fused norm"], strict=True)]
        yield name, 1e6 * float(np.median(own)), quartiles(ratios)


def timed(call: Callable[[], object], into: list[float]) -> Callable[[], None]:
    def run() -> None:
        start = time.perf_counter()
        call()
        into.append(time.perf_counter() - start)

    return run


def main(argv: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sections-only", action="store_true")
    parser.add_argument("--nets", default=",".join(TASKS))
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    random.seed(0)
    chosen = {TASKS[name][0]: TASKS[name][1](arguments.device) for name in arguments.nets.split(",")}
    where = torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU, {arguments.threads} thread(s)"
    print(f"torch {torch.__version__}, {where}, {arguments.rounds} rounds of {STEPS_A_TURN} steps\n")
    print("| net | way | ms a step | ratio to no probe (quartiles) |\n|---|---|---:|---:|")
    for name, task in () if arguments.sections_only else chosen.items():
        for way, milliseconds, ratio in step_ratios(task, arguments.rounds):
            print(f"| {name} | {way} | {milliseconds:.2f} | {ratio} |", flush=True)
    print("\n| net | section | µs in a step | ratio to the bare fused norm (quartiles) |\n|---|---|---:|---:|")
    for name, task in chosen.items():
        for section, microseconds, ratio in section_ratios(task, arguments.rounds):
            print(f"| {name} | {section} | {microseconds:.1f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
