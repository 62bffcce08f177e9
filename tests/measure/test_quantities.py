"""Every quantity against its definition, computed in float64 on flattened gradients."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradmidi.errors import InputError
from gradmidi.measure.probe import GradientProbe, StepNorms
from gradmidi.measure.quantities import QUANTITIES, WEIGHT_OF_NEWEST, quantities_named

RATES = (0.1, 0.02)


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(9, 4), nn.LSTM(4, 3))  # the LSTM owns two weights: joined in one layer


def measured(quantity: str, steps: int = 4) -> tuple[np.ndarray, list[list[Tensor]], list[list[Tensor]]]:
    """The quantity (steps, 2), and each step's gradients and weights, flattened by layer."""
    model, rows = two_layers(), []
    groups = [{"params": layer.parameters(), "lr": rate} for layer, rate in zip(model, RATES, strict=True)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    gradients, weights = [], []
    with GradientProbe(model, optimizer, rows.append, quantities=[quantity]):
        for step in range(steps):
            optimizer.zero_grad()
            model(torch.tensor([[step, 2], [3, 4]]))[0].square().sum().backward()
            named = [dict(layer.named_parameters()) for layer in model]
            own = [[p for name, p in layer.items() if "bias" not in name] for layer in named]
            gradients.append([torch.cat([p.grad.double().flatten() for p in layer]) for layer in own])
            weights.append([torch.cat([p.detach().double().flatten() for p in layer]) for layer in own])
            optimizer.step()
    return np.array([row.norms for row in rows]), gradients, weights


DEFINITIONS: dict[str, Any] = {
    "grad_norm": lambda g, w, rate: g.norm(),
    "weight_norm": lambda g, w, rate: w.norm(),
    "update_ratio": lambda g, w, rate: rate * g.norm() / w.norm(),
    "grad_max": lambda g, w, rate: g.abs().max(),
    "zeros": lambda g, w, rate: (g == 0).double().mean(),
}


@pytest.mark.parametrize("quantity", DEFINITIONS)
def test_of_one_step(quantity: str) -> None:
    values, gradients, weights = measured(quantity)
    expected = [
        [DEFINITIONS[quantity](g, w, rate).item() for g, w, rate in zip(gs, ws, RATES, strict=True)]
        for gs, ws in zip(gradients, weights, strict=True)
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_cosine() -> None:
    values, gradients, _ = measured("cosine")
    assert np.isnan(values[0]).all()
    expected = [
        [torch.nn.functional.cosine_similarity(a, b, dim=0).item() for a, b in zip(now, before, strict=True)]
        for before, now in itertools.pairwise(gradients)
    ]
    np.testing.assert_allclose(values[1:], expected, rtol=1e-4)


def test_noise_scale() -> None:
    values, gradients, _ = measured("noise_scale")
    for layer in range(2):
        own = [step[layer] for step in gradients]
        signal, power = np.nan, own[0].square().sum().item()
        for i in range(1, len(own)):
            newest = (own[i] @ own[i - 1]).item()
            signal = newest if i == 1 else signal + WEIGHT_OF_NEWEST * (newest - signal)
            power += WEIGHT_OF_NEWEST * (own[i].square().sum().item() - power)
            np.testing.assert_allclose(values[i, layer], (power - signal) / signal, rtol=1e-4)


def test_noise_scale_finds_the_noise_that_was_put_in() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = nn.Linear(1000, 1, bias=False)
    optimizer = torch.optim.SGD(weight.parameters(), lr=0.0)
    rows: list[StepNorms] = []
    with GradientProbe(weight, optimizer, rows.append, quantities=["noise_scale"]):
        for _ in range(400):
            weight.weight.grad = 1.0 + 2.0 * torch.randn(1, 1000, generator=generator)
            optimizer.step()
    # |G|² = 1000, trace of the covariance = 4 · 1000
    assert np.mean([row.norms[0] for row in rows[100:]]) == pytest.approx(4.0, rel=0.1)


def test_further_quantities_become_metrics() -> None:
    model, rows = two_layers(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wanted = ["grad_norm", "weight_norm", "learning_rate", "loss"]
    with GradientProbe(model, optimizer, rows.append, quantities=wanted) as probe:
        for value in (3.0, None):
            if value is not None:
                probe.note(loss=torch.tensor(value))
            model(torch.tensor([[1, 2]]))[0].sum().backward()
            optimizer.step()
    assert probe.metrics == ("weight_norm 0", "weight_norm 1", "learning_rate", "loss")
    assert rows[0].metrics["loss"] == 3.0
    assert np.isnan(rows[1].metrics["loss"])
    assert rows[0].metrics["learning_rate"] == pytest.approx(0.1)
    assert rows[0].metrics.keys() == rows[1].metrics.keys() == set(probe.metrics)


def test_a_tensor_learning_rate_is_followed() -> None:
    model, rows = two_layers(), []
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.25))
    with GradientProbe(model, optimizer, rows.append, quantities=["grad_norm", "learning_rate"]):
        model(torch.tensor([[1, 2]]))[0].sum().backward()
        optimizer.step()
    assert rows[0].metrics["learning_rate"] == 0.25


def test_a_gap_is_a_gap_in_every_quantity() -> None:
    for quantity in (name for name, kind in QUANTITIES.items() if kind.per_layer):
        model, rows = two_layers(), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with GradientProbe(model, optimizer, rows.append, quantities=[quantity]):
            model[0](torch.tensor([1])).sum().backward()
            optimizer.step()
        assert rows[0].gaps.tolist() == [False, True]
        assert np.isnan(rows[0].norms[1])


def test_each_states_its_cost_and_meaning() -> None:
    for kind in QUANTITIES.values():
        assert kind.cost
        assert kind.meaning


@pytest.mark.parametrize("names", [[], ["loss"], ["grad_norm", "speed"]])
def test_bad_names(names: list[str]) -> None:
    with pytest.raises(InputError):
        quantities_named(names)
