"""Each set-up in which a careless probe reads a wrong number, against plain autograd on a copy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradmidi.errors import InputError, TrainingWarning
from gradmidi.measure.probe import GradientProbe, StepNorms
from tests.measure.nets import small_net, train, weight_norms

RTOL = 2e-6  # a few units in the last place of float32


def batches(count: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(3)
    for _ in range(count):
        yield torch.randn(5, 6, generator=generator)


def norms_of(rows: list[StepNorms]) -> np.ndarray:
    return np.array([row.norms for row in rows])


def expected_of(model: nn.Module, optimizer: torch.optim.Optimizer, prepare: Callable[[Tensor], None]) -> list[Any]:
    """Train without a probe, ``prepare`` making the gradients of a batch, and read the norms before each step."""
    found = []
    for batch in batches(4):
        optimizer.zero_grad()
        prepare(batch)
        found.append(weight_norms(model))
        optimizer.step()
    return found


def test_accumulation_gives_one_value_a_real_step() -> None:
    model, rows = small_net(), []
    plain = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append):
        for i, batch in enumerate(batches(8)):
            (model(batch).square().mean() / 4).backward()
            if i % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
    reference, expected = torch.optim.SGD(plain.parameters(), lr=0.1), []
    for four in zip(*[batches(8)] * 4, strict=True):
        reference.zero_grad()
        (sum(plain(batch).square().mean() for batch in four) / 4).backward()
        expected.append(weight_norms(plain))
        reference.step()
    np.testing.assert_allclose(norms_of(rows), expected, rtol=1e-5)  # summed in another order
    assert [row.step for row in rows] == [0, 1]


@pytest.mark.parametrize("when", ["after-clip", "before-clip"])
def test_clipping(when: str) -> None:
    model, rows = small_net(), []
    plain = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reference = torch.optim.SGD(plain.parameters(), lr=0.1)
    expected = []
    with GradientProbe(model, optimizer, rows.append, when=when):
        for net, its_optimizer in ((model, optimizer), (plain, reference)):
            for batch in batches(4):
                its_optimizer.zero_grad()
                net(batch).square().mean().backward()
                raw = weight_norms(net)
                nn.utils.clip_grad_norm_(net.parameters(), 0.01)
                if net is plain:
                    expected.append(raw if when == "before-clip" else weight_norms(net))
                its_optimizer.step()
    np.testing.assert_allclose(norms_of(rows), expected, rtol=RTOL)


def test_before_clip_under_accumulation_has_the_whole_sum_and_no_hook_after_detach() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append, when="before-clip"):
        for batch in batches(3):
            model(batch).square().mean().backward()
        raw = weight_norms(model)
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        optimizer.step()
    np.testing.assert_allclose(norms_of(rows), [raw], rtol=RTOL)
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


def test_a_backward_that_raises_does_not_stop_later_ones_from_being_measured() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def fail(grad: Tensor) -> None:
        raise ZeroDivisionError

    with GradientProbe(model, optimizer, rows.append, when="before-clip"):
        broken = torch.ones(5, 6, requires_grad=True)
        broken.register_hook(fail)
        with pytest.raises(ZeroDivisionError):
            model(broken).sum().backward()
        expected = train(model, optimizer, 2)
    np.testing.assert_allclose(norms_of(rows)[-2:], expected, rtol=RTOL)


def scaled_steps(
    model: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, bad: int
) -> list[list[float]]:
    """Four steps of mixed precision, with an infinite loss in step ``bad``; norms as they are without the factor."""
    expected = []
    for i, batch in enumerate(batches(4)):
        optimizer.zero_grad()
        loss = model(batch).square().mean() * (torch.inf if i == bad else 1.0)
        plain = copy.deepcopy(model)
        (plain(batch).square().mean() * (torch.inf if i == bad else 1.0)).backward()
        expected.append(weight_norms(plain))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return expected


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("when", ["after-clip", "before-clip"])
def test_mixed_precision_is_unscaled_and_a_skipped_step_is_marked(fused: bool, when: str) -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with GradientProbe(model, optimizer, rows.append, scaler=scaler, when=when) as probe:
        expected = scaled_steps(model, optimizer, scaler, bad=2)
    assert probe.metrics == ("skipped",)
    assert [row.metrics["skipped"] for row in rows] == [0, 0, 1, 0]
    np.testing.assert_allclose(norms_of(rows)[[0, 1, 3]], np.array(expected)[[0, 1, 3]], rtol=1e-5)
    assert not np.isfinite(rows[2].norms).any()
    assert "step" not in vars(scaler)


@pytest.mark.parametrize("fused", [False, True])
def test_mixed_precision_without_naming_the_scaler_is_unscaled_too(fused: bool) -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with GradientProbe(model, optimizer, rows.append):
        expected = scaled_steps(model, optimizer, scaler, bad=-1)
    np.testing.assert_allclose(norms_of(rows), expected, rtol=1e-5)


def test_unscaled_by_hand_and_clipped_a_fused_optimizer_is_not_divided_twice() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with GradientProbe(model, optimizer, rows.append, scaler=scaler):
        scaler.scale(model(next(batches(1))).square().mean()).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        expected = weight_norms(model)
        scaler.step(optimizer)
    np.testing.assert_allclose(norms_of(rows), [expected], rtol=RTOL)


def test_before_clip_under_a_scaler_that_nobody_named_warns_and_gives_no_number() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with (
        pytest.warns(TrainingWarning, match="scaler=") as caught,
        GradientProbe(model, optimizer, rows.append, when="before-clip"),
    ):
        scaled_steps(model, optimizer, scaler, bad=-1)
    assert len(caught) == 1
    assert not rows


def test_a_watched_scaler_can_be_saved_and_copied() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    with GradientProbe(model, optimizer, lambda row: None, scaler=scaler):
        twin = copy.deepcopy(scaler)
    assert twin.step.__self__ is twin


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, foreach=True),
        lambda p: torch.optim.Adam(p, lr=0.1),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_a_closure_is_measured_at_its_own_gradients(make: Callable[..., Any], by_name: bool) -> None:
    model, rows, expected = small_net(), [], []
    optimizer = make(model.parameters())
    with GradientProbe(model, optimizer, rows.append):
        for batch in batches(4):

            def closure(batch: Tensor = batch) -> Tensor:
                optimizer.zero_grad()
                loss = model(batch).square().mean()
                loss.backward()
                expected.append(weight_norms(model))
                return loss

            optimizer.step(closure=closure) if by_name else optimizer.step(closure)
    np.testing.assert_allclose(norms_of(rows), expected, rtol=RTOL)


def test_lbfgs_gives_one_row_a_step_with_the_gradients_where_it_starts() -> None:
    model, rows, first = small_net(), [], []
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=5)
    with GradientProbe(model, optimizer, rows.append):
        for batch in batches(3):
            calls = []

            def closure(batch: Tensor = batch, calls: list[Any] = calls) -> Tensor:
                optimizer.zero_grad()
                loss = model(batch).square().mean()
                loss.backward()
                calls.append(weight_norms(model))
                return loss

            optimizer.step(closure)
            assert len(calls) > 1
            first.append(calls[0])
    np.testing.assert_allclose(norms_of(rows), first, rtol=RTOL)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_narrow_and_wide_types(dtype: torch.dtype) -> None:
    model, rows = small_net().to(dtype), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append):
        for p in model.parameters():
            p.grad = torch.full_like(p, 60000.0)  # the norm is beyond float16's 65504
        expected = weight_norms(model)
        optimizer.step()
    np.testing.assert_allclose(rows[0].norms, expected, rtol=RTOL)
    assert rows[0].norms.dtype == np.float32


def test_dtypes_mixed_in_one_model_and_changed_while_attached() -> None:
    model, rows = small_net(), []
    model[0].double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> list[float]:
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        expected = weight_norms(model)
        optimizer.step()
        return expected

    with GradientProbe(model, optimizer, rows.append):
        expected = [step()]
        model.double()
        expected.append(step())
    np.testing.assert_allclose(norms_of(rows), expected, rtol=RTOL)


def test_sparse_gradients_with_an_index_twice() -> None:
    torch.manual_seed(0)
    model, rows = nn.Sequential(nn.Embedding(10, 4, sparse=True), nn.Linear(4, 2)), []
    plain = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
    plain.load_state_dict(model.state_dict())
    words = torch.tensor([[1, 1, 3], [3, 7, 1]])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append, quantities=["grad_norm", "zeros", "grad_max"]):
        for net in (model, plain):
            net(words).square().sum().backward()
        optimizer.step()
    np.testing.assert_allclose(rows[0].norms, weight_norms(plain), rtol=RTOL)
    assert rows[0].metrics["zeros 0"] == pytest.approx(0.7)  # 3 rows of 10 are used
    assert rows[0].metrics["grad_max 0"] == pytest.approx(plain[0].weight.grad.abs().max().item())


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0 + 2.0j, -0.5j], [0.25 + 0.0j, 3.0 + 1.0j]]))
        self.real = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.real((self.weight @ x.to(torch.complex64)).abs())


def test_complex_parameters() -> None:
    model, rows = Complex(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append) as probe:
        model(torch.tensor([0.3, -1.2])).square().sum().backward()
        gradient = model.weight.grad
        expected = (gradient.real.double().square() + gradient.imag.double().square()).sum().sqrt().item()
        optimizer.step()
    assert probe.layers == ("model", "real")
    np.testing.assert_allclose(rows[0].norms[0], expected, rtol=RTOL)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x))


def test_tied_weights_count_once() -> None:
    torch.manual_seed(0)
    model, rows = Tied(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append) as probe:
        model(torch.arange(5)).square().sum().backward()
        expected = model.embed.weight.grad.double().norm().item()
        optimizer.step()
    assert probe.layers == ("embed",)
    np.testing.assert_allclose(rows[0].norms, [expected], rtol=RTOL)


def test_frozen_layers_and_missing_gradients_are_gaps_and_not_zeros() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append):
        train(model, optimizer, 1)
        model[0].requires_grad_(False)
        optimizer.zero_grad()
        expected = train(model, optimizer, 1) if all(p.grad is not None for p in model.parameters()) else None
        model[2](torch.randn(5, 8)).square().mean().backward()
        optimizer.step()
        model[0].requires_grad_(True)
        train(model, optimizer, 1)
        optimizer.zero_grad()
        optimizer.step()
    assert expected is None
    assert [row.gaps.tolist() for row in rows] == [[False, False], [True, False], [False, False], [True, True]]
    assert np.isnan(rows[1].norms[0])
    assert rows[1].norms[1] > 0


def test_a_gradient_of_zeros_is_a_zero_and_nan_is_nan_but_neither_is_a_gap() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append):
        for p in model.parameters():
            p.grad = torch.zeros_like(p)
        model[2].weight.grad.fill_(torch.nan)
        optimizer.step()
    assert rows[0].norms[0] == 0
    assert np.isnan(rows[0].norms[1])
    assert not rows[0].gaps.any()


def test_two_optimizers_of_a_gan_make_one_row_a_round() -> None:
    nets = nn.ModuleDict({"G": small_net(1), "D": small_net(2)})
    first, second = torch.optim.SGD(nets["D"].parameters(), lr=0.1), torch.optim.Adam(nets["G"].parameters())
    rows, expected = [], []
    with GradientProbe(nets, [first, second], rows.append) as probe:
        for batch in batches(2):
            nets["D"](batch).square().mean().backward()
            of_d = weight_norms(nets["D"])
            first.step()
            nets.zero_grad()
            (nets["G"](batch).square().mean() + nets["D"](batch).mean()).backward()  # reaches D's gradients as well
            of_g = weight_norms(nets["G"])
            second.step()
            nets.zero_grad()
            expected.append(of_g + of_d)
    assert probe.layers == ("G.0", "G.2", "D.0", "D.2")
    np.testing.assert_allclose(norms_of(rows), expected, rtol=RTOL)


def test_an_optimizer_that_steps_twice_closes_the_row_and_the_other_is_a_gap() -> None:
    nets = nn.ModuleDict({"G": small_net(1), "D": small_net(2)})
    of_d, of_g = (torch.optim.SGD(nets[name].parameters(), lr=0.1) for name in ("D", "G"))
    rows: list[StepNorms] = []
    with GradientProbe(nets, [of_d, of_g], rows.append):
        for _ in range(2):
            train(nets["D"], of_d, 1)
        train(nets["G"], of_g, 1)
        train(nets["D"], of_d, 1)
    assert [row.gaps.tolist() for row in rows] == [
        [True, True, False, False],
        [False] * 4,
        [True, True, False, False],
    ]
    assert [row.step for row in rows] == [0, 1, 2]


class Calling(torch.optim.SGD):
    """A subclass whose step calls the base's, which is hooked as well once any SGD was made."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


@pytest.mark.parametrize("closed", [False, True])
def test_a_subclass_that_calls_super_is_counted_once(closed: bool) -> None:
    model, rows = small_net(), []
    torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer = Calling(model.parameters(), lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = model(next(batches(1))).square().mean()
        loss.backward()
        return loss

    with GradientProbe(model, optimizer, rows.append):
        for _ in range(3):
            optimizer.step(closure) if closed else train(model, optimizer, 1)
    assert [row.step for row in rows] == [0, 1, 2]


def test_groups_added_later_are_followed() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append, layers=["0", "2"]):
        train(model, optimizer, 1)
        optimizer.add_param_group({"params": list(model[0].parameters())})
        expected = train(model, optimizer, 1)
    assert rows[0].gaps.tolist() == [True, False]
    np.testing.assert_allclose(rows[1].norms, expected[0], rtol=RTOL)


def test_gradients_that_carry_a_graph() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append):
        model(next(batches(1))).square().mean().backward(create_graph=True)
        expected = weight_norms(model)
        optimizer.step()
    np.testing.assert_allclose(rows[0].norms, expected, rtol=RTOL)


def test_every_and_a_schedule() -> None:
    for every in (3, lambda step: step % 3 == 0):
        model, rows = small_net(), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with GradientProbe(model, optimizer, rows.append, every=every):
            expected = train(model, optimizer, 7)
        assert [row.step for row in rows] == [0, 3, 6]
        np.testing.assert_allclose(norms_of(rows), expected[::3], rtol=RTOL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "at least 1"),
        ({"when": "now"}, "after-clip"),
        ({"quantities": ["speed"]}, "no quantity"),
        ({"quantities": ["loss"]}, "value per layer"),
        ({"parameters": "some"}, "weights"),
        ({"layers": ["conv9"]}, "no layer matches"),
    ],
)
def test_bad_options_say_what_is_wrong_and_leave_no_hook(options: dict[str, Any], message: str) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InputError, match=message):
        GradientProbe(model, optimizer, lambda row: None, **options)
    assert not optimizer._optimizer_step_pre_hooks


def test_the_first_fsdp_is_declined_with_a_warning() -> None:
    model = small_net()
    model[0]._fsdp_wrapped_module = nn.Identity()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(TrainingWarning, match="fully_shard"):
        GradientProbe(model, optimizer, lambda row: None)
    assert not optimizer._optimizer_step_pre_hooks
