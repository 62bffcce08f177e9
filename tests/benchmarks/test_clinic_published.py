"""Published rules, each on a series on which its definition must fire, and on one just short of it."""

import numpy as np
import pytest

from benchmarks.clinic.published import (
    RULES,
    adagc,
    autotrainer,
    autotrainer_loss,
    cockpit,
    not_finite,
    old,
    skip_step,
    spam,
    whole_norm,
    zclip,
)
from gradmidi.recording import Recording


def run(norms, loss=None, gaps=None, updates=None):
    """A recording of norms (N,) or (N, L); the loss is constant if it is not given."""
    norms = np.array(norms, dtype=float)
    norms = norms[:, np.newaxis] if norms.ndim == 1 else norms
    metrics = {"loss": np.ones(len(norms)) if loss is None else np.array(loss, dtype=float)}
    if updates is not None:
        metrics["update_ratio a"] = np.array(updates, dtype=float)
    return Recording(tuple("abcdefghijkl"[: norms.shape[1]]), np.arange(len(norms)), norms, metrics, {}, gaps)


def said(alarms):
    return [(alarm.row, alarm.kind) for alarm in alarms]


def waves(rows, low=0.9, high=1.1):
    """Alternating values: mean 1, standard deviation 0.1."""
    return np.where(np.arange(rows) % 2, low, high)


def test_nan_and_inf_of_norms_and_loss_but_not_a_layer_without_gradient():
    norms = np.ones((5, 2))
    norms[1, 0], norms[2, 1], norms[3, 1] = np.nan, np.inf, np.nan
    gaps = np.zeros((5, 2), dtype=bool)
    gaps[3, 1] = True
    assert said(not_finite(run(norms, gaps=gaps))) == [(1, "nan"), (2, "inf")]
    assert said(not_finite(run(np.ones(4), [1, np.inf, np.nan, 1]))) == [(2, "nan"), (1, "inf")]
    assert said(not_finite(run(np.ones(6), [np.nan, 1, np.nan, np.nan, np.nan, 1]), 3)) == [(4, "nan")]


@pytest.mark.parametrize(("norm", "fires"), [(1.24, False), (1.27, True)])
def test_zclip_fires_from_two_and_a_half_deviations_on_after_25_steps(norm, fires):
    # 24 steps of 0.9 and 1.1 and one of 1: mean 1, deviation sqrt(0.01 * 24 / 25) = 0.098; 2.5 of them are 0.245.
    series = [*waves(24), 1.0, norm]
    assert said(zclip(run(series))) == ([(25, "spike")] if fires else [])
    assert zclip(run([100.0 if row == 10 else 1.0 for row in range(25)])) == []


def test_zclip_takes_what_was_clipped_into_its_averages():
    series = [*waves(24), 1.0, 100.0, 1.3]
    assert said(zclip(run(series))) == [(25, "spike"), (26, "spike")]  # 100 counted as little more than 1
    assert said(zclip(run(series), 50.0)) == [(25, "spike")]
    assert said(zclip(run([*waves(24), 1.0, np.nan, 2.0]))) == [(26, "spike")]


@pytest.mark.parametrize(("value", "fires"), [(1.6015, False), (1.6035, True)])
def test_skip_step_fires_above_six_deviations_of_128_steps(value, fires):
    # Deviation of 128 values, with 127 in the denominator: 0.10039; six of them above 1 are 1.6024.
    series = [*waves(200), value]
    assert said(skip_step(run(series))) == ([(200, "spike")] if fires else [])
    assert said(skip_step(run(np.ones(201), series))) == ([(200, "loss-spike")] if fires else [])


def test_skip_step_waits_for_64_losses_and_its_window_forgets():
    assert skip_step(run([*waves(62), 100.0])) == []
    assert said(skip_step(run([*waves(63), 100.0]))) == [(63, "spike")]
    again = [*waves(100), 100.0, *waves(128), 40.0]
    assert said(skip_step(run(again))) == [(100, "spike"), (229, "spike")]  # the first one has just left the window
    # One step earlier it has not: mean 1.8, deviation 100 / sqrt(128) = 8.8, limit 54.
    assert said(skip_step(run([*again[:-2], 40.0]))) == [(100, "spike")]


def test_skip_step_leaves_out_what_is_not_finite_until_it_has_left_the_window():
    rows = [row for row, _ in said(skip_step(run([*waves(100), np.nan, *waves(200)])))]
    assert rows == list(range(100, 229))


@pytest.mark.parametrize(("norm", "fires"), [(1.04, False), (1.06, True)])
def test_adagc_fires_above_1_05_times_the_smallest_norm_of_the_warm_up(norm, fires):
    quiet = np.full((100, 2), 0.5)  # the whole gradient's norm is below 1: nothing is clipped
    norms = np.vstack([quiet, [0.5, 0.5 * norm]])
    assert [alarm[:3] for alarm in adagc(run(norms))] == ([(100, "spike", 1)] if fires else [])


def test_adagc_clips_the_warm_up_and_follows_slowly():
    loud = np.full(110, 4.0)  # clipped to 1 in the warm-up
    # The average begins at 1 and takes in 3 times itself, clipped: it grows by 1.04 a step, 3 * 1.04 ** 8 is over 4.
    assert [row for row, _ in said(adagc(run(loud), 3.0))] == list(range(100, 108))
    assert adagc(run(loud), 4.5) == []
    growing = 0.5 * 1.02 ** np.maximum(0, np.arange(400) - 100)
    assert adagc(run(growing), 3.0) == []  # an average of 50 steps falls behind by a factor of about 2
    assert adagc(run(growing), 1.5) != []
    gap = np.where(np.arange(120) == 110, np.nan, 0.5)
    assert adagc(run(gap)) == []


def test_spam_fires_where_the_square_is_5000_times_its_second_moment():
    # After 100 steps of 1 the moment is 1 - 0.999 ** 100 = 0.0952; the limit is the root of 5000 times this: 21.8.
    assert said(spam(run([*np.ones(100), 21.7]))) == []
    assert said(spam(run([*np.ones(100), 21.9]))) == [(100, "spike")]
    assert said(spam(run([*np.ones(100), 21.9]), 6000.0)) == []


def test_spam_looks_away_for_20_steps_and_begins_anew_after_500():
    assert spam(run([*np.ones(18), 1e6])) == []
    # The 20th step, with 19 behind it: the root of 5000 (1 - 0.999 ** 19) is 9.7.
    assert said(spam(run([*np.ones(19), 9.6]))) == []
    assert said(spam(run([*np.ones(19), 9.9]))) == [(19, "spike")]
    later = np.ones(560)
    later[510], later[540] = 1e6, 30.0  # the root of 5000 (1 - 0.999 ** 40) is 14, but the peak of 510 has counted
    assert spam(run(later)) == []
    later[510] = 1.0
    assert said(spam(run(later))) == [(540, "spike")]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0.9e-5, 1e-2, ["vanishing"]),
        (1.1e-5, 1e-2, []),  # the ratio is not below a thousandth
        (1.1e-4, 1.0, []),  # small beside the last, but not below 1e-4
        (71.0, 1.0, ["explosion"]),
        (69.0, 1.0, []),
        (np.nan, 1.0, ["explosion"]),
        (1.0, np.inf, ["explosion"]),
        (0.0, 0.0, ["zero"]),
        (0.0, 1.0, ["vanishing"]),
    ],
)
def test_autotrainer_compares_the_first_layer_with_the_last(first, last, expected):
    middle = [0.5 * (first + last)] if not first == last == 0 else [0.0]
    assert [kind for _, kind in said(autotrainer(run([[first, *middle, last]])))] == expected


def test_autotrainer_on_zeros_loss_gaps_and_its_threshold():
    dead = np.ones((2, 10))
    dead[0, :6], dead[1, 1:8] = 0.0, 0.0
    assert said(autotrainer(run(dead, [1, 999]))) == [(0, "vanishing"), (1, "zero")]
    assert said(autotrainer(run(np.ones((2, 2)), [999, 1000]))) == [(1, "explosion")]
    norms, gaps = np.array([[np.nan, 80.0, 1.0]]), np.array([[True, False, False]])
    assert said(autotrainer(run(norms, gaps=gaps))) == [(0, "explosion")]
    assert autotrainer(run(norms, gaps=gaps), 2.0) == []
    assert autotrainer(run([[0.9e-5, 1e-2]]), 2.0) == []


def test_autotrainer_is_told_a_loss_that_oscillates_or_hardly_falls_from_the_fourth_epoch_on():
    steps = np.arange(400)
    assert autotrainer_loss(run(np.ones(400), 2.0 * 0.995**steps)) == []
    assert said(autotrainer_loss(run(np.ones(400), np.full(400, 2.0)))) == [
        (row, "plateau") for row in range(199, 400, 50)
    ]
    swinging = 2.0 * np.where(steps // 50 % 2, 0.7, 1.0)
    assert "noise" in {kind for _, kind in said(autotrainer_loss(run(np.ones(400), swinging)))}
    slightly = 2.0 * np.where(steps // 50 % 2, 0.98, 1.0)
    assert "noise" not in {kind for _, kind in said(autotrainer_loss(run(np.ones(400), slightly)))}
    assert autotrainer_loss(run(np.ones(150), np.full(150, 2.0))) == []


def test_cockpit_shows_what_leaves_ten_times_its_median_up_or_down():
    series = np.ones(60)
    series[[30, 40, 50, 55]] = 9.9, 10.1, 0.11, 0.09
    assert said(cockpit(run(series))) == [(40, "spike"), (55, "vanishing")]
    series[:20] = np.nan  # nothing until twenty steps are known
    assert said(cockpit(run(series))) == [(40, "spike"), (55, "vanishing")]
    series[20] = np.nan
    assert said(cockpit(run(series))) == [(55, "vanishing")]
    assert said(cockpit(run(np.ones(60), updates=np.where(np.arange(60) == 45, 2e-2, 1e-3)))) == [(45, "spike")]


def test_the_old_rule_marks_where_a_norm_of_20_times_its_running_mean_begins_and_each_nan():
    norms = np.ones((30, 2))
    norms[10:12, 1] = 21.0, 80.0  # a mean of 1, then of 21 ** 0.1 = 1.36, so both are far above: one event
    norms[20, 0] = 19.9
    norms[25:27, 0] = 0.0
    norms[27:29, 0] = np.nan
    found = sorted(alarm[:3] for alarm in old(run(norms)))
    assert found == [(10, "explosion", 1), (25, "zero", 0), (27, "nan", 0), (28, "nan", 0)]
    assert said(old(run([1e-3, 0.1]))) == [(1, "explosion")]  # its first norm was at once "usual"


def test_the_whole_norm_is_of_the_layers_that_have_a_gradient():
    gaps = np.array([[False, False], [False, True], [True, True]])
    norms = np.array([[3.0, 4.0], [3.0, np.nan], [np.nan, np.nan]])
    assert whole_norm(run(norms, gaps=gaps)).tolist() == [5.0, 3.0, 0.0]
    assert np.isnan(whole_norm(run([[3.0, np.nan]]))[0])


@pytest.mark.parametrize("name", RULES)
def test_every_rule_takes_any_length_and_is_less_sensitive_with_a_larger_threshold(name):
    rule = RULES[name]
    draw = np.random.default_rng(1)
    norms = np.exp(draw.standard_normal((700, 3)))
    loss = np.exp(draw.standard_normal(700))
    for rows in (1, 2, 24, 25, 26, 64, 100, 101, 128, 129, 499, 500, 519, 700):
        alarms = rule.rule(run(norms[:rows], loss[:rows]), rule.threshold)
        assert all(0 <= alarm.row < rows for alarm in alarms)
    counts = [len(rule.rule(run(norms, loss), rule.threshold * factor)) for factor in (1, 4, 1e4)]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("name", RULES)
def test_no_rule_looks_ahead(name):
    rule = RULES[name]
    draw = np.random.default_rng(2)
    norms, loss = np.exp(2 * draw.standard_normal((600, 3))), np.exp(draw.standard_normal(600))
    norms[400], norms[450, 1], loss[500] = np.nan, np.inf, np.nan
    whole = sorted(said(rule.rule(run(norms, loss), rule.threshold)))
    for rows in (150, 420, 550):
        part = sorted(said(rule.rule(run(norms[:rows], loss[:rows]), rule.threshold)))
        assert part == [one for one in whole if one[0] < rows]
