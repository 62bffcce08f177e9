"""The listener: learns regimes from some kinds of run, and is asked about others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
TREES = 300


class Told(NamedTuple):
    """What was true and what the listener said, K each."""

    true: NDArray[np.str_]
    said: NDArray[np.str_]

    @property
    def accuracy(self) -> float:
        return float((self.true == self.said).mean())

    def recall(self, regime: str) -> float:
        """Share of a regime that was heard as such; nan where there is none."""
        at = self.true == regime
        return float((self.said[at] == regime).mean()) if at.any() else float("nan")

    @property
    def balanced(self) -> float:
        """Mean recall of the regimes."""
        return float(np.mean([self.recall(regime) for regime in np.unique(self.true)]))


def leave_one_out(
    learn: Floats, learnt: Sequence[str], by: Sequence[str], ask: Floats, asked: Sequence[str], ask_by: Sequence[str],
    model: str = "forest",
) -> Told:  # fmt: skip
    """Each group of ``ask`` is answered by a listener that has learnt from all other groups.

    Args:
        learn: (N, F) features, with ``learnt`` (N,) regimes and ``by`` (N,) groups.
        ask: (K, F) features, with ``asked`` (K,) regimes and ``ask_by`` (K,) groups.
        model: ``forest`` or ``logistic``.
    """
    true, groups, others = np.array(asked), np.array(ask_by), np.array(by)
    said = np.empty(len(true), dtype="U12")
    for group in np.unique(groups):
        mine, theirs = groups == group, others != group
        said[mine] = _model(model).fit(learn[theirs], np.array(learnt)[theirs]).predict(ask[mine])
    return Told(true, said)


def confusion(told: Told) -> str:
    """A table: rows are what was true, columns what was said."""
    names = sorted({*told.true.tolist(), *told.said.tolist()})
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for name in sorted(set(told.true.tolist())):
        counts = [int(((told.true == name) & (told.said == other)).sum()) for other in names]
        lines.append(f"| {name} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _model(name: str):  # type: ignore[no-untyped-def]
    if name == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced"))
    return RandomForestClassifier(
        TREES, class_weight="balanced_subsample", min_samples_leaf=2, random_state=0, n_jobs=2
    )
