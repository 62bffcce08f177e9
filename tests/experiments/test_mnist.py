"""The experiment against plain autograd: the same norms, the same weights, the same bytes twice."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from gradmidi.errors import InputError
from gradmidi.experiments.digits import Digits, embedded_digits
from gradmidi.experiments.mnist import batches, into, start, train
from gradmidi.experiments.net import Net
from gradmidi.experiments.settings import LAYERS, preset_settings, presets
from gradmidi.recording.row import RowList

pytestmark = pytest.mark.slow

STEPS = 25


@pytest.fixture(scope="module")
def digits() -> Digits:
    return embedded_digits()


def plain_run(settings, digits):
    """The post's loop without anything of ours in it, on the same batches: norms by torch.autograd.grad.

    Returns torch's own float32 norms, the same in float64 arithmetic, and the trained network.
    """
    net, optimizer, device = start(settings)
    norms, exact = [], []
    for _, batch in zip(range(settings.steps), batches(digits, settings, device), strict=False):
        optimizer.zero_grad()
        loss = F.nll_loss(net(batch.digits), batch.labels)
        weights = [getattr(net, name).weight for name in LAYERS]
        gradients = torch.autograd.grad(loss, weights, retain_graph=True)
        norms.append([float(gradient.norm()) for gradient in gradients])
        exact.append([float(gradient.double().norm()) for gradient in gradients])
        loss.backward()
        optimizer.step()
    return np.array(norms), np.array(exact), net


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("preset", ["sgd-lr0.01", "adam-lr0.01", "sgd-lr0.1"])
def test_norms_are_autograds_and_weights_are_untouched(preset, digits):
    settings = preset_settings(preset, seed=1, steps=STEPS, device="cpu")
    heard = RowList()
    trained = train(settings, digits, into(heard))
    expected, exact, plain = plain_run(settings, digits)
    measured = np.array([step.norms for step in heard.rows])
    assert np.allclose(measured, expected, rtol=1e-6, atol=0)
    # torch adds the 400,000 squares of fc1 in float32, which costs some 5e-6; the listing's .norm() has the same.
    assert np.allclose(measured, exact, rtol=2e-5, atol=0)
    assert same_weights(trained, plain)
    assert [step.step for step in heard.rows] == list(range(STEPS))


def test_a_seed_repeats_a_run_and_another_does_not(digits):
    runs = []
    for seed in (3, 3, 4):
        heard = RowList()
        train(preset_settings(seed=seed, steps=8, device="cpu"), digits, into(heard))
        runs.append(np.array([[step.metrics["loss"], *step.norms] for step in heard.rows]))
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_the_network_is_the_posts():
    shapes = {name: tuple(parameter.shape) for name, parameter in Net().named_parameters()}
    assert shapes["conv1.weight"] == (20, 1, 5, 5)
    assert shapes["conv2.weight"] == (50, 20, 5, 5)
    assert shapes["fc1.weight"] == (500, 800)
    assert shapes["fc2.weight"] == (10, 500)
    torch.manual_seed(0)
    net, digits = Net(), torch.randn(3, 1, 28, 28)
    # The post's forward pass, written out.
    x = torch.conv2d(digits, net.conv1.weight, net.conv1.bias).clamp(min=0).unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    x = torch.conv2d(x, net.conv2.weight, net.conv2.bias).clamp(min=0).unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    x = (x.reshape(3, 800) @ net.fc1.weight.T + net.fc1.bias).clamp(min=0) @ net.fc2.weight.T + net.fc2.bias
    assert torch.allclose(net(digits), x - x.exp().sum(1, keepdim=True).log(), atol=1e-5)


def test_the_seed_orders_the_digits(digits):
    first = [
        next(batches(digits, preset_settings(seed=seed), torch.device("cpu"))).labels.tolist() for seed in (1, 1, 2)
    ]
    assert first[0] == first[1] != first[2]


def test_batches_are_normalised_and_go_on_into_the_next_epoch(digits):
    small = Digits(digits.images[:25], digits.labels[:25], "25 digits")
    settings = preset_settings(batch_size=10, seed=0)
    some = [batch for _, batch in zip(range(7), batches(small, settings, torch.device("cpu")), strict=False)]
    assert [batch.epoch for batch in some] == [1, 1, 1, 2, 2, 2, 3]
    assert [len(batch.labels) for batch in some] == [10, 10, 5, 10, 10, 5, 10]
    first = torch.cat([batch.digits for batch in some[:3]]).flatten(1).sum(1).sort().values
    expected = (torch.from_numpy(small.images).float() / 255 - 0.1307) / 0.3081
    assert torch.allclose(first, expected.flatten(1).sum(1).sort().values, rtol=1e-4, atol=1e-2)


def test_the_five_presets_are_the_posts():
    rows = {name: (r["optimizer"], r["lr"], r["batch_size"], r["steps"]) for name, r in presets().items()}
    assert rows == {
        "sgd-lr0.01": ("sgd", 0.01, 10, 201),
        "sgd-lr0.1": ("sgd", 0.1, 10, 201),
        "sgd-lr1.0": ("sgd", 1.0, 10, 201),
        "sgd-lr1.0-bs256": ("sgd", 1.0, 256, 201),
        "adam-lr0.01": ("adam", 0.01, 10, 201),
    }
    assert all(preset_settings(name).momentum == (0.5 if name.startswith("sgd") else 0) for name in presets())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": -1.0}, "--lr is -1.0"),
        ({"lr": float("nan")}, "--lr"),
        ({"steps": 0}, "--steps is 0"),
        ({"batch_size": 0}, "--batch-size"),
        ({"optimizer": "lion"}, "--optimizer is lion"),
        ({"momentum": 1.0}, "--momentum"),
        ({"seed": -1}, "--seed"),
        ({"device": "tpu"}, "--device"),
    ],
)
def test_bad_settings_name_their_option(change, message):
    with pytest.raises(InputError, match=message):
        preset_settings(**change)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_norms_are_autograds(digits):
    settings = preset_settings(seed=1, steps=STEPS, device="cuda")
    heard = RowList()
    train(settings, digits, into(heard))
    expected, _, _ = plain_run(settings, digits)
    assert np.allclose(np.array([step.norms for step in heard.rows]), expected, rtol=1e-3)
