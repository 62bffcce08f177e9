"""Hears of layers that join a training: parameters that are added to an optimizer, or unfrozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradmidi.measure.steps import out_of_graphs

_unfrozen = attrgetter("requires_grad")


class JoinHooks:
    """Calls ``then`` after parameters were added to an optimizer, and at a step at which a frozen one is no longer so.

    A step costs some 20 to 40 ns for each frozen parameter of the optimizers, nothing if there are none.

    Args:
        given: the optimizers as the person has them, perhaps wrappers, and those inside.
        optimizers: whose steps are made.
        frozen: gives the parameters that may be unfrozen.
        then: must not raise.
    """

    def __init__(
        self,
        given: Sequence[Any],
        optimizers: Sequence[Optimizer],
        frozen: Callable[[], Sequence[nn.Parameter]],
        then: Callable[[], None],
    ) -> None:
        self._frozen = frozen
        self._then = then
        each = {id(one): one for one in [*given, *optimizers]}.values()
        self._hung: list[Any] = [WatchedAdding(one, then) for one in each if hasattr(one, "add_param_group")]
        if frozen():
            look = out_of_graphs(self._look)
            self._hung += [one.register_step_pre_hook(look) for one in optimizers]

    def _look(self, *given: Any) -> None:
        if any(map(_unfrozen, self._frozen())):
            self._then()

    def remove(self) -> None:
        """Take everything out; may be called twice."""
        for hook in self._hung:
            hook.remove()
        self._hung.clear()


class WatchedAdding:
    """Stands in for ``optimizer.add_param_group``. Pickles as the optimizer's own method."""

    def __init__(self, optimizer: Any, then: Callable[[], None]) -> None:
        self._optimizer = optimizer
        self._before = vars(optimizer).get("add_param_group")
        self._own = optimizer.add_param_group
        self._then = then
        optimizer.add_param_group = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._own(*args, **kwargs)
        self._then()
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._optimizer, "add_param_group")

    def remove(self) -> None:
        """Put back what was there before."""
        self._then = _nothing  # in case another watcher was hung over this one and calls it
        if vars(self._optimizer).get("add_param_group") is self:
            del self._optimizer.add_param_group
            if self._before is not None:
                self._optimizer.add_param_group = self._before


def _nothing() -> None:
    """What is left to do after a removal."""
