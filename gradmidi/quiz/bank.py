"""The runs of the quiz, each with what is known of it: a small file that ships with the package.

They are taken from the clinic of ``benchmarks/clinic`` by ``python -m benchmarks.clinic quiz``, whose table names each
run and says which faults are recorded and which are constructed. The runs of trials are from the half that no rule and
no sound was tuned on; those of the practice round are others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.recording import Recording

BANK = Path(__file__).with_name("runs.npz")
HEALTHY = "healthy"
# What can be heard, in the order of the question, with what is told of it in the practice round.
KINDS = {
    HEALTHY: "nothing is wrong; the norms wander a little",
    "noisy": "the norms jump wildly from step to step",
    "exploding": "the norms become many times larger",
    "vanishing": "the norms become many times smaller, but not zero",
    "dead": "the norms of some layers are exactly zero",
    "nan": "the norms are not numbers any more",
}
BITS = 8  # binary digits of a norm that are kept: a relative error of 0.2 %, a thirtieth of a semitone


class Known(NamedTuple):
    """A run with its truth.

    Attributes:
        name: of the clinic's run, and of the construction if there is one.
        kind: a name in :data:`KINDS`.
        recording: norms of each step, with the metric ``loss``; it begins well before the onset.
        onset: the row from which the fault is in the norms; in a healthy run a row in the middle.
        layers: those that are affected; none in a healthy run.
        practice: whether it belongs to the practice round.
    """

    name: str
    kind: str
    recording: Recording
    onset: int
    layers: tuple[str, ...]
    practice: bool


@cache
def known_runs() -> tuple[Known, ...]:
    """Every run that ships with the package."""
    with np.load(BANK) as file:
        heads: list[dict[str, Any]] = json.loads(str(file["heads"]))
        return tuple(_known(head, _unpacked(file[f"run{i}"])) for i, head in enumerate(heads))


def chosen_kinds(text: str | None) -> tuple[str, ...]:
    """The kinds that a comma-separated list names, in the order of :data:`KINDS`; all of them for None.

    Raises:
        InputError: a name that is not a kind, or fewer than two kinds.
    """
    if text is None:
        return tuple(KINDS)
    wanted = {name.strip().lower() for name in text.split(",") if name.strip()}
    if unknown := sorted(wanted - KINDS.keys()):
        raise InputError(f"there is no kind {unknown[0]!r}; the kinds are {', '.join(KINDS)}")
    if len(wanted) < 2:
        raise InputError("a quiz needs at least two kinds to tell apart, such as healthy,dead")
    return tuple(kind for kind in KINDS if kind in wanted)


def named(kind: str) -> str:
    """A kind for people to read."""
    return "NaN" if kind == "nan" else kind


def save_runs(runs: Sequence[Known], path: Path = BANK) -> None:
    """Write the file that :func:`known_runs` reads."""
    heads = [
        {
            "name": run.name,
            "kind": run.kind,
            "onset": run.onset,
            "layers": run.recording.layers,
            "affected": run.layers,
            "practice": run.practice,
        }
        for run in runs
    ]
    tables = (np.column_stack([run.recording.norms, run.recording.metrics["loss"]]) for run in runs)
    with whole_file(path) as file:
        packed = {f"run{i}": table for i, table in enumerate(_packed(tables))}
        np.savez_compressed(file, heads=np.array(json.dumps(heads)), **packed)  # type: ignore[arg-type]


def _known(head: dict[str, Any], table: NDArray[np.float64]) -> Known:
    layers = tuple(head["layers"])
    recording = Recording.from_arrays(table[:, :-1], layers, loss=table[:, -1])
    return Known(head["name"], head["kind"], recording, head["onset"], tuple(head["affected"]), head["practice"])


def _packed(tables: Iterable[NDArray[np.float64]]) -> Iterable[NDArray[np.uint8]]:
    """Rounded float32 as planes of bytes (4, ...), which compress better; NaN, Inf and 0 stay what they are."""
    drop = 23 - BITS
    for table in tables:
        with np.errstate(over="ignore"):
            plain = table.astype(np.float32)
        rounded = ((plain.view(np.uint32) + np.uint32(1 << drop - 1)) >> drop << drop).view(np.float32)
        kept = np.where(np.isfinite(plain) & (plain != 0), rounded, plain)
        yield np.ascontiguousarray(np.moveaxis(kept[..., None].view(np.uint8), -1, 0))


def _unpacked(planes: NDArray[np.uint8]) -> NDArray[np.float64]:
    joined = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view(np.float32)[..., 0]
    return joined.astype(np.float64)
