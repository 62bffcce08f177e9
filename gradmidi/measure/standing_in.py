"""Standing in for a method of someone else's object, so as to be told of its calls."""

from __future__ import annotations

from typing import Any


class StandIn:
    """Hangs itself over ``owner.name``; a subclass is called in its place and calls :attr:`own`.

    Several may be hung one over the other, and removed in any order. Pickles as the owner's own method, so that the
    owner can be saved meanwhile.

    Attributes:
        own: what was there before, bound.
        removed: whether it only passes calls on.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self.own = getattr(owner, name)
        self.removed = False
        self._owner = owner
        self._name = name
        self._before = vars(owner).get(name)
        setattr(owner, name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._owner, self._name)

    def remove(self) -> None:
        """Put back what was there before; one that another hangs over stays until that one goes, and is idle."""
        self.removed = True
        attributes = vars(self._owner)
        while isinstance(top := attributes.get(self._name), StandIn) and top.removed:
            delattr(self._owner, self._name)
            if top._before is not None:
                setattr(self._owner, self._name, top._before)
