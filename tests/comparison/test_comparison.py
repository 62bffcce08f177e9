"""What differs between two runs, in numbers and words, on pairs whose difference is known."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

import gradmidi as gm
from gradmidi.comparison.differences import BIN, FACTOR, IN_A_ROW, SHARE
from gradmidi.errors import InputError
from gradmidi.recording import Recording

LAYERS = ("conv1", "conv2", "fc1", "fc2")


def run(seed: int, steps: int = 400, noise: float = 0.3, **factors) -> Recording:
    """Norms about 0.5 … 2, each layer multiplied by a factor (N,), and a loss that falls from 2 to 0.2."""
    rng = np.random.default_rng(seed)
    norms = np.array([0.5, 1, 2, 1]) * np.exp(rng.normal(0, noise, (steps, 4)))
    for layer, factor in factors.items():
        norms[:, LAYERS.index(layer)] *= factor
    return Recording(LAYERS, np.arange(steps), norms, {"loss": np.linspace(2, 0.2, steps)})


def after(step: int, factor: float, until: int = 400) -> np.ndarray:
    """1 up to ``step``, then a factor, and 1 again from ``until``."""
    factors = np.ones(400)
    factors[step:until] = factor
    return factors


def with_loss(recording: Recording, loss) -> Recording:
    return Recording(recording.layers, recording.steps, recording.norms, {"loss": np.asarray(loss)})


def of_layer(comparison, name):
    return next(layer for layer in comparison.differences.layers if layer.name == name)


def test_the_ratio_is_the_median_of_the_norms_ratios():
    a, b = run(1), run(2, fc1=3.0)
    found = gm.compare(a, b).differences
    for i, layer in enumerate(found.layers):
        assert layer.ratio == pytest.approx(np.exp(np.median(np.log(b.norms[:, i] / a.norms[:, i]))))
        assert layer.sizes == pytest.approx((np.median(a.norms[:, i]), np.median(b.norms[:, i])))
    total_a, total_b = (np.linalg.norm(each.norms, axis=1) for each in (a, b))
    assert found.whole.ratio == pytest.approx(np.exp(np.median(np.log(total_b / total_a))))
    assert found.compared == 400


def test_seeds_of_one_kind_do_not_part():
    for seed in range(10):
        found = gm.compare(run(seed), run(100 + seed)).differences
        assert not any(each.apart for each in (*found.layers, found.whole))


@pytest.mark.parametrize(("begin", "factor"), [(200, 4.0), (200, 0.25), (0, 5.0), (350, 5.0)])
def test_they_part_where_one_layer_changes(begin, factor):
    comparison = gm.compare(run(1), run(2, conv2=after(begin, factor)))
    (stretch,) = of_layer(comparison, "conv2").apart
    assert (stretch.since, stretch.until) == (begin, None)
    assert stretch.ratio == pytest.approx(factor, rel=0.1)
    assert not of_layer(comparison, "fc1").apart
    line = words(comparison, "conv2")
    assert f"apart from step {begin} on" in line
    larger, smaller = ("B", "A") if factor > 1 else ("A", "B")
    assert re.search(rf"{larger} is [\d.]+ times {smaller}", line)


def words(comparison, name: str) -> str:
    """The line that begins with a name."""
    (line,) = [line for line in comparison.lines if line.strip().startswith(name)]
    return line


def test_they_come_together_again():
    comparison = gm.compare(run(1), run(2, fc1=after(100, 6.0, until=250)))
    (stretch,) = of_layer(comparison, "fc1").apart
    assert (stretch.since, stretch.until) == (100, 249)
    assert "apart from step 100 to 249 (B is" in words(comparison, "fc1")


def test_less_than_the_rule_asks_for_is_not_apart():
    """Four bins are too few, and a factor below two is too little, however long."""
    assert not of_layer(gm.compare(run(1), run(2, fc1=after(100, 6.0, until=140))), "fc1").apart
    assert not of_layer(gm.compare(run(1, noise=0.1), run(2, noise=0.1, fc1=1.8)), "fc1").apart
    assert of_layer(gm.compare(run(1, noise=0.1), run(2, noise=0.1, fc1=2.3)), "fc1").apart
    # Far in the median, but on both sides.
    flips = np.tile([8, 8, 8, 8, 8, 8, 8, 1 / 8, 1 / 8, 1 / 8], 40)
    assert not of_layer(gm.compare(run(1), run(2, fc1=flips)), "fc1").apart


def test_a_short_run_has_smaller_bins():
    a, b = run(1, noise=0.1)[:30], run(2, noise=0.1, fc1=after(12, 5.0))[:30]
    (stretch,) = of_layer(gm.compare(a, b), "fc1").apart
    assert (stretch.since, stretch.until) == (12, None)  # bins of three
    assert not of_layer(gm.compare(a[:4], b[:4]), "fc1").apart


def test_zeros_and_norms_that_are_not_finite_are_beyond_every_other():
    dead = run(2, fc1=after(200, 0.0))
    lost = run(3, fc2=after(100, math.nan))
    comparison = gm.compare(dead, lost)
    assert of_layer(comparison, "fc1").apart[0]._replace(sizes=()) == (200, None, math.inf, ())
    assert "apart from step 200 on (A is exactly 0)" in words(comparison, "fc1")
    assert words(comparison, "fc2") == "  fc2: B is not finite; apart from step 100 on"
    same = gm.compare(dead, dead)
    assert not of_layer(same, "fc1").apart
    assert words(same, "all 4 layers") == "  all 4 layers: the same in both; the runs do not part"


def test_steps_that_are_shifted_and_thinned_find_the_same():
    a, b = run(1, steps=800), run(2, steps=800)
    norms = b.norms.copy()
    norms[300:, 2] *= 4
    b = Recording(LAYERS, b.steps + 3, norms)[::5]
    comparison = gm.compare(a, b)
    (stretch,) = of_layer(comparison, "fc1").apart
    assert 300 <= stretch.since <= 350 and stretch.until is None
    assert comparison.lines[2] == (
        "compared: 4 layers at 160 steps, 3 to 798 "
        "(A has every step, B one in 5 steps; 639 rows of A in between left out)"
    )


def test_what_one_of_them_lacks_is_one_line():
    a, b = run(1, steps=300).only(["conv1", "fc1", "fc2"]), run(2).only(["conv*", "fc1"])
    lines = gm.compare(a, b).lines
    assert "not compared: only A has 1 layer: fc2; only B has 1 layer: conv2" in lines
    assert "only B after step 299" in lines
    assert (
        "only A before step 50" in gm.compare(a, b[50:]).lines[4]
        or "only A before step 50" in gm.compare(a, b[50:]).lines
    )


# --- losses and events ---


def test_which_finishes_lower():
    a, b = run(1), with_loss(run(2), np.linspace(2, 0.1, 400))
    ending = gm.compare(a, b).differences.ending
    assert ending.last == pytest.approx((np.median(a.metrics["loss"][-10:]), np.median(b.metrics["loss"][-10:])))
    assert ending.lower == "B"
    assert gm.compare(b, a).lines[-1] == "A finishes lower: loss 0.121, and B 0.22"
    assert gm.compare(a, a).lines[-1] == "the runs finish with about the same loss: A 0.22, B 0.22"
    assert gm.compare(a, with_loss(b, np.full(400, np.nan))).lines[-1] == "final loss: A 0.22, B unknown"


def test_a_longer_run_is_compared_at_the_last_step_of_both_too():
    line = gm.compare(run(1), run(2)[:200]).lines[-1]
    assert line == "A finishes lower: loss 0.22, and B 1.12; at the last step of both: A 1.12, B 1.12"


def test_a_loss_that_is_lost_to_nan_is_higher_than_any():
    b = run(2)
    norms, loss = b.norms.copy(), b.metrics["loss"].copy()
    norms[300:], loss[300:] = np.nan, np.nan
    comparison = gm.compare(run(1), Recording(LAYERS, b.steps, norms, {"loss": loss}))
    assert comparison.lines[-1] == "A finishes lower: loss 0.22, and B NaN"
    assert comparison.differences.loss.apart[0].since == 300
    assert "events only in B: NaN" in comparison.lines


def test_runs_without_a_loss_have_no_line_about_it():
    a = Recording(LAYERS, np.arange(50), np.ones((50, 4)))
    comparison = gm.compare(a, a)
    assert comparison.differences.loss is None and comparison.differences.ending is None
    assert not any("loss" in line for line in comparison.lines[2:])


def test_events_are_those_of_each_run_alone():
    a, b = run(1), run(2, fc2=after(200, 1000.0))
    comparison = gm.compare(a, b)
    assert comparison.differences.events == (gm.find_events(a), gm.find_events(b))
    kinds = {event.kind for event in gm.find_events(b)} - {event.kind for event in gm.find_events(a)}
    assert kinds
    (line,) = [line for line in comparison.lines if line.startswith("events only in B")]
    assert len(line.split(",")) == len(kinds)


# --- the result ---


def test_names_are_those_given_or_titles():
    a, b = run(1), run(2)
    assert gm.compare(a, b).names == ("A", "B")
    assert gm.compare(a, b, names=["lr 0.1", "lr 1"]).lines[0].startswith("A, lr 0.1: steps 0 to 399, 4 layers")
    titled = [Recording(LAYERS, r.steps, r.norms, {}, {"title": t}) for r, t in ((a, "one"), (b, "two"))]
    assert gm.compare(*titled).names == ("one", "two")
    assert gm.compare(*titled).score.title == "A: one and B: two"
    assert gm.compare(*titled, title="mine").score.title == "mine"


def test_a_hostile_name_is_shown_on_one_line():
    comparison = gm.compare(run(1), run(2), names=["a\n\x1b[31m", "b\u202e"])
    assert not any(sign in str(comparison) for sign in ("\x1b", "\u202e", "a\n\\x"))
    assert len(str(comparison).splitlines()) == len(comparison.lines)


def test_it_is_json():
    a, b = run(1), run(2, fc1=after(200, 0.0), fc2=after(100, math.nan))
    found = json.loads(json.dumps(gm.compare(a, b).to_dict(), allow_nan=False))
    assert found["steps"] == {"compared": 400, "first": 0, "last": 399}
    fc1 = next(layer for layer in found["layers"] if layer["name"] == "fc1")
    assert (fc1["apart"][0]["since"], fc1["apart"][0]["until"], fc1["apart"][0]["B"]) == (200, None, 0.0)
    assert found["runs"]["B"]["verdict"] == "sick"
    assert found["summary"] == gm.compare(a, b).lines


def test_many_layers_are_a_few_lines():
    rng = np.random.default_rng(0)
    names = [f"blocks.{i}.linear" for i in range(150)]
    norms = np.exp(rng.normal(0, 0.3, (2, 200, 150)))
    norms[1, :, 70] *= 9
    norms[1] *= np.linspace(1, 1.9, 150)
    comparison = gm.compare(*(Recording.from_arrays(each, names) for each in norms))
    assert len(comparison.lines) < 16
    assert any("blocks.70.linear: B is" in line for line in comparison.lines)
    assert any("more layers with smaller differences" in line for line in comparison.lines)


def test_only_recordings_are_compared():
    with pytest.raises(InputError, match="takes two recordings, not 'str'"):
        gm.compare("a.csv", run(1))


def test_the_page_states_the_rule():
    from tests.conftest import ROOT

    page = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    assert f"bins of {BIN} compared steps" in page
    assert f"{IN_A_ROW} bins in a row" in page
    assert f"factor of {FACTOR:g}" in page
    assert f"{SHARE:.0%}".replace("%", " %") in page
