"""The verdict on runs whose faults are known by construction: what, where, from when to when, and what is missing."""

import math

import numpy as np
import pytest

from gradmidi.events import KINDS, find_events
from gradmidi.events.verdict import NEEDED, troubles_of, verdict_of
from gradmidi.events.verdict_text import EVIDENCE, lines_of, sentence
from gradmidi.recording import Recording

LAYERS = ("conv1", "conv2", "fc1", "fc2")
STEPS = 600


def calm(steps: int = STEPS, layers: int = 4) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, 0.1, (steps, layers))
    return np.array([1.0, 2.0, 3.0, 4.0])[:layers] * np.exp(noise)


def falling(steps: int = STEPS) -> np.ndarray:
    return 0.1 + 2.2 * np.exp(-np.arange(steps) / 60)


def record(norms, loss=None, ratios=True) -> Recording:
    layers = LAYERS[: norms.shape[1]]
    metrics = {} if loss is None else {"loss": loss}
    metrics |= {f"update_ratio {layer}": np.full(len(norms), 1e-3) for layer in layers} if ratios else {}
    return Recording(layers, np.arange(len(norms)), norms, metrics)


def judged(where, factor, loss=None):
    norms = calm()
    norms[where] *= factor
    return verdict_of(record(norms, falling() if loss is None else loss))


def spans(verdict):
    return [(one.kind, one.layers, one.since, one.until) for one in verdict.troubles]


def test_a_healthy_run_with_all_that_the_rules_need():
    verdict = verdict_of(record(calm(), falling()))
    assert (verdict.health, verdict.troubles, verdict.unchecked, verdict.is_lasting) == ("healthy", (), (), False)
    assert verdict.loss == pytest.approx((2.3, 0.1), abs=1e-3)
    assert lines_of(verdict, "norms.csv") == [
        "norms.csv: steps 0 to 599, 4 layers, loss 2.3 → 0.1",
        "healthy: nothing was found",
    ]


def test_a_spike_is_over_at_once():
    verdict = judged((300, 1), 100.0)
    assert spans(verdict) == [("spike", ("conv2",), 300, 359)]
    assert (verdict.health, verdict.is_lasting, verdict.troubles[0].is_momentary) == ("sick", False, True)
    assert sentence(verdict) == "sick: spike in conv2 at step 300"


def test_a_spike_of_the_last_step_is_not_one_that_lasts():
    verdict = judged((STEPS - 1, 1), 100.0)
    assert spans(verdict) == [("spike", ("conv2",), STEPS - 1, None)]
    assert not verdict.is_lasting
    assert sentence(verdict) == "sick: spike in conv2 at step 599"


def test_the_figures_are_those_of_the_rows():
    norms = calm()
    norms[300, 1] *= 100.0
    (trouble,) = verdict_of(record(norms, falling())).troubles
    assert trouble.value == pytest.approx(np.linalg.norm(norms[300]))
    assert trouble.ratio == pytest.approx(trouble.value / trouble.usual)
    assert trouble.usual <= np.linalg.norm(norms[:300], axis=1).max()
    assert f"(norm {trouble.value:.3g}, {trouble.ratio:.0f} times its recent peak of {trouble.usual:.3g})" in "\n".join(
        lines_of(verdict_of(record(norms, falling())), "x")
    )


def test_many_spikes_share_a_line():
    # Each is far above the one before, as a spike raises what is usual.
    verdict = judged(([100, 200, 300, 400, 500], [1, 1, 1, 1, 2]), np.geomspace(1e2, 1e6, 5))
    lines = lines_of(verdict, "x")
    (line,) = [line for line in lines if line.startswith("  ")]
    assert line.startswith("  spike 5 times in 2 layers: the first in conv2 at step 100 (norm ")
    assert line.endswith("; the last in fc1 at step 500; all over")
    assert lines[1] == "sick: first spike in conv2 at step 100; all over"


def test_nan_in_every_layer_to_the_end():
    norms, loss = calm(), falling()
    norms[250:], loss[250:] = np.nan, np.nan
    verdict = verdict_of(record(norms, loss))
    assert spans(verdict) == [("nan", LAYERS, 250, None)]
    assert math.isnan(verdict.loss[1])
    assert lines_of(verdict, "x")[:3] == [
        "x: steps 0 to 599, 4 layers, loss 2.3 → NaN",
        "sick: NaN in all 4 layers from step 250 to the end",
        "  NaN in all 4 layers from step 250 to the end",
    ]


def test_layers_that_recover_at_different_steps_are_different_troubles():
    norms = calm()
    norms[200:300, 0] = 0.0
    norms[200:400, 1] = 0.0
    assert spans(verdict_of(record(norms, falling()))) == [
        ("zero", ("conv1",), 200, 349),
        ("zero", ("conv2",), 200, 449),
    ]


def test_what_lasts_is_told_beside_what_was_first():
    norms = calm()
    norms[100, 1] *= 100.0
    norms[400:, 3] = 0.0
    assert sentence(verdict_of(record(norms, falling()))) == (
        "sick: first spike in conv2 at step 100; exactly zero to the end"
    )
    norms[350:, 2] = np.nan
    norms[100, 1] /= 100.0
    assert sentence(verdict_of(record(norms, falling()))) == (
        "sick: first NaN in fc1 from step 350 to the end; exactly zero to the end, too"
    )


def test_the_gravest_kinds_come_with_causes_and_remedies():
    norms = calm()
    norms[400:, 3] = 0.0
    lines = lines_of(verdict_of(record(norms, falling())), "x")
    assert lines[3] == "exactly zero, usual causes: " + "; ".join(KINDS["zero"].causes[:3])
    assert lines[4] == "exactly zero, people try: " + "; ".join(KINDS["zero"].remedies[:3])


def test_everything_at_once_fits_into_a_dozen_lines():
    norms, loss = calm(), np.full(STEPS, 2.3)
    norms[100:160] *= 1e6
    norms[200:240, 0] = norms[300:340, 1] = 0.0
    norms[360, 1], norms[450:, 2] = np.inf, np.nan
    verdict = verdict_of(record(norms, loss, ratios=False))
    assert verdict.kinds == ["nan", "plateau", "inf", "explosion", "drift", "spike", "zero"]
    lines = lines_of(verdict, "x")
    assert len(lines) == 2 + 5 + 2 * 2 + 1
    assert lines[6] == "  also drift, spike and exactly zero"
    assert [line.split(",")[0] for line in lines if "people try" in line] == ["NaN", "plateau"]
    assert lines[-1].startswith("not examined: frozen (")


@pytest.mark.parametrize(("steps", "health"), [(1, "unknown"), (19, "unknown"), (20, "healthy")])
def test_a_short_run_has_no_verdict(steps, health):
    verdict = verdict_of(record(calm(steps), falling(steps)))
    assert verdict.health == health


def test_a_run_without_steps_has_no_verdict():
    verdict = verdict_of(record(calm(0), falling(0)))
    assert (verdict.health, verdict.loss, verdict.first_step) == ("unknown", None, None)
    assert lines_of(verdict, "x")[:2] == [
        "x: no steps × 4 layers",
        "no verdict: 0 measured steps cannot tell; 20 are needed",
    ]


def test_a_short_run_with_nan_is_sick():
    norms = calm(5)
    norms[3, 2] = np.nan
    assert verdict_of(record(norms)).health == "sick"


def test_what_is_missing_is_named_with_the_rules_that_need_it():
    missing = {kind: one.why for one in verdict_of(record(calm(100, 1), ratios=False)).unchecked for kind in one.kinds}
    assert set(missing) == {"loss-spike", "plateau", "frozen", "vanishing"}
    assert "no loss" in missing["plateau"]
    assert 'quantities=("grad_norm", "update_ratio")' in missing["frozen"]
    assert "single layer" in missing["vanishing"]
    short = verdict_of(record(calm(100), falling(100))).unchecked
    assert [(one.kinds, one.why) for one in short] == [(("plateau",), "too few steps; needed are 300")]


# The earliest possible case of each kind, by construction: a function of the number of steps.
def _exploded(steps):
    norms = calm(steps)
    norms[20:] *= 1e4
    return record(norms, falling(steps))


def _grown(steps):
    norms = calm(steps)
    norms[2:] *= np.exp(np.minimum(np.arange(steps - 2), 30))[:, np.newaxis]
    return record(norms, falling(steps))


EARLIEST = {
    "explosion": _exploded,
    "zero": lambda steps: record(calm(steps) * [1, 1, 0, 1], falling(steps)),
    "vanishing": lambda steps: record(calm(steps) * [1, 1, 1e-9, 1], falling(steps)),
    "bad-start": lambda steps: record(calm(steps) * 1e4, falling(steps)),
    "plateau": lambda steps: record(calm(steps), np.full(steps, 2.3)),
    "frozen": lambda steps: Recording(
        LAYERS, np.arange(steps), calm(steps), {f"update_ratio {layer}": np.zeros(steps) for layer in LAYERS}
    ),
    "drift": _grown,
}


@pytest.mark.parametrize("kind", EARLIEST)
def test_the_steps_that_a_rule_is_said_to_need_are_those_it_needs(kind):
    def finds(steps):
        return kind in {event.kind for event in find_events(EARLIEST[kind](steps))}

    assert finds(NEEDED[kind])
    assert not finds(NEEDED[kind] - 1)


def test_each_kind_that_has_a_figure_has_words_for_it():
    without = {"nan", "inf", "zero", "finished"}
    assert set(EVIDENCE) == set(KINDS) - without


def test_an_end_without_its_onset_is_not_a_trouble():
    norms = calm()
    norms[300, 1] *= 100.0
    events = [event for event in find_events(record(norms)) if event.phase != "onset"]
    assert troubles_of(events, LAYERS) == ()


def test_a_drift_that_is_due_to_an_explosion_does_not_come_before_it():
    verdict = judged(slice(250, None), 1e4, np.full(STEPS, 2.3))
    assert [one.kind for one in verdict.troubles] == ["explosion", "spike", "drift", "plateau"]
    assert verdict.troubles[2].since < verdict.troubles[0].since == 250
    assert sentence(verdict).startswith("sick: first explosion in ")
