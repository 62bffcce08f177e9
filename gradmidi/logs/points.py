"""What readers of logs share: series that grow, steps, and files that may be missing."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np

from gradmidi.errors import InputError
from gradmidi.logs.series import Series


class Points:
    """Series that grow a point at a time."""

    def __init__(self) -> None:
        self.steps, self.values = array("q"), array("d")

    def add(self, step: int, value: float) -> None:
        """One more point."""
        self.steps.append(step)
        self.values.append(value)

    def keep_before(self, step: int) -> None:
        """Forget the points at ``step`` and later ones."""
        kept = [(at, value) for at, value in zip(self.steps, self.values, strict=True) if at < step]
        self.steps, self.values = array("q", [at for at, _ in kept]), array("d", [value for _, value in kept])

    def series(self) -> Series:
        """All points so far."""
        return Series(np.array(self.steps, dtype=np.int64), np.array(self.values, dtype=np.float64))


def whole_number(value: float, where: str, column: str) -> int:
    """A step.

    Raises:
        InputError: it is not a whole number that 64 bits hold.
    """
    if not abs(value) < 2**63 or value != int(value):
        raise InputError(f"{where}: the column {column!r} must hold whole numbers, not {value:g}")
    return int(value)


def opened(path: Path) -> Any:
    """The file, open for bytes.

    Raises:
        InputError: it is missing or cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the log of a run") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
