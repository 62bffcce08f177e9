"""The probe against norms that plain autograd gives on a copy."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from gradmidi.errors import TrainingWarning
from gradmidi.measure.probe import GradientProbe, StepNorms
from tests.measure.nets import small_net, train


def test_every_step_gives_one_row_of_weight_norms_in_forward_order() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append) as probe:
        expected = train(model, optimizer, 4)
    assert probe.layers == ("0", "2")
    assert [row.step for row in rows] == [0, 1, 2, 3]
    np.testing.assert_allclose([row.norms for row in rows], expected, rtol=1e-6)
    assert not np.any([row.gaps for row in rows])


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_weights_are_bit_identical_with_and_without(kind: type[torch.optim.Optimizer]) -> None:
    with_probe, without = small_net(), small_net()
    first, second = kind(with_probe.parameters(), lr=0.1), kind(without.parameters(), lr=0.1)
    with GradientProbe(with_probe, first, lambda row: None):
        train(with_probe, first, 50)
    train(without, second, 50)
    for a, b in zip(with_probe.parameters(), without.parameters(), strict=True):
        assert torch.equal(a, b)


def test_after_detach_no_hook_is_left() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = copy.copy(optimizer._optimizer_step_pre_hooks)
    probe = GradientProbe(model, optimizer, rows.append)
    probe.detach()
    probe.detach()
    train(model, optimizer, 2)
    assert not rows
    assert optimizer._optimizer_step_pre_hooks == before


def test_a_failing_receiver_warns_once_and_the_training_goes_on() -> None:
    def fail(row: StepNorms) -> None:
        raise RuntimeError("my receiver is broken")

    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    GradientProbe(model, optimizer, fail)
    with pytest.warns(TrainingWarning, match="my receiver is broken") as caught:
        train(model, optimizer, 3)
    assert len(caught) == 1
