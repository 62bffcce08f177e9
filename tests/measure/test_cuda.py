"""On a CUDA device: right norms, and no synchronisation in a step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from gradmidi.errors import TrainingWarning
from gradmidi.measure.probe import GradientProbe, StepNorms
from gradmidi.measure.quantities import QUANTITIES
from tests.measure.nets import small_net, weight_norms

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


@pytest.fixture
def forbid_waiting() -> Iterator[None]:
    """Any synchronisation raises while the test runs, except where it sets the mode back."""
    yield
    torch.cuda.set_sync_debug_mode("default")


def gradients(model: nn.Module, count: int) -> Iterator[torch.Tensor]:
    generator = torch.Generator(device="cuda").manual_seed(0)
    for _ in range(count):
        yield torch.randn(5, 6, generator=generator, device="cuda")


@pytest.mark.usefixtures("forbid_waiting")
@pytest.mark.parametrize("quantities", [["grad_norm"], list(QUANTITIES)], ids=["norms", "everything"])
@pytest.mark.parametrize("fused", [False, True])
def test_no_step_waits_for_the_device(quantities: list[str], fused: bool) -> None:
    model, rows = small_net().cuda(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=fused)
    expected = []
    with GradientProbe(model, optimizer, rows.append, quantities=quantities) as probe:
        for i, batch in enumerate(gradients(model, 20)):
            optimizer.zero_grad()
            loss = model(batch).square().mean()
            loss.backward()
            expected.append([p.grad.norm() for name, p in model.named_parameters() if name.endswith("weight")])
            if i == 2:  # the optimizer's own first steps may allocate and wait
                torch.cuda.set_sync_debug_mode("error")
            probe.note(loss=loss)
            optimizer.step()
        torch.cuda.set_sync_debug_mode("default")
    assert [row.step for row in rows] == list(range(20))
    if quantities == ["grad_norm"]:
        np.testing.assert_allclose([row.norms for row in rows], torch.tensor(expected), rtol=1e-5)
    assert all(np.isfinite(row.metrics["loss"]) for row in rows)


def test_mixed_precision_on_the_device() -> None:
    for fused in (False, True):
        model, rows = small_net().cuda(), []
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=fused)
        scaler = torch.amp.GradScaler("cuda", init_scale=1024.0)
        expected = []
        with GradientProbe(model, optimizer, rows.append, scaler=scaler):
            for batch in gradients(model, 4):
                optimizer.zero_grad()
                model(batch).square().mean().backward()
                expected.append(weight_norms(model))
                optimizer.zero_grad()
                scaler.scale(model(batch).square().mean()).backward()
                scaler.step(optimizer)
                scaler.update()
        np.testing.assert_allclose([row.norms for row in rows], expected, rtol=1e-4)
        assert [row.metrics["skipped"] for row in rows] == [0, 0, 0, 0]


def test_a_step_in_a_cuda_graph_is_declined_and_captured_whole() -> None:
    model, rows = small_net().cuda(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, capturable=True)
    batch = next(gradients(model, 1))

    def step() -> None:
        model(batch).square().mean().backward()
        optimizer.step()

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with GradientProbe(model, optimizer, rows.append), pytest.warns(TrainingWarning, match="CUDA graph"):
        with torch.cuda.graph(graph):
            step()
        before = model[0].weight.detach().clone()
        graph.replay()
    assert not torch.equal(before, model[0].weight)


def test_a_model_moved_while_attached() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rows: list[StepNorms] = []
    with GradientProbe(model, optimizer, rows.append):
        for device in ("cpu", "cuda"):
            model.to(device)
            optimizer.zero_grad()
            model(torch.ones(5, 6, device=device)).square().mean().backward()
            expected = weight_norms(model)
            optimizer.step()
    np.testing.assert_allclose(rows[-1].norms, expected, rtol=1e-5)
