"""The clinic's runs on disk: one compact file each, and one with what is known of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.clinic.truth import Truth, ratios
from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.recording import Recording

TRUTHS = "truth.json"
NORM_BITS, RATIO_BITS = 12, 8  # of the 23 binary digits of a float32 that are kept: relative errors of 1e-4 and 2e-3


class Run(NamedTuple):
    """A training of the clinic.

    Attributes:
        name: ``architecture.fault.seed``.
        recording: norms, update ratios (metrics ``"update_ratio LAYER"``) and ``loss`` of each step.
        truth: what is known of it.
    """

    name: str
    recording: Recording
    truth: Truth


def load_runs(folder: str | Path, only: str = "*") -> Iterator[Run]:
    """The runs in a folder that were made and judged, one at a time, in the order of their names.

    Args:
        folder: made by ``python -m benchmarks.clinic make --data FOLDER``.
        only: a glob that a run's name has to match, such as ``"lstm.*"``.

    Raises:
        InputError: there is no clinic in the folder.
    """
    for name, truth in sorted(load_truths(Path(folder)).items()):
        if fnmatchcase(name, only):
            yield Run(name, load(path_of(Path(folder), name)), truth)


def load_truths(folder: Path) -> dict[str, Truth]:
    """What is known of each run, by name.

    Raises:
        InputError: there is no clinic in the folder.
    """
    try:
        rows = json.loads((folder / TRUTHS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no {TRUTHS}; make the clinic with: python -m benchmarks.clinic make --data {folder}"
        ) from None
    return {name: Truth(**{**row, "layers": tuple(row["layers"])}) for name, row in rows.items()}


def save_truths(folder: Path, truths: Mapping[str, Truth]) -> None:
    """Write what is known of the runs, one line each."""
    lines = [f"{json.dumps(name)}: {json.dumps(truth._asdict())}" for name, truth in sorted(truths.items())]
    with whole_file(folder / TRUTHS) as file:
        file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())


def path_of(folder: Path, name: str) -> Path:
    """Where a run's recording is kept."""
    return folder / f"{name}.npz"


def save(recording: Recording, path: Path) -> None:
    """Write a recording of steps 0, 1, 2 …; numbers are rounded as :data:`NORM_BITS` and :data:`RATIO_BITS` say."""
    head = {"layers": recording.layers, "meta": dict(recording.meta)}
    with whole_file(path) as file:
        np.savez_compressed(
            file,
            head=np.array(json.dumps(head)),
            norms=_packed(recording.norms, NORM_BITS),
            loss=_packed(recording.metrics["loss"], NORM_BITS),
            ratios=_packed(ratios(recording), RATIO_BITS),
            gaps=np.packbits(recording.gaps, axis=0),
        )


def load(path: Path) -> Recording:
    """A recording that :func:`save` wrote."""
    with np.load(path) as file:
        head: dict[str, Any] = json.loads(str(file["head"]))
        norms, loss, updates = (_unpacked(file[name]) for name in ("norms", "loss", "ratios"))
        gaps = np.unpackbits(file["gaps"], axis=0, count=len(norms)).astype(bool)
    columns = {f"update_ratio {layer}": updates[:, i] for i, layer in enumerate(head["layers"])}
    return Recording(tuple(head["layers"]), np.arange(len(norms)), norms, {"loss": loss, **columns}, head["meta"], gaps)


def _packed(values: NDArray[np.float64], bits: int) -> NDArray[np.uint8]:
    """Rounded float32 as planes of bytes (4, ...), which compress better; NaN, Inf and 0 stay what they are."""
    with np.errstate(over="ignore"):
        plain = values.astype(np.float32)
    drop = 23 - bits
    rounded = ((plain.view(np.uint32) + np.uint32(1 << drop - 1)) >> drop << drop).view(np.float32)
    kept = np.where(np.isfinite(plain) & np.isfinite(rounded) & (rounded != 0), rounded, plain)
    return np.ascontiguousarray(np.moveaxis(kept[..., None].view(np.uint8), -1, 0))


def _unpacked(planes: NDArray[np.uint8]) -> NDArray[np.float64]:
    joined = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view(np.float32)[..., 0]
    return joined.astype(np.float64)
