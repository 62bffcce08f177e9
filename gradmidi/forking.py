"""What a forked child inherits of ours, such as an open recording, and leaves to its parent.

``os.fork``, multiprocessing and DataLoader workers copy the whole process: descriptors with their offsets, hooks, the
pipe to the player. In the child each of these falls silent before any other code runs, at no cost per step.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet


class Inherited(Protocol):
    """Something that only the process that made it may use."""

    def leave_to_parent(self) -> None:
        """Called in the child, once: from now on write, play and close nothing that is shared with the parent."""


_ours: WeakSet[Inherited] = WeakSet()


def keep_from_children(thing: Inherited) -> None:
    """Have ``thing.leave_to_parent()`` called in every child that is forked while it lives."""
    _ours.add(thing)


def turn_to_nothing(descriptor: int) -> None:
    """Redirect a descriptor to nowhere: writing to it or closing it no longer affects the parent's file."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def _in_child() -> None:
    for thing in list(_ours):
        # One that fails must not keep the others from falling silent.
        with suppress(Exception):
            thing.leave_to_parent()
    _ours.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
