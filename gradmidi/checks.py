"""What an argument is, before it is used."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np


def is_number(value: object) -> TypeGuard[float]:
    """Whether ``value`` is a real number of Python's or NumPy's; True and False are not."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
