"""Checks of the numbers given to a recording, and lists of names short enough for a message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown

SHOWN = 12  # names in a message
LARGEST = np.iinfo(np.int64).max


def numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """``values`` as float64, of any shape; not copied if they are float64 already.

    Raises:
        InputError: they are not real numbers, or rows of different lengths.
    """
    try:
        with np.errstate(over="ignore"):  # a long double beyond float64 is inf
            found = np.asarray(values)
            if found.dtype.kind in "biufO":
                return found.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{name} must be real numbers in rows of equal length")


def whole_numbers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """``values`` (N,) as int64, never wrapped or truncated.

    Raises:
        InputError: a value is not an integer or exceeds 64 bits, or they are not one row.
    """
    try:
        found = np.asarray(values)
        if found.dtype.kind == "O":  # Python integers may exceed 64 bits
            found = np.array([index(value) for value in found.tolist()], dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} must be one row of whole numbers of 64 bits") from None
    if found.ndim != 1 or found.dtype.kind not in "biuf":
        raise InputError(
            f"{name} must be one row of whole numbers of 64 bits, not {found.dtype} of shape {found.shape}"
        )
    wrong = found[~_fits(found)]
    if len(wrong):
        raise InputError(f"{name} must be whole numbers of 64 bits; {shown(wrong[0].item())} is not one")
    return found.astype(np.int64, copy=False)


def twice(names: Sequence[str]) -> str:
    """One of the names that appear more than once."""
    return Counter(names).most_common(1)[0][0]


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first dozen of them."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _fits(found: NDArray[Any]) -> NDArray[np.bool_]:
    fits = np.ones(found.shape, dtype=bool)
    if found.dtype.kind == "u":
        fits &= found <= np.uint64(LARGEST)
    if found.dtype.kind == "f":
        fits &= (found == np.floor(found)) & (found >= -(2.0**63)) & (found < 2.0**63)
    return fits
