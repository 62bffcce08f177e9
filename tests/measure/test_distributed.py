"""Gloo processes against one: averaged gradients under DDP, true global norms under FSDP2, who records where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch.distributed as dist
from torch import nn

from gradmidi.measure.probe import GradientProbe
from gradmidi.recording import Recording
from tests.measure import distributed_cases as cases

ROOT = Path(__file__).parents[2]
WORKER = "tests.measure.distributed_worker"
TWO_RANKS = (
    "ddp",
    "ddp_before_clip",
    "fsdp2",
    "fsdp2_partly",
    "fsdp2_fails_on_rank_0",
    "one_file_for_all_ranks",
    "a_file_per_rank",
    "in_memory_per_rank",
)
pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no gloo")


def launch(ranks: int, folder: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", WORKER, str(ranks), str(folder), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(ranks)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two-ranks")


@pytest.fixture(scope="module")
def two_ranks(folder: Path) -> list[dict[str, Any]]:
    """What each rank had to tell, by case; one launch for them all."""
    return launch(2, folder, TWO_RANKS)


def one_process(**options: Any) -> tuple[list[list[float]], list[dict[str, float]]]:
    """Norms and metrics of the same training in one process, whole batches, norms without the probe."""
    model = cases.net()
    optimizer = cases.optimizer_of(model)
    norms, rows = [], []
    with GradientProbe(model, optimizer, rows.append, quantities=cases.QUANTITIES):
        for batch in cases.batches():
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            norms.append([layer.weight.grad.norm().item() for layer in model if isinstance(layer, nn.Linear)])
            if options.get("clip"):
                nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
    return norms, [dict(row.metrics) for row in rows]


@pytest.mark.parametrize("case", ["ddp", "ddp_before_clip", "fsdp2", "fsdp2_partly"])
def test_norms_are_those_of_one_process_with_the_whole_batch(case: str, two_ranks: list[dict[str, Any]]) -> None:
    first, second = (of_rank[case] for of_rank in two_ranks)
    expected, metrics = one_process(clip=case == "ddp_before_clip")
    assert first["layers"] == ["0", "2", "4"]
    np.testing.assert_allclose(first["norms"], expected, rtol=1e-5)
    assert second["norms"] == []
    if case.startswith("fsdp2"):
        for ours, theirs in zip(first["metrics"], metrics, strict=True):
            assert ours.keys() == theirs.keys()
            np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=1e-4, atol=1e-6)


def test_a_failing_receiver_on_rank_0_leaves_no_rank_waiting(two_ranks: list[dict[str, Any]]) -> None:
    first, second = (of_rank["fsdp2_fails_on_rank_0"] for of_rank in two_ranks)
    assert [("disk full" in said) for said in first["warnings"]] == [True]
    for ours, theirs in zip(first["weights"], second["weights"], strict=True):
        assert ours == theirs


def test_only_rank_0_writes_to_the_file_that_all_ranks_name(two_ranks: list[dict[str, Any]], folder: Path) -> None:
    assert two_ranks[1]["one_file_for_all_ranks"]["files"] == ["all.csv"]
    assert Recording.load(folder / "all.csv").steps.tolist() == list(range(2 * cases.STEPS))


def test_each_rank_may_leave_a_recording_of_its_own(two_ranks: list[dict[str, Any]], folder: Path) -> None:
    for rank, of_rank in enumerate(two_ranks):
        left = Recording.load(folder / f"each.rank{rank}.csv")
        in_memory = of_rank["in_memory_per_rank"]
        assert left.norms.tolist() == in_memory["norms"] == of_rank["a_file_per_rank"]["norms"]
        assert left.meta["rank"] == in_memory["meta"]["rank"] == str(rank)
        assert len(left) == cases.STEPS
    assert two_ranks[0]["a_file_per_rank"]["norms"] != two_ranks[1]["a_file_per_rank"]["norms"]
    assert sorted(path.name for path in folder.glob("each*")) == ["each.rank0.csv", "each.rank1.csv"]
