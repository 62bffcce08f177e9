"""Timing several ways of doing one thing in turn, so that a machine whose speed drifts treats them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np


def paired(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each of ``rounds`` rounds, A B C A B C …, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(rounds + 1):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            if round_number:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over the rounds of ours / theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def median_and_doubt(values: Sequence[float], draws: int = 2000) -> tuple[float, float, float]:
    """The median, and from where to where it lies with 95 % confidence: the percentile bootstrap (Efron 1979)."""
    drawn = np.random.default_rng(0).choice(np.asarray(values), (draws, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return float(np.median(values)), float(low), float(high)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
