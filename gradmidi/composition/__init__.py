"""Recording → Score: mapping, events, voices and timing; pure, the same code for one live step and a million."""

from gradmidi.composition.composer import Composer, compose

__all__ = ["Composer", "compose"]
