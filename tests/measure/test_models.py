"""What is given instead of a model is told with the line to write."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gradmidi.errors import InputError
from gradmidi.session import listen
from tests.measure.nets import small_net


class MyGenerator(nn.Linear):
    pass


PAIR = r'nn\.ModuleDict\(\{"my_generator": my_generator, "linear": linear, "linear_2": linear_2\}\)'


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda m: [MyGenerator(2, 2), m, nn.Linear(2, 2)], PAIR),
        (lambda m: (MyGenerator(2, 2), m, nn.Linear(2, 2)), PAIR),
        (lambda m: {"g": m, "d": nn.Linear(2, 2)}, r"nn\.ModuleDict\(your_dict\)"),
        (lambda m: {"g.1": m}, "name_without_dots"),
        (lambda m: torch.optim.SGD(m.parameters()), r"SGD is an optimizer; give the model first"),
        (lambda m: m.parameters(), "generator is not an nn.Module; give the network"),
        (lambda m: "resnet18", "str is not an nn.Module"),
        (lambda m: [], "list is not an nn.Module"),
        (lambda m: None, "NoneType is not an nn.Module"),
    ],
)
def test_what_is_no_module(wrong: Any, message: str) -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InputError, match=message):
        listen(wrong(model), optimizer)
    assert not optimizer._optimizer_step_pre_hooks


def test_the_line_that_is_proposed_works() -> None:
    first, second = small_net(), small_net(1)
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (first, second)]
    with listen(nn.ModuleDict({"first": first, "second": second}), optimizers) as session:
        assert session.layers == ("first.0", "first.2", "second.0", "second.2")
