"""Which layers are measured, and which have joined the training since: unfrozen, added to an optimizer, a new head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from torch import nn
from torch.optim import Optimizer

from gradmidi.errors import InputError
from gradmidi.measure.layers import Layer, LayerChoice, find_layers
from gradmidi.measure.steps import StandIn, out_of_graphs

NAMED = 3  # of the layers that have joined


class Newcomers(NamedTuple):
    """What has joined.

    Attributes:
        known: the measured layers, with what has joined one of them; another module's parameters where a layer was
            replaced by one of the same name.
        new: layers that were not measured so far, under names that no other has.
    """

    known: tuple[Layer, ...]
    new: tuple[Layer, ...]


class Roster:
    """The measured layers of a model.

    Args:
        model, choice, kind: as ``model``, ``layers`` and ``parameters`` of
            :func:`gradmidi.measure.layers.find_layers`.
        optimizers: which update the parameters.

    Attributes:
        layers: those that are measured.
        frozen: parameters that would join if they were unfrozen.

    Raises:
        InputError: as ``find_layers``.
    """

    def __init__(self, model: nn.Module, choice: LayerChoice, kind: str, optimizers: Sequence[Optimizer]) -> None:
        self._model = model
        self._choice = choice
        self._kind = kind
        self._optimizers = optimizers
        self._refused: set[int] = set()
        self.layers = find_layers(model, choice, kind, updated_by(optimizers))
        self.frozen = self._frozen()

    @property
    def open(self) -> bool:
        """Whether layers can join: a choice by name is final."""
        return self._choice in ("auto", "all")

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All measured parameters, in the order of the layers."""
        return [parameter for layer in self.layers for parameter in layer.parameters]

    def newcomers(self) -> Newcomers | None:
        """What has joined since; None if nothing has."""
        if not self.open:
            return None
        passed = set(map(id, self.parameters)) | self._refused
        found = self._find("auto")
        if all(id(parameter) in passed for layer in found for parameter in layer.parameters):
            self.frozen = [parameter for parameter in self.frozen if not parameter.requires_grad]
            return None
        held = set(map(id, self._model.parameters()))
        measured = {layer.name: layer for layer in self.layers}
        owner = {id(parameter): layer.name for layer in self.layers for parameter in layer.parameters}
        new: list[Layer] = []
        for layer in found:
            fresh = tuple(p for p in layer.parameters if id(p) not in passed)
            same = next((owner[id(p)] for p in layer.parameters if id(p) in owner), None)
            if same is not None:
                measured[same] = Layer(same, measured[same].parameters + fresh)
            elif fresh and layer.name in measured and not any(id(p) in held for p in measured[layer.name].parameters):
                measured[layer.name] = layer
            elif fresh:
                new.append(Layer(_unlike(layer.name, [*measured, *(one.name for one in new)]), fresh))
        return Newcomers(tuple(measured.values()), tuple(new))

    def take(self, newcomers: Newcomers, accepted: bool) -> None:
        """Measure what has joined a known layer from now on, and the new layers if they were accepted."""
        self.layers = newcomers.known + (newcomers.new if accepted else ())
        if not accepted:
            self._refused |= {id(parameter) for layer in newcomers.new for parameter in layer.parameters}
        self.frozen = self._frozen()

    def _find(self, choice: LayerChoice) -> tuple[Layer, ...]:
        try:
            return find_layers(self._model, choice, self._kind, updated_by(self._optimizers))
        except InputError:  # all of them are frozen now
            return ()

    def _frozen(self) -> list[nn.Parameter]:
        if self._choice != "auto":
            return []
        passed = set(map(id, self.parameters)) | self._refused
        updated = set(map(id, updated_by(self._optimizers)))
        everything = [parameter for layer in self._find("all") for parameter in layer.parameters]
        return [p for p in everything if id(p) in updated - passed and not p.requires_grad]


def updated_by(optimizers: Iterable[Optimizer]) -> list[nn.Parameter]:
    """All parameters of the optimizers."""
    return [parameter for one in optimizers for group in one.param_groups for parameter in group["params"]]


def joined(names: Sequence[str]) -> str:
    """Subject and verb: ``fc was unfrozen or added to the optimizer``, with only the first of many layers."""
    few = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return f"{few} {'was' if len(names) == 1 else 'were'} unfrozen or added to the optimizer"


def _unlike(name: str, taken: Sequence[str]) -> str:
    """The name, numbered if it is already in use: ``head (2)``."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


_unfrozen = attrgetter("requires_grad")


class JoinHooks:
    """Calls ``then`` after parameters were added to an optimizer, and at a step at which a frozen one is no longer so.

    A step costs some 20 to 40 ns for each frozen parameter of the optimizers, nothing if there are none.

    Args:
        given: the optimizers as the user has them, perhaps wrappers, and those inside.
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
        """Remove everything; may be called twice."""
        for hook in self._hung:
            hook.remove()
        self._hung.clear()


class WatchedAdding(StandIn):
    """Replaces ``optimizer.add_param_group`` and calls ``then`` after it."""

    def __init__(self, optimizer: Any, then: Callable[[], None]) -> None:
        self._then = then
        super().__init__(optimizer, "add_param_group")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self.own(*args, **kwargs)
        if not self.removed:
            self._then()
        return result
