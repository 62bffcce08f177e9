"""Hears of layers that join a training: parameters that are added to an optimizer, or unfrozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradmidi.measure.standing_in import StandIn
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


class WatchedAdding(StandIn):
    """Stands in for ``optimizer.add_param_group`` and calls ``then`` after it."""

    def __init__(self, optimizer: Any, then: Callable[[], None]) -> None:
        self._then = then
        super().__init__(optimizer, "add_param_group")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self.own(*args, **kwargs)
        if not self.removed:
            self._then()
        return result
