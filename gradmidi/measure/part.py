"""One optimizer's share of the measured parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from gradmidi.measure.amp import scalars_of
from gradmidi.measure.layers import Layer
from gradmidi.measure.reading import LocalReader, Reader, Reading
from gradmidi.measure.row import RATE
from gradmidi.measure.setups import is_sharded


class OptimizerPart:
    """Reads the measured parameters that one optimizer updates; follows groups that are added to it later.

    Args:
        optimizer: whose parameters.
        layers: all measured layers; a parameter's position counts through them.
        terms: what is read of each parameter.
        needs_rates: whether the layers' learning rates come along.

    Attributes:
        positions: (K,) where the optimizer's parameters stand among all P.
    """

    def __init__(self, optimizer: Optimizer, layers: Sequence[Layer], terms: Sequence[str], needs_rates: bool) -> None:
        self.optimizer = optimizer
        self.positions: Sequence[int] = ()
        self.reader: Reader
        self._layers = layers
        self._terms = terms
        self._needs_rates = needs_rates
        self._rates: dict[str, int] = {}
        self._known: list[int] = []
        self._follow()

    def read(self, notes: Mapping[str, float | Tensor]) -> Reading:
        """Start reading, with ``notes`` aboard."""
        if [len(group["params"]) for group in self.optimizer.param_groups] != self._known:
            self._follow()
        scalars = {**notes, **scalars_of(self.optimizer)}
        if self._needs_rates:
            groups = self.optimizer.param_groups
            scalars |= {RATE + layer: groups[index]["lr"] for layer, index in self._rates.items()}
        return self.reader.read(scalars)

    def complete(self, reading: Reading, notes: Mapping[str, float | Tensor]) -> Reading:
        """A reading that was started before the step, with what is known at the step."""
        late = {name: value for name, value in scalars_of(self.optimizer).items() if name != "grad_scale"}
        return self.reader.copies.add(reading, {**notes, **late})

    def _follow(self) -> None:
        groups = self.optimizer.param_groups
        self._known = [len(group["params"]) for group in groups]
        group_of = {id(parameter): index for index, group in enumerate(groups) for parameter in group["params"]}
        everything = [(layer.name, parameter) for layer in self._layers for parameter in layer.parameters]
        positions = [i for i, (_, parameter) in enumerate(everything) if id(parameter) in group_of]
        owned = [everything[i] for i in positions]
        whole = range(len(everything))
        self.positions = whole if positions == list(whole) else positions
        self._rates = {name: group_of[id(parameter)] for name, parameter in reversed(owned)}
        self.reader = _reader([parameter for _, parameter in owned], self._terms)


def _reader(parameters: Sequence[nn.Parameter], terms: Sequence[str]) -> Reader:
    if any(is_sharded(parameter) for parameter in parameters):
        from gradmidi.measure.sharded import ShardedReader

        return ShardedReader(parameters, terms)
    return LocalReader(parameters, terms)
