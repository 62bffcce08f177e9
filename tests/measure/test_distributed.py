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
    "tensor_parallel",
    "replicated",
    "sequence_parallel",
    "nan_on_rank_1",
    "reading_fails_on_rank_1",
    "experts_beside_fsdp2",
    "averaged_by_hand",
    "ddp_around_it_later",
    "experts_beside_ddp",
    "pipeline",
    "pipeline_each",
    "pipeline_under_run",
    "tensor_parallel_under_run",
    "unfrozen_under_fsdp2",
    "unfrozen_under_fsdp2_with_a_file",
    "unfrozen_under_fsdp2_with_a_file_on_rank_0",
    "one_file_for_all_ranks",
    "saved_by_all_ranks",
    "continued_every_other_step",
    "listened_to_again",
    "late_numbers",
    "a_file_per_rank",
    "in_memory_per_rank",
)
FOUR_RANKS = ("fsdp2_and_tensor_parallel", "fsdp2_with_replicas", "two_trainings_side_by_side")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no gloo"),
]


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


@pytest.fixture(scope="module")
def four_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return launch(4, tmp_path_factory.mktemp("four-ranks"), FOUR_RANKS)


def one_process(
    model: nn.Sequential, clip: bool = False, parameters: str = "weights"
) -> tuple[list[list[float]], list[dict[str, float]]]:
    """Norms and metrics of the same training in one process, whole batches, norms without the probe."""
    optimizer = cases.optimizer_of(model)
    norms, rows = [], []
    with GradientProbe(model, optimizer, rows.append, quantities=cases.QUANTITIES, parameters=parameters):
        for batch in cases.batches():
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            norms.append([_norm(layer, parameters) for layer in model if not isinstance(layer, nn.Tanh)])
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
    return norms, [dict(row.metrics) for row in rows]


def _norm(layer: Any, parameters: str) -> float:
    weight = layer.weight.grad.norm().item()
    return weight if parameters == "weights" else float(np.hypot(weight, layer.bias.grad.norm().item()))


@pytest.mark.parametrize("case", ["ddp", "ddp_before_clip"])
def test_under_ddp_the_averaged_gradients_are_measured(case: str, two_ranks: list[dict[str, Any]]) -> None:
    first, second = (of_rank[case] for of_rank in two_ranks)
    expected, _ = one_process(cases.net(), clip=case == "ddp_before_clip")
    assert first["layers"] == ["0", "2", "4"]
    np.testing.assert_allclose(first["norms"], expected, rtol=1e-5)
    assert second["norms"] == []


@pytest.mark.parametrize("case", ["fsdp2", "fsdp2_partly", "tensor_parallel", "replicated", "sequence_parallel"])
def test_of_sharded_parameters_norms_and_quantities_are_those_of_one_process(
    case: str, two_ranks: list[dict[str, Any]]
) -> None:
    first, second = (of_rank[case] for of_rank in two_ranks)
    model = cases.net_with_norm() if case == "sequence_parallel" else cases.net()
    _compare(first, *one_process(model, parameters="all" if case == "tensor_parallel" else "weights"))
    assert second["norms"] == []


def _compare(found: dict[str, Any], norms: list[list[float]], metrics: list[dict[str, float]]) -> None:
    np.testing.assert_allclose(found["norms"], norms, rtol=1e-5)
    for ours, theirs in zip(found["metrics"], metrics, strict=True):
        assert ours.keys() == theirs.keys()
        np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=1e-4, atol=1e-6)


def test_of_a_mesh_of_two_dimensions_norms_and_quantities_are_those_of_one_process(
    four_ranks: list[dict[str, Any]],
) -> None:
    _compare(four_ranks[0]["fsdp2_and_tensor_parallel"], *one_process(cases.net_with_norm()))
    _compare(four_ranks[0]["fsdp2_with_replicas"], *one_process(cases.net()))


def test_only_the_ranks_of_a_mesh_wait_for_each_other(four_ranks: list[dict[str, Any]]) -> None:
    expected = one_process(cases.net())
    for of_rank in four_ranks:
        _compare(of_rank["two_trainings_side_by_side"], *expected)


def test_a_nan_on_another_rank_is_seen_in_every_quantity(two_ranks: list[dict[str, Any]]) -> None:
    first = two_ranks[0]["nan_on_rank_1"]
    assert np.isnan(np.array(first["norms"])[:, 0]).all()
    assert np.isnan([row["grad_max 0"] for row in first["metrics"]]).all()


def test_a_rank_that_cannot_read_leaves_no_other_waiting(two_ranks: list[dict[str, Any]]) -> None:
    first, second = (of_rank["reading_fails_on_rank_1"] for of_rank in two_ranks)
    assert [("out of memory" in said) for said in second["warnings"]] == [True]
    assert np.isnan(first["norms"]).all()
    assert first["weights"] == second["weights"]


def test_experts_of_each_rank_do_not_disturb_what_is_sharded(two_ranks: list[dict[str, Any]]) -> None:
    first = two_ranks[0]["experts_beside_fsdp2"]
    assert first["layers"] == ["dense.0", "dense.2", "dense.4", "expert00"]
    assert np.isfinite(first["norms"]).all()
    assert np.shape(first["norms"]) == (cases.STEPS, 4)


def test_a_failing_receiver_on_rank_0_leaves_no_rank_waiting(two_ranks: list[dict[str, Any]]) -> None:
    first, second = (of_rank["fsdp2_fails_on_rank_0"] for of_rank in two_ranks)
    assert [("disk full" in said) for said in first["warnings"]] == [True]
    for ours, theirs in zip(first["weights"], second["weights"], strict=True):
        assert ours == theirs


def test_a_layer_that_is_unfrozen_under_fsdp2_is_measured_by_all_ranks_or_by_none(
    two_ranks: list[dict[str, Any]],
) -> None:
    (in_memory, silent), (on_disk, also_silent) = (
        [of_rank[case] for of_rank in two_ranks]
        for case in ("unfrozen_under_fsdp2", "unfrozen_under_fsdp2_with_a_file")
    )
    steps = cases.STEPS
    model, expected = cases.net(), []
    model[2].requires_grad_(False)
    optimizer = cases.optimizer_of(model)
    for step, batch in enumerate([*cases.batches(), *cases.batches()]):
        model[2].requires_grad_(step >= steps)
        model(batch).square().mean().backward()
        expected.append([np.nan if p.grad is None else p.grad.norm().item() for p in weights(model)])
        optimizer.step()
        optimizer.zero_grad()
    assert in_memory["layers"] == ["0", "4", "2"]
    np.testing.assert_allclose(in_memory["norms"], np.array(expected)[:, [0, 2, 1]], rtol=1e-5)
    assert [gaps[2] for gaps in in_memory["gaps"]] == [True] * steps + [False] * steps
    assert on_disk["layers"] == ["0", "4"]
    np.testing.assert_allclose(on_disk["norms"], np.array(expected)[:, [0, 2]], rtol=1e-5)
    assert in_memory["warnings"] == silent["warnings"] == also_silent["warnings"] == []
    assert ["2 was unfrozen" in said for said in on_disk["warnings"]] == [True]


def test_ranks_measure_the_same_though_one_of_them_has_no_room_for_a_layer_that_joins(
    two_ranks: list[dict[str, Any]],
) -> None:
    on_disk, in_memory = (of_rank["unfrozen_under_fsdp2_with_a_file_on_rank_0"] for of_rank in two_ranks)
    assert on_disk["layers"] == ["0", "4"]
    assert on_disk["norms"] == two_ranks[0]["unfrozen_under_fsdp2_with_a_file"]["norms"]
    assert on_disk["metrics"] == ["epoch", "loss", "zeros 0", "zeros 4"]
    assert ["2 was unfrozen" in said for said in on_disk["warnings"]] == [True]
    assert in_memory["warnings"] == []


def test_ranks_measure_the_same_steps_though_one_of_them_continues_a_file(
    two_ranks: list[dict[str, Any]], folder: Path
) -> None:
    assert [of_rank["continued_every_other_step"]["warnings"] for of_rank in two_ranks] == [[], []]
    assert Recording.load(folder / "continued.csv").steps.tolist() == [0, 2, 3, 5]


def test_a_session_that_another_takes_the_file_from_ends_on_every_rank(
    two_ranks: list[dict[str, Any]], folder: Path
) -> None:
    assert two_ranks[1]["listened_to_again"]["warnings"] == []
    for name in ("again.csv", "again.1.csv"):
        assert Recording.load(folder / name).steps.tolist() == [0, 1, 2]


def weights(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for name, parameter in model.named_parameters() if name.endswith("weight")]


def test_only_rank_0_writes_to_the_file_that_all_ranks_name(two_ranks: list[dict[str, Any]], folder: Path) -> None:
    _, second = (of_rank["one_file_for_all_ranks"] for of_rank in two_ranks)
    assert second["files"] == ["all.csv", "all.events.csv"]
    assert second["warnings"] == []
    assert Recording.load(folder / "all.csv").steps.tolist() == list(range(2 * cases.STEPS))


def test_a_rank_that_does_not_record_saves_nothing_over_what_rank_0_saved(
    two_ranks: list[dict[str, Any]], folder: Path
) -> None:
    first, second = (of_rank["saved_by_all_ranks"] for of_rank in two_ranks)
    assert len(Recording.load(folder / "saved.csv")) == first["steps"] == cases.STEPS
    assert second["steps"] == 0
    assert first["warnings"] == []
    (said,) = second["warnings"]
    assert "rank 1 does not record, so saved.csv is left to rank 0" in said


def test_numbers_logged_on_a_rank_that_does_not_record_do_not_pile_up(two_ranks: list[dict[str, Any]]) -> None:
    first, second = (of_rank["late_numbers"] for of_rank in two_ranks)
    assert first["losses"] == [3.0, 2.0, 1.0]
    assert second["waiting"] == 0


def test_each_rank_may_leave_a_recording_of_its_own(two_ranks: list[dict[str, Any]], folder: Path) -> None:
    for rank, of_rank in enumerate(two_ranks):
        left = Recording.load(folder / f"each.rank{rank}.csv")
        in_memory = of_rank["in_memory_per_rank"]
        assert left.norms.tolist() == in_memory["norms"] == of_rank["a_file_per_rank"]["norms"]
        assert left.meta["rank"] == in_memory["meta"]["rank"] == str(rank)
        assert len(left) == cases.STEPS
    assert two_ranks[0]["a_file_per_rank"]["norms"] != two_ranks[1]["a_file_per_rank"]["norms"]
    assert sorted(path.name for path in folder.glob("each*")) == [
        f"each.rank{rank}{kind}.csv" for rank in (0, 1) for kind in ("", ".events")
    ]


def test_a_pipeline_is_recorded_by_its_ranks_and_joined(two_ranks: list[dict[str, Any]], folder: Path) -> None:
    parts = [Recording.load(folder / f"pipeline.rank{rank}.csv") for rank in (1, 0)]
    joined = Recording.join(parts)
    expected, _ = one_process(cases.net())
    assert joined.layers == ("0", "2", "4")
    np.testing.assert_allclose(joined.norms, expected, rtol=1e-5)
    assert np.isfinite(joined.metrics["loss"]).all()  # which the last rank alone knows


def test_run_records_the_stage_of_rank_0(two_ranks: list[dict[str, Any]], folder: Path) -> None:
    assert sorted(path.name for path in (folder / "pipeline-run").iterdir()) == ["events.csv", "norms.csv"]
    recording = Recording.load(folder / "pipeline-run" / "norms.csv")
    expected, _ = one_process(cases.net())
    assert recording.layers == ("0",)
    # The first step hears of us while hooks run, so that it is not yet measured.
    np.testing.assert_allclose(recording.norms, np.array(expected)[1:, :1], rtol=1e-5)


def test_run_declines_what_is_sharded_and_makes_no_rank_wait(two_ranks: list[dict[str, Any]], folder: Path) -> None:
    (said,) = two_ranks[0]["tensor_parallel_under_run"]["warnings"]
    assert "its parameters are sharded; use gradmidi.listen on every rank" in said
    assert not (folder / "sharded-run").exists()


HELD = {
    "pipeline_under_run": "only rank 0, which holds 1 of the pipeline's 2 stages; call gradmidi.listen(",
    "pipeline": "only rank 0, which holds 1 of the pipeline's 2 stages; ",
    "averaged_by_hand": "only rank 0 and its 3 layers; if other ranks hold other layers",
    "experts_beside_ddp": "only rank 0 and its 3 layers; if other ranks hold other layers",
    "experts_beside_fsdp2": "only rank 0, though weights that are not sharded have other gradients on other ranks",
}
WHOLE = (
    *("ddp", "ddp_before_clip", "ddp_around_it_later", "fsdp2", "fsdp2_partly"),
    *("tensor_parallel", "replicated", "sequence_parallel", "pipeline_each", "a_file_per_rank"),
)


@pytest.mark.parametrize("case", HELD)
def test_that_rank_0_does_not_hear_all_is_said_once_with_the_remedy(case: str, two_ranks: list[dict[str, Any]]) -> None:
    first, second = (of_rank[case]["warnings"] for of_rank in two_ranks)
    assert second == []
    (said,) = first
    assert HELD[case] in said
    assert "ranks='each'" in said
    assert "Recording.join" in said
    assert "\n" not in said


@pytest.mark.parametrize("case", WHOLE)
def test_where_rank_0_hears_all_nothing_is_said(case: str, two_ranks: list[dict[str, Any]]) -> None:
    assert [of_rank[case]["warnings"] for of_rank in two_ranks] == [[], []]


def test_where_a_mesh_of_two_dimensions_is_heard_as_a_whole_nothing_is_said(four_ranks: list[dict[str, Any]]) -> None:
    for case in ("fsdp2_and_tensor_parallel", "fsdp2_with_replicas"):
        assert [of_rank[case]["warnings"] for of_rank in four_ranks] == [[]] * 4
