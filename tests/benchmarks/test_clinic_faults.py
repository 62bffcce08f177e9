"""The clinic's labels are true: nothing differs before the onset, and from then on what the fault is meant to do."""

from functools import cache

import numpy as np
import pytest
import torch

from benchmarks.clinic.faults import EARLIEST, FAULTS, LATEST, SEEDS, held_out, nudge
from benchmarks.clinic.healthy import HEALTHY
from benchmarks.clinic.training import Training
from benchmarks.clinic.wards import WARDS

ONSET, STEPS = 6, 12  # in these tests
SOON = 3  # steps within which a fault changes the norms; momentum and a learning rate act one step late


@cache
def twin(arch, seed=0):
    return Training(WARDS[arch], WARDS[arch].recipe, seed).record(STEPS)


def faulty(arch, kind, seed=0, onset=ONSET):
    training = Training(WARDS[arch], WARDS[arch].recipe, seed)
    return training, training.record(STEPS, onset, FAULTS[kind].change)


def at_the_onset(arch, kind, seed=0):
    """A training just before its onset, then with the fault."""
    training = Training(WARDS[arch], WARDS[arch].recipe, seed)
    training.record(ONSET)
    FAULTS[kind].change(training)
    return training


def weights(training):
    return {name: parameter.detach().clone() for name, parameter in training.net.named_parameters()}


ONE_WARD_EACH = [
    pytest.param(kind, arch, id=f"{kind}-{arch}")
    for kind, fault in FAULTS.items()
    for arch in ("mlp", fault.wards[0])
    if fault.middle and arch in fault.wards and (arch != "post" or kind == "lr-high")
]


@pytest.mark.parametrize(("kind", "arch"), ONE_WARD_EACH)
def test_a_run_is_its_twin_until_the_onset_and_no_longer(kind, arch):
    _, run = faulty(arch, kind)
    same = twin(arch)
    assert run.layers == same.layers
    assert run.norms[:ONSET].tolist() == same.norms[:ONSET].tolist()
    assert run.metrics["loss"][:ONSET].tolist() == same.metrics["loss"][:ONSET].tolist()
    soon = slice(ONSET, ONSET + SOON)
    assert not np.array_equal(run.norms[soon], same.norms[soon])


@pytest.mark.parametrize("arch", WARDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_detached_layer_and_those_behind_it_get_no_gradient(arch, seed):
    _, run = faulty(arch, "detached-layer", seed)
    silent = run.gaps if seed % 2 else run.norms == 0
    ill = [layer in FAULTS["detached-layer"].layers(WARDS[arch]) for layer in run.layers]
    assert silent[ONSET:].tolist() == [ill] * (STEPS - ONSET)
    assert not silent[:ONSET].any()


@pytest.mark.parametrize("arch", WARDS)
def test_behind_a_dead_relu_gradients_are_exactly_zero(arch):
    _, run = faulty(arch, "dying-relu")
    ill = [layer in FAULTS["dying-relu"].layers(WARDS[arch]) for layer in run.layers]
    assert (run.norms[ONSET:] == 0).tolist() == [ill] * (STEPS - ONSET)
    assert not (run.norms[:ONSET] == 0).any()


@pytest.mark.parametrize("arch", WARDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_only_the_frozen_layer_keeps_its_weights(arch, seed):
    training = at_the_onset(arch, "frozen-layer", seed)
    before = weights(training)
    training.record(SOON)
    still = {name for name, value in weights(training).items() if torch.equal(value, before[name])}
    assert still == {name for name in before if name.startswith(WARDS[arch].frozen + ".")}


def test_the_update_ratio_of_a_frozen_layer_is_zero_or_a_gap():
    _, without_rate = faulty("mlp", "frozen-layer", seed=0)
    assert without_rate.metrics["update_ratio fc2"][ONSET:].tolist() == [0.0] * (STEPS - ONSET)
    _, without_gradient = faulty("mlp", "frozen-layer", seed=1)
    assert without_gradient.gaps[ONSET:, 1].all()


@pytest.mark.parametrize(("kind", "factor"), [("lr-high", 100), ("lr-low", 1e-4)])
def test_the_learning_rate_is_off_by_its_factor(kind, factor):
    run, same = faulty("mlp", kind)[1], twin("mlp")
    ratio = run.metrics["update_ratio fc1"][ONSET] / same.metrics["update_ratio fc1"][ONSET]
    assert ratio == pytest.approx(factor)


def test_the_learning_rate_of_a_slow_divergence_grows_by_a_hundredth_each_step():
    training = at_the_onset("mlp", "slow-divergence")
    training.record(11)
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 1.01**10)


def test_a_summed_loss_is_the_mean_times_the_number_of_predictions():
    assert faulty("mlp", "sum-for-mean")[1].metrics["loss"][ONSET] == pytest.approx(
        32 * twin("mlp").metrics["loss"][ONSET]
    )
    # 8 texts, of whose 20 characters 6 are not scored.
    assert faulty("transformer", "sum-for-mean")[1].metrics["loss"][ONSET] == pytest.approx(
        8 * 14 * twin("transformer").metrics["loss"][ONSET], rel=1e-5
    )


def test_without_zero_grad_the_gradient_is_the_sum_of_this_and_the_last_one():
    plain, wrong = at_the_onset("mlp", "lr-low"), at_the_onset("mlp", "no-zero-grad")
    plain.factor = 1.0
    last = plain.net.fc1.weight.grad.clone()
    for training in (plain, wrong):
        training.record(1)
    torch.testing.assert_close(wrong.net.fc1.weight.grad, plain.net.fc1.weight.grad + last)


def test_bad_initial_weights_are_ten_times_as_large_and_biases_are_not():
    training, plain = (Training(WARDS["mlp"], WARDS["mlp"].recipe, 0) for _ in range(2))
    FAULTS["bad-init"].change(training)
    torch.testing.assert_close(training.net.fc3.weight, 10 * plain.net.fc3.weight)
    assert torch.equal(training.net.fc3.bias, plain.net.fc3.bias)


def test_saturating_layers_leave_no_room_between_0_and_1():
    training = at_the_onset("mlp", "saturating")
    before, fc2 = torch.randn(4, 64), training.net.fc2
    torch.testing.assert_close(fc2(before), torch.sigmoid(20 * (before @ fc2.weight.T + fc2.bias)))
    lstm, plain = at_the_onset("lstm", "saturating"), at_the_onset("lstm", "lr-low")
    torch.testing.assert_close(lstm.net.lstm2.weight_ih_l0, 30 * plain.net.lstm2.weight_ih_l0)


@pytest.mark.parametrize(("arch", "place"), [("mlp", "fc1"), ("transformer", "blocks.0.norm1")])
def test_an_input_that_is_not_normalised_is_255_times_as_large(arch, place):
    inputs = []
    for kind in ("unnormalised-input", "lr-low"):
        training = Training(WARDS[arch], WARDS[arch].recipe, 0)
        if arch == "transformer":
            training.net.place.weight.data.zero_()  # which is added to the embedding
        training.module(place).register_forward_hook(lambda module, args, output: inputs.append(args[0].detach()))
        training.record(1, 0, FAULTS[kind].change)
    torch.testing.assert_close(inputs[0], 255 * inputs[1])


def test_one_poisoned_batch_is_ten_times_as_large_and_the_next_is_not():
    training = at_the_onset("mlp", "poisoned-batch")
    fed = []
    training.net.fc1.register_forward_hook(lambda module, args, output: fed.append(args[0].abs().max().item()))
    training.record(2)
    assert fed[0] > 8 * fed[1]


def test_one_batch_of_nan_leaves_nothing_but_nan():
    _, run = faulty("transformer", "nan-input")
    assert np.isfinite(run.norms[:ONSET]).all()
    assert np.isnan(run.norms[ONSET + 1 :]).all()


def test_half_precision_overflows_to_inf_and_then_all_is_nan():
    _, run = faulty("mlp", "half-overflow", seed=0)
    assert np.isinf(run.norms[ONSET]).any()
    assert np.isnan(run.norms[ONSET + 1 :]).all()


def test_near_the_limit_of_half_precision_inf_comes_and_goes():
    training = Training(WARDS["mlp"], WARDS["mlp"].recipe, 1)
    rows = []
    training.record(ONSET)
    FAULTS["half-overflow"].change(training)
    for _ in range(20):
        before = weights(training)
        row = training.record(1).norms[0]
        moved = any(not torch.equal(value, before[name]) for name, value in weights(training).items())
        rows.append((bool(np.isinf(row).any()), moved))
    assert set(rows) == {(True, False), (False, True)}  # what overflows is left out
    assert not rows[0][0]  # the scale is that of the first batch


def test_shuffled_labels_are_the_same_labels_in_another_order():
    training = at_the_onset("mlp", "shuffled-labels")
    seen, change = [], training.on_batch[0]
    training.on_batch = [lambda batch: seen.append((batch, change(batch))) or seen[-1][1]]
    training.record(1)
    before, after = seen[0]
    assert before.targets.tolist() != after.targets.tolist()
    assert sorted(before.targets.tolist()) == sorted(after.targets.tolist())


def test_normalisation_that_was_taken_out_leaves_its_scale_and_shift():
    training = at_the_onset("residual", "no-norm")
    x = torch.randn(3, 8, 4, 4)
    norm = training.net.norm0
    expected = x * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize(
    ("kind", "arch", "name", "value"),
    [
        ("momentum-0.99", "mlp", "momentum", 0.99),
        ("momentum-0.99", "lstm", "betas", (0.99, 0.999)),
        ("weight-decay", "mlp", "weight_decay", 0.1),
        ("weight-decay", "transformer", "weight_decay", 10.0),
    ],
)
def test_an_option_of_the_optimizer_is_wrong(kind, arch, name, value):
    training = at_the_onset(arch, kind)
    assert training.optimizer.param_groups[0][name] == pytest.approx(value)


def test_a_longer_series_goes_through_a_larger_recurrence():
    training, plain = at_the_onset("lstm", "exploding-rnn"), at_the_onset("lstm", "lr-low")
    torch.testing.assert_close(training.net.lstm1.weight_hh_l0, 4 * plain.net.lstm1.weight_hh_l0)
    seen = []
    training.net.lstm1.register_forward_hook(lambda module, args, output: seen.append(args[0].shape))
    training.record(1)
    assert seen == [(8, 80, 1)]


def test_warm_up_is_left_out():
    training = Training(WARDS["lstm"], WARDS["lstm"].recipe, 0)
    training.record(1, 0, FAULTS["no-warmup"].change)
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(5 * 3e-3)
    training = Training(WARDS["lstm"], WARDS["lstm"].recipe, 0)
    training.record(1)
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(3e-3 / 50)


def test_a_nudge_hardly_changes_the_first_steps():
    training = Training(WARDS["mlp"], WARDS["mlp"].recipe, 0)
    run = training.record(3, 0, nudge)
    assert run.norms == pytest.approx(twin("mlp").norms[:3], rel=1e-3)
    assert run.norms.tolist() != twin("mlp").norms[:3].tolist()


def test_onsets_are_drawn_once_and_for_all():
    onsets = [
        fault.onset(arch, seed)
        for fault in FAULTS.values()
        if fault.middle
        for arch in fault.wards
        for seed in SEEDS[2:]
    ]
    assert min(onsets) >= EARLIEST
    assert max(onsets) <= LATEST
    assert len(set(onsets)) > 80
    assert FAULTS["lr-high"].onset("mlp", 2) == FAULTS["lr-high"].onset("mlp", 2)
    assert [FAULTS["bad-init"].onset("mlp", seed) for seed in SEEDS] == [0] * 5
    assert FAULTS["nan-input"].onset("mlp", 0) >= EARLIEST


def test_half_of_the_kinds_and_two_architectures_are_held_out():
    assert sum(held_out("mlp", kind, 0) for kind in FAULTS) == len(FAULTS) / 2
    assert all(held_out(arch, kind, 0) for arch in ("residual", "transformer") for kind in (*FAULTS, *HEALTHY))
    assert [held_out("lstm", "healthy-clip", seed) for seed in SEEDS] == [False, False, False, True, True]
