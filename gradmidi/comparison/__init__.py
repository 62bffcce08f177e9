"""Two runs against each other: what differs, as numbers, in words, as a picture and by ear."""

from gradmidi.comparison.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
