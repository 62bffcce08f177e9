"""Six runs on which gradmidi's old rules misfired: what these say, and what ours say."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

import gradmidi
from benchmarks.clinic.published import Alarm, old
from benchmarks.clinic.training import QUANTITIES, Training
from benchmarks.clinic.verdicts import markdown
from benchmarks.clinic.wards import WARDS
from gradmidi.events import ONGOING, find_events
from gradmidi.recording import Recording

EARLY = 20  # steps
FEW = 6  # so many events are named
GROWN = 1e5  # a slow divergence ends when the whole gradient has grown so many times
BATCH = 64

Figure = Callable[[list[list[Alarm]], list[Recording]], str]


class Target(NamedTuple):
    """A row of the table.

    Attributes:
        what: was measured.
        goal: of the figure.
        runs: the trainings.
        figure: from the events of each run, and the runs, to what is printed.
        kinds: of event that count; all of them if there are none.
    """

    what: str
    goal: str
    runs: Callable[[], Iterator[Recording]]
    figure: Figure
    kinds: tuple[str, ...] = ()


def targets() -> str:
    """The trainings are made, and the table with a row for each target."""
    rows = []
    for target in TARGETS:
        recordings = list(target.runs())
        said = ([old(one) for one in recordings], [_events(one) for one in recordings])
        figures = [target.figure([_counting(one, target.kinds) for one in each], recordings) for each in said]
        rows.append([target.what, *figures, target.goal])
    return markdown(["what", "20 × running mean", "gradmidi", "goal"], rows)


def _events(recording: Recording) -> list[Alarm]:
    """Our onsets and recoveries: all that a person is told while the run goes on."""
    return [
        Alarm(event.row, event.kind, event.layer, event.phase)
        for event in find_events(recording)
        if event.phase != ONGOING and event.kind != "finished"
    ]


def _counting(alarms: list[Alarm], kinds: tuple[str, ...]) -> list[Alarm]:
    return [alarm for alarm in alarms if not kinds or alarm.kind in kinds]


def converging() -> Iterator[Recording]:
    """Healthy: a perceptron learns 4,000 digits by heart in 10,000 steps."""
    yield _healthy(10_000, batch=16, lr=0.1, momentum=0.5, weight_decay=0.0)


def lasting_fault() -> Iterator[Recording]:
    """A perceptron whose input is NaN in steps 300 to 599, each of which its script undoes."""
    training = Training(WARDS["mlp"], WARDS["mlp"].recipe, 0)
    training.on_inputs.append(lambda numbers: numbers * math.nan if 300 <= training.step < 600 else numbers)
    good = copy.deepcopy(training.net.state_dict())

    def undo(*_: object) -> None:
        if any(bool(value.isnan().any()) for value in training.net.state_dict().values()):
            training.net.load_state_dict(good)
            training.optimizer.state.clear()
        else:
            good.update(copy.deepcopy(training.net.state_dict()))

    training.optimizer.register_step_post_hook(undo)
    yield training.record(1000)


def weak_beginning() -> Iterator[Recording]:
    """Healthy: five perceptrons whose last layer begins near zero, so that the others' first gradients are tiny."""
    for seed in range(5):
        training = Training(WARDS["mlp"], WARDS["mlp"].recipe, seed)
        with torch.no_grad():
            training.net.get_parameter("fc4.weight").mul_(1e-3)
        yield training.record(600)


def flickering() -> Iterator[Recording]:
    """A perceptron of which, from step 300 on, four gradients in five are exactly 0 below the second layer."""
    training = Training(WARDS["mlp"], WARDS["mlp"].recipe, 0)
    draw = torch.Generator().manual_seed(0)

    def cut(module: nn.Module, args: object, output: Tensor) -> Tensor:
        dead = training.step >= 300 and float(torch.rand((), generator=draw)) < 0.8
        return output.detach() + 0.0 * output if dead else output

    training.module("fc2").register_forward_hook(cut)
    yield training.record(1000)


def diverging() -> Iterator[Recording]:
    """Eight linear regressions with a learning rate just above the limit, 2 / the largest curvature.

    There the gradient grows by the same small factor each step, until it has grown 100,000 times.
    """
    for growth in (1.004, 1.006, 1.01, 1.02):
        for seed in (0, 1):
            torch.manual_seed(seed)
            net = nn.Sequential(nn.Linear(16, 1))
            inputs = torch.randn(BATCH, 16)
            targets = inputs @ torch.randn(16, 1) + 0.1 * torch.randn(BATCH, 1)
            wide = torch.cat([inputs, torch.ones(BATCH, 1)], dim=1)
            curvature = float(torch.linalg.eigvalsh(2 * wide.T @ wide / BATCH)[-1])
            optimizer = torch.optim.SGD(net.parameters(), lr=(1 + growth) / curvature)
            steps = math.ceil(math.log(GROWN) / math.log(growth)) + 300
            yield _trained(net, optimizer, steps, lambda net=net, x=inputs, y=targets: (net(x) - y).square().mean())


def other_look() -> Iterator[Recording]:
    """Healthy: small tanh nets, one that learns a sine with Adam and two that tell two half-moons apart with SGD."""
    for seed, outputs, make in ((0, 1, _sine), (0, 2, _moons), (1, 2, _moons)):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(outputs, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, outputs))
        yield make(net)


def _sine(net: nn.Module) -> Recording:
    def loss() -> Tensor:
        x = 6 * torch.rand(16, 1) - 3
        return (net(x) - torch.sin(2 * x) - 0.05 * torch.randn(16, 1)).square().mean()

    return _trained(net, torch.optim.Adam(net.parameters(), lr=2e-3), 6000, loss)


def _moons(net: nn.Module) -> Recording:
    def loss() -> Tensor:
        side, angle = torch.randint(0, 2, (8,)), math.pi * torch.rand(8)
        x = torch.stack([torch.cos(angle) * (1 - 2 * side) + side, torch.sin(angle) * (1 - 2 * side) + side / 2], dim=1)
        return nn.functional.cross_entropy(net(x + 0.1 * torch.randn(8, 2)), side)

    return _trained(net, torch.optim.SGD(net.parameters(), lr=0.1), 6000, loss)


def _healthy(steps: int, **recipe: float) -> Recording:
    ward = WARDS["mlp"]
    return Training(ward, ward.recipe._replace(steps=steps, **recipe), 0).record(steps)  # type: ignore[arg-type]


def _trained(
    net: nn.Module, optimizer: torch.optim.Optimizer, steps: int, make_loss: Callable[[], Tensor]
) -> Recording:
    with (
        warnings.catch_warnings(action="ignore"),
        gradmidi.listen(net, optimizer, quantities=QUANTITIES, metrics=("loss",)) as session,
    ):
        for _ in range(steps):
            optimizer.zero_grad()
            session.loss(make_loss()).backward()
            optimizer.step()
    return session.recording


def _per(steps: int) -> Figure:
    def figure(said: list[list[Alarm]], recordings: list[Recording]) -> str:
        return f"{steps * sum(map(len, said)) / sum(map(len, recordings)):.3g}"

    return figure


def _runs_marked(said: list[list[Alarm]], recordings: list[Recording]) -> str:
    return f"{sum(map(bool, said))} of {len(recordings)}"


def _count(said: list[list[Alarm]], recordings: list[Recording]) -> str:
    """How many in the first run, and which, if there are few."""
    told = ", ".join(f"{one.kind} {one.text} at {one.row}" for one in said[0])
    return f"{len(said[0])}" + (f" ({told})" if len(said[0]) < FEW else "")


def _count_early(said: list[list[Alarm]], recordings: list[Recording]) -> str:
    return f"{sum(alarm.row < EARLY for one in said for alarm in one)}"


TARGETS = (
    Target(
        "healthy 10,000 steps that converge: explosion marks per 200 steps",
        "≤ 0.02",
        converging,
        _per(200),
        ("explosion", "spike", "drift"),
    ),
    Target("slow divergence to 1e5: runs marked", "8 of 8", diverging, _runs_marked, ("explosion", "drift")),
    Target("one lasting fault, NaN for 300 steps: events", "2: onset, recovery", lasting_fault, _count),
    Target(f"first gradients of five runs near zero: events in {EARLY} steps", "0", weak_beginning, _count_early),
    Target("flickering zeros: events", "1", flickering, _count),
    Target("toys of another look, three times 6,000 healthy steps: events in 10,000", "≤ 1", other_look, _per(10_000)),
)
