"""Two gloo processes against one: averaged gradients under DDP, true global norms under FSDP2, rank 0 alone sounds."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from gradmidi.measure.probe import GradientProbe
from tests.measure import distributed_worker as worker

WORKER = Path(worker.__file__)
pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no gloo")


def two_processes(case: str) -> list[dict[str, Any]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, str(WORKER)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, str(rank), port, case], **pipes) for rank in range(worker.RANKS)]
    try:
        outputs = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return [json.loads(output.splitlines()[-1]) | {"errors": errors} for output, errors in outputs]


def one_process(**options: Any) -> tuple[list[list[float]], list[dict[str, float]]]:
    """Norms and metrics of the same training in one process, whole batches, norms without the probe."""
    model = worker.net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    norms, rows = [], []
    with GradientProbe(model, optimizer, rows.append, quantities=worker.QUANTITIES):
        for batch in worker.batches():
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            norms.append([layer.weight.grad.norm().item() for layer in model if isinstance(layer, nn.Linear)])
            if options.get("clip"):
                nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
    return norms, [dict(row.metrics) for row in rows]


@pytest.mark.parametrize("case", ["ddp", "ddp_before_clip", "fsdp2", "fsdp2_partly"])
def test_norms_are_those_of_one_process_with_the_whole_batch(case: str) -> None:
    first, second = two_processes(case)
    expected, metrics = one_process(clip=case == "ddp_before_clip")
    assert first["layers"] == ["0", "2", "4"]
    np.testing.assert_allclose(first["norms"], expected, rtol=1e-5)
    assert second["norms"] == []
    if case.startswith("fsdp2"):
        for ours, theirs in zip(first["metrics"], metrics, strict=True):
            assert ours.keys() == theirs.keys()
            np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=1e-4, atol=1e-6)


def test_a_failing_receiver_on_rank_0_leaves_no_rank_waiting() -> None:
    first, second = two_processes("fsdp2_fails_on_rank_0")
    assert first["errors"].count("TrainingWarning") == 1
    assert "disk full" in first["errors"]
    for ours, theirs in zip(first["weights"], second["weights"], strict=True):
        assert ours == theirs
