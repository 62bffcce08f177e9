"""The primary task of the dual protocol: sums of two numbers, on the screen."""

from __future__ import annotations

import random

LOWEST, HIGHEST = 12, 89


class Sums:
    """One sum after another, drawn by a seed, and how many were answered.

    Attributes:
        answered, right: counts.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.answered = self.right = 0
        self._a = self._b = 0

    def ask(self) -> str:
        """The text of the next sum."""
        self._a, self._b = self._draw.randint(LOWEST, HIGHEST), self._draw.randint(2, 9)
        return f"{self._a} + {self._b} = ?"

    def take(self, answer: int) -> None:
        """Count an answer to the sum that was asked last."""
        self.answered += 1
        self.right += answer == self._a + self._b
