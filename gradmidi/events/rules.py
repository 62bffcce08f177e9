"""What the rules have in common: what they report, and their parameters in one table."""

from __future__ import annotations

from typing import NamedTuple

from gradmidi.events.event import ONSET


class Found(NamedTuple):
    """What a rule has found at a row; rows are counted from the start of the run.

    Attributes:
        row: at which it was decided.
        kind: a name in :data:`gradmidi.events.KINDS`.
        layers: columns, the one that shows it first or most at the front; empty for the loss.
        since: row of the first evidence.
        phase: ``"onset"`` or ``"recovered"``.
        value: the figure that decided.
        usual: what it was compared with.
    """

    row: int
    kind: str
    layers: tuple[int, ...]
    since: int
    phase: str = ONSET
    value: float = float("nan")
    usual: float = float("nan")


class Parameters(NamedTuple):
    """The figures of all rules; steps are measured steps, ratios are of gradient norms unless stated otherwise.

    Attributes:
        warm_up: steps before any norm counts as usual; until then only a much larger one is a spike.
        half_life: steps in which the leaking peak falls to a half.
        spike: ratio of the whole gradient's norm to its leaking peak, from which a step is a spike.
        early_spike: the same ratio to the largest norm of the first five steps, within the warm-up.
        explosion: ratio of the median of ten steps to the leaking peak before, from which it is an explosion.
        drift: ratio of the median of fifty steps to that of the warm-up.
        vanishing_beside: ratio of a layer's median norm to that of the layer with the largest one.
        bad_start: norm of the whole gradient in the warm-up from which it is a bad start, where the loss is not known.
        steep: the same relative to the loss, and at least.
        zero: share of steps with a gradient of exactly zero.
        frozen: update ratio below which weights do not move, while the loss has not fallen to half of its first value.
        braked: update ratio relative to that of the ten steps before, below which weights have stopped moving.
        noise: mean absolute change of ln(norm) from step to step.
        noise_growth: the same as a ratio to the smallest one before.
        loss_spike: ratio of the loss to its leaking peak.
        plateau: a loss that has not fallen below this share of its first value is stuck.
        plateau_steps: after so many steps.
        quiet: steps without evidence after which a fault is over.
    """

    warm_up: int = 20
    half_life: float = 500.0
    spike: float = 10.0
    early_spike: float = 30.0
    explosion: float = 10.0
    drift: float = 25.0
    vanishing_beside: float = 1e-4
    bad_start: float = 1000.0
    steep: float = 3.0
    zero: float = 0.7
    frozen: float = 1e-7
    braked: float = 1e-3
    noise: float = 1.0
    noise_growth: float = 4.0
    loss_spike: float = 10.0
    plateau: float = 0.88
    plateau_steps: int = 300
    quiet: int = 50


DEFAULTS = Parameters()
