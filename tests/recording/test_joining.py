"""Recording.join: ranks side by side; nothing is lost, nothing is told twice."""

from __future__ import annotations

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording

NAN = float("nan")


def rank(number: int | None, layers: dict[str, list[float]], steps: list[int] | None = None, **metrics: list[float]):
    norms = np.array(list(layers.values())).T
    gaps = np.isnan(norms)
    meta = {"model": "Net"} | ({} if number is None else {"rank": str(number)})
    return Recording(tuple(layers), np.array(steps or range(len(norms))), norms, metrics, meta, gaps)


def test_layers_of_all_ranks_stand_side_by_side_in_the_order_of_ranks():
    parts = [rank(number, {f"layer{number}": [number + 1.0, number + 2.0]}) for number in (10, 0, 2)]
    joined = Recording.join(parts)
    assert joined.layers == ("layer0", "layer2", "layer10")
    assert joined.norms.tolist() == [[1, 3, 11], [2, 4, 12]]
    assert not joined.gaps.any()
    assert joined.meta == {"model": "Net"}


def test_without_ranks_the_order_given_stays():
    joined = Recording.join([rank(None, {"b": [1.0]}), rank(None, {"a": [2.0]})])
    assert joined.layers == ("b", "a")


def test_rows_are_aligned_by_step_and_missing_ones_are_gaps():
    joined = Recording.join([rank(0, {"a": [1.0, 2.0, 3.0]}, [0, 1, 2]), rank(1, {"b": [4.0, NAN]}, [1, 3])])
    assert joined.steps.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(joined.norms, [[1, NAN], [2, 4], [3, NAN], [NAN, NAN]])
    assert joined.gaps.tolist() == [[False, True], [False, False], [False, True], [True, True]]


def test_steps_that_a_resumed_run_counts_twice_belong_together_by_stretch():
    joined = Recording.join(
        [rank(0, {"a": [1.0, 2.0, 3.0, 4.0]}, [5, 6, 6, 7]), rank(1, {"b": [1.0, 3.0, 4.0]}, [5, 5, 7])]
    )
    assert joined.steps.tolist() == [5, 6, 5, 6, 7]
    np.testing.assert_array_equal(joined.norms, [[1, 1], [2, NAN], [NAN, 3], [3, NAN], [4, 4]])


def test_steps_that_no_float_holds_are_told_apart():
    joined = Recording.join([rank(0, {"a": [1.0, 2.0]}, [2**53, 2**53 + 1]), rank(1, {"b": [3.0]}, [2**53 + 1])])
    assert joined.steps.tolist() == [2**53, 2**53 + 1]
    np.testing.assert_array_equal(joined.norms, [[1, NAN], [2, 3]])


def test_a_measured_nan_is_no_gap():
    first = rank(0, {"a": [1.0]})
    second = Recording(("b",), [0], [[NAN]])
    joined = Recording.join([first, second])
    assert np.isnan(joined.norms[0, 1])
    assert not joined.gaps.any()


def test_layers_of_one_name_get_their_ranks_before_it():
    joined = Recording.join([rank(0, {"0": [1.0, 2.0], "a": [5.0, 5.0]}), rank(1, {"0": [1.0, 3.0]})])
    assert joined.layers == ("rank0.0", "a", "rank1.0")
    assert joined.norms.tolist() == [[1, 5, 1], [2, 5, 3]]


def test_a_layer_that_two_ranks_measured_alike_is_one_and_they_complete_each_other():
    # Two stages, each on two ranks, as in pipeline with data parallelism; one rank was stopped early.
    stages = [{"0": [1.0, 2.0]}, {"0": [1.0000001, 2.0, 7.0]}, {"0": [4.0, NAN]}, {"0": [4.0, NAN]}]
    joined = Recording.join([rank(number, stage) for number, stage in enumerate(stages)])
    assert joined.layers == ("rank0.0", "rank2.0")
    np.testing.assert_array_equal(joined.norms, [[1, 4], [2, NAN], [7, NAN]])


@pytest.mark.parametrize("values", [[0.0, 0.0], [NAN, NAN]])
def test_layers_that_say_nothing_are_not_taken_for_the_same(values):
    joined = Recording.join([rank(0, {"fc": values}), rank(1, {"fc": values})])
    assert joined.layers == ("rank0.fc", "rank1.fc")


def test_a_layer_with_a_gap_where_the_other_has_none_is_another():
    joined = Recording.join([rank(0, {"expert": [1.0, NAN]}), rank(1, {"expert": [1.0, 2.0]})])
    assert joined.layers == ("rank0.expert", "rank1.expert")


def test_metrics_that_agree_stand_once_and_others_by_rank():
    first = rank(0, {"a": [1.0, 2.0]}, epoch=[0.0, 1.0], loss=[NAN, NAN], aux=[1.0, 2.0])
    second = rank(1, {"b": [3.0, 4.0]}, epoch=[0.0, 1.0], loss=[0.5, 0.25], aux=[1.0, 3.0])
    joined = Recording.join([first, second])
    assert {name: values.tolist() for name, values in joined.metrics.items()} == {
        "epoch": [0, 1],
        "loss": [0.5, 0.25],
        "aux": [1, 2],
        "rank1.aux": [1, 3],
    }


def test_a_quantity_follows_its_layer_to_the_new_name():
    first, second = (rank(n, {"0": [1.0 + n]}, **{"weight_norm 0": [3.0], "zeros a b": [0.5]}) for n in (0, 1))
    joined = Recording.join([first, second])
    assert list(joined.metrics) == ["weight_norm rank0.0", "zeros a b", "weight_norm rank1.0"]


def test_metadata_that_differ_are_kept_by_rank():
    first, second = rank(0, {"a": [1.0]}), rank(1, {"b": [1.0]})
    other = Recording(second.layers, second.steps, second.norms, meta={"rank": "1", "model": "Head", "host": "x"})
    assert Recording.join([first, other]).meta == {"model": "Net", "rank1.model": "Head", "host": "x"}


def test_recordings_that_claim_the_same_rank_are_told_apart_by_their_place():
    joined = Recording.join([rank(3, {"0": [1.0]}), rank(3, {"0": [2.0]})])
    assert joined.layers == ("rank0.0", "rank1.0")


def test_a_name_that_is_taken_is_refused_rather_than_lost():
    parts = [rank(0, {"0": [1.0], "rank1.0": [5.0]}), rank(1, {"0": [2.0]})]
    with pytest.raises(InputError, match=r"two ranks have '0', and 'rank1\.0' is taken as well"):
        Recording.join(parts)


def test_a_joined_recording_saves_and_loads(tmp_path):
    joined = Recording.join([rank(0, {"0": [1.0, 2.0]}, loss=[1.0, 1.0]), rank(1, {"0": [3.0]}, loss=[2.0])])
    joined.save(tmp_path / "norms.csv")
    again = Recording.load(tmp_path / "norms.csv")
    assert again.layers == joined.layers == ("rank0.0", "rank1.0")
    np.testing.assert_array_equal(again.norms, joined.norms)
    np.testing.assert_array_equal(again.gaps, joined.gaps)
    np.testing.assert_array_equal(again.metrics["rank1.loss"], [2.0, NAN])


@pytest.mark.parametrize("bad, said", [([], "no recording"), (["norms.rank0.csv"], "'norms.rank0.csv' is not a rec")])
def test_what_is_no_recording_is_refused(bad, said):
    with pytest.raises(InputError, match=said):
        Recording.join(bad)
