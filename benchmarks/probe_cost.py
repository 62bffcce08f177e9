"""What measuring costs: gradmidi's probe beside no probe, the post's own loop, wandb.watch's way and backward hooks.

    python -m benchmarks.probe_cost [--seconds 90] [--threads 1] [--device cpu] [--nets post-10,mlp]

Prints three Markdown tables. One and the same net is trained; each of its steps is watched in another way, in a random
order, so that neither drift of the machine nor a better place in memory favours one. A way is hung in before its step
and taken out after it, outside of the timed part. Ratios are medians of ratios within a round of all ways; behind them
stands from where to where the median lies with 95 % confidence. The duel of the two that lie close together is shown a
second time with the passes levelled, see :func:`levelled`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from benchmarks.timing import median_and_doubt
from gradmidi.experiments.net import Net
from gradmidi.measure.probe import GradientProbe, StepNorms

LEAST_ROUNDS = 20
KEPT = 64  # rows that a receiver keeps, as live sound keeps those of half a second
SECTION_SHARE = 4  # the sections take a quarter of the time: they are seen more sharply than whole steps


class Task(NamedTuple):
    """A net with its loss on one batch of noise."""

    net: nn.Module
    loss: Callable[[nn.Module], Tensor]


class Took(NamedTuple):
    """Seconds of a step: of its forward and backward pass, and of what comes after them, the optimizer included."""

    passes: float
    rest: float


class Training:
    """A net that is trained a step at a time; each way of watching it has an own optimizer (plain SGD: no state)."""

    def __init__(self, task: Task) -> None:
        self.net = task.net
        self.loss = task.loss

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.net.parameters(), lr=1e-4)

    def weights(self) -> list[nn.Parameter]:
        return [p for name, p in self.net.named_parameters() if "weight" in name]

    def step(self, optimizer: torch.optim.Optimizer, watch: Callable[[], object] | None = None) -> Took:
        """One step, timed; ``watch`` is called between the backward pass and the optimizer."""
        synchronize(self.net)
        start = time.perf_counter()
        optimizer.zero_grad()
        self.loss(self.net).backward()
        middle = time.perf_counter()
        if watch is not None:
            watch()
        optimizer.step()
        synchronize(self.net)
        return Took(middle - start, time.perf_counter() - middle)


def synchronize(net: nn.Module) -> None:
    if next(net.parameters()).is_cuda:
        torch.cuda.synchronize()


Step = Callable[[], Took]  # takes one step, watched
T = TypeVar("T")


def unwatched(training: Training) -> Step:
    optimizer = training.optimizer()
    return lambda: training.step(optimizer)


def gradmidi_probe(training: Training) -> Step:
    optimizer = training.optimizer()
    GradientProbe(training.net, optimizer, lambda row: None)  # lives in the hooks of its optimizer
    return lambda: training.step(optimizer)


def naive_loop(training: Training) -> Step:
    """The post's own way: the norm of each layer's weight gradient, one after the other."""
    optimizer, weights = training.optimizer(), training.weights()
    return lambda: training.step(optimizer, lambda: [weight.grad.norm().item() for weight in weights])


def histograms(training: Training) -> Step:
    """What ``wandb.watch(model, log="gradients", log_freq=1)`` does: a hook and a 64-bin histogram a parameter."""

    def watch(grad: Tensor) -> None:
        flat = grad.detach().reshape(-1)
        low, high = flat.min().item(), flat.max().item()
        counts = flat.histc(bins=64, min=low, max=high)
        counts.cpu().clone().tolist(), torch.linspace(low, high, steps=65).tolist()

    optimizer = training.optimizer()
    return lambda: hooked(lambda: training.step(optimizer), [p.register_hook for p in training.net.parameters()], watch)


def backward_hooks(training: Training) -> Step:
    """A full backward hook on each module that owns weights, taking the norm of the gradient that passes."""
    found: dict[nn.Module, float] = {}

    def watch(module: nn.Module, inputs: object, outputs: tuple[Tensor, ...]) -> None:
        found[module] = outputs[0].norm().item()

    optimizer = training.optimizer()
    owners = [m for m in training.net.modules() if getattr(m, "weight", None) is not None]
    return lambda: hooked(lambda: training.step(optimizer), [m.register_full_backward_hook for m in owners], watch)


def hooked(step: Step, places: Sequence[Callable[..., Any]], watch: Callable[..., object]) -> Took:
    """The step with ``watch`` hung in at all places, and taken out again."""
    hooks = [register(watch) for register in places]
    took = step()
    for hook in hooks:
        hook.remove()
    return took


PLAIN, OURS, NAIVE, BARE = "no probe", "gradmidi", "naive loop (the post)", "bare fused norm"
WAYS: dict[str, Callable[[Training], Step]] = {
    PLAIN: unwatched,
    OURS: gradmidi_probe,
    NAIVE: naive_loop,
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


def shown(ratios: Sequence[float], digits: int) -> str:
    middle, low, high = median_and_doubt(ratios)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def rounds(ways: dict[str, Callable[[], T]], seconds: float) -> dict[str, list[T]]:
    """What every way took in each round, in a new order each time, for so many s; the first round does not count."""
    took: dict[str, list[T]] = {way: [] for way in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(took[next(iter(ways))]) < LEAST_ROUNDS:
        for way in random.sample(list(ways), len(ways)):
            took[way].append(ways[way]())
    return {way: own[1:] for way, own in took.items()}


def ratios(took: dict[str, list[float]], way: str, to: str, digits: int = 3) -> str:
    return shown([a / b for a, b in zip(took[way], took[to], strict=True)], digits)


def step_ratios(task: Task, seconds: float) -> Iterator[tuple[str, float, str]]:
    """Way, milliseconds a step, ratio to no probe."""
    training = Training(task)
    took = wholes(rounds({way: make(training) for way, make in WAYS.items()}, seconds))
    for way, own in took.items():
        yield way, 1e3 * float(np.median(own)), ratios(took, way, PLAIN)


def wholes(took: dict[str, list[Took]]) -> dict[str, list[float]]:
    return {way: [sum(one) for one in own] for way, own in took.items()}


def levelled(took: dict[str, list[Took]]) -> dict[str, list[float]]:
    """Whole steps, each with the same passes: the median of all, as no way differs from another before they are over.

    So the machine's unrest during the passes, many times what norms take, is not taken for a way's own.
    """
    common = float(np.median([one.passes for own in took.values() for one in own]))
    return {way: [common + one.rest for one in own] for way, own in took.items()}


def duel(task: Task, seconds: float) -> tuple[int, str, str]:
    """Rounds, and our whole step / that with the post's loop, as timed and levelled; no other way comes between."""
    training = Training(task)
    took = rounds({way: WAYS[way](training) for way in (OURS, NAIVE)}, seconds)
    return len(took[OURS]), ratios(wholes(took), OURS, NAIVE), ratios(levelled(took), OURS, NAIVE, digits=4)


def our_section(
    training: Training, optimizer: torch.optim.Optimizer, on_step: Callable[[StepNorms], None]
) -> Callable[[], object]:
    """The probe's hook, to be called by hand, so that only it is timed."""
    probe = GradientProbe(training.net, optimizer, on_step)
    (hook,) = optimizer._optimizer_step_pre_hooks.values()
    probe.detach()
    return lambda: hook(optimizer, (optimizer,), {})


def section_ratios(task: Task, seconds: float) -> Iterator[tuple[str, float, str]]:
    """Section, its microseconds within a training, where the gradients are fresh, and the ratio to the bare norm."""
    training = Training(task)
    weights, optimizer = training.weights(), training.optimizer()
    sections: dict[str, Callable[[], object]] = {
        BARE: lambda: torch._foreach_norm([weight.grad for weight in weights], 2, dtype=torch.float32),
        OURS: our_section(training, optimizer, lambda row: None),
        f"{OURS}, rows kept": our_section(training, optimizer, deque(maxlen=KEPT).append),
        NAIVE: lambda: [weight.grad.norm().item() for weight in weights],
    }

    def timed(section: Callable[[], object]) -> float:
        within: list[float] = []

        def watch() -> None:
            start = time.perf_counter()
            section()
            within.append(time.perf_counter() - start)

        training.step(optimizer, watch)
        return within[0]

    took = rounds({name: partial(timed, section) for name, section in sections.items()}, seconds)
    for name, own in took.items():
        yield name, 1e6 * float(np.median(own)), ratios(took, name, BARE)


def main(argv: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=90.0, help="for each net")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tables", default="steps,duels,sections", help="which of the three")
    parser.add_argument("--nets", default=",".join(TASKS))
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    random.seed(0)
    chosen = {TASKS[name][0]: TASKS[name][1](arguments.device) for name in arguments.nets.split(",")}
    where = torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU, {arguments.threads} thread(s)"
    print(f"torch {torch.__version__}, {where}, {arguments.seconds:g} s a net")
    tables = {"steps": print_steps, "duels": print_duels, "sections": print_sections}
    for table in arguments.tables.split(","):
        tables[table](chosen, arguments.seconds)


def print_steps(chosen: dict[str, Task], seconds: float) -> None:
    print("\n| net | way | ms a step | ratio to no probe (95 % confidence) |\n|---|---|---:|---:|")
    for name, task in chosen.items():
        for way, milliseconds, ratio in step_ratios(task, seconds):
            print(f"| {name} | {way} | {milliseconds:.2f} | {ratio} |", flush=True)


def print_duels(chosen: dict[str, Task], seconds: float) -> None:
    print(f"\n| net | rounds | step with {OURS} / step with {NAIVE} (95 % confidence) | passes levelled |")
    print("|---|---:|---:|---:|")
    for name, task in chosen.items():
        print("| " + " | ".join([name, *map(str, duel(task, seconds))]) + " |", flush=True)


def print_sections(chosen: dict[str, Task], seconds: float) -> None:
    print("\n| net | section | µs in a step | ratio to the bare fused norm (95 % confidence) |\n|---|---|---:|---:|")
    for name, task in chosen.items():
        for section, microseconds, ratio in section_ratios(task, seconds / SECTION_SHARE):
            print(f"| {name} | {section} | {microseconds:.1f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
