"""Which trials there are, and that their clips are the runs' own notes at the time that is said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gradmidi.composition import compose
from gradmidi.composition.sound import SOUNDS
from gradmidi.errors import InputError
from gradmidi.quiz.bank import KINDS
from gradmidi.quiz.clips import HISTORY, check_seconds, cut, make_clip
from gradmidi.quiz.trials import PROTOCOLS, plan, plan_practice
from gradmidi.score import Marks, Score, Voice

SINGLE, DUAL = PROTOCOLS["single"], PROTOCOLS["dual"]


def test_kinds_and_runs_take_turns():
    trials = plan(48, tuple(KINDS), SINGLE, seed=1)
    assert Counter(trial.run.kind for trial in trials) == dict.fromkeys(KINDS, 8)
    assert set(Counter(trial.run.name for trial in trials).values()) == {2}
    assert not any(trial.run.practice for trial in trials)
    assert [trial.number for trial in trials] == list(range(1, 49))
    assert sorted(trial.order for trial in trials) == list(range(1, 49))


def test_what_is_left_over_goes_to_kinds_that_are_drawn():
    counts = [Counter(trial.run.kind for trial in plan(8, tuple(KINDS), SINGLE, seed)) for seed in range(30)]
    assert all(set(count.values()) <= {1, 2} for count in counts)
    assert {kind for count in counts for kind in count if count[kind] == 2} == set(KINDS)


def test_a_seed_repeats_a_session_and_another_does_not():
    first, again, other = (plan(24, tuple(KINDS), SINGLE, seed) for seed in (5, 5, 6))
    assert [trial._replace(run=None) for trial in first] == [trial._replace(run=None) for trial in again]
    assert [trial.run.name for trial in first] == [trial.run.name for trial in again]
    assert [trial.run.kind for trial in first] != [trial.run.kind for trial in other]


def test_the_order_says_nothing():
    """Over many seeds each kind is as often at each place."""
    seen = Counter(
        (trial.number, trial.run.kind) for seed in range(600) for trial in plan(6, tuple(KINDS), SINGLE, seed)
    )
    assert all(60 < seen[number, kind] < 140 for number in range(1, 7) for kind in KINDS)


def test_a_third_of_the_dual_trials_is_healthy():
    counts = Counter(trial.run.kind for trial in plan(24, tuple(KINDS), DUAL, seed=1))
    assert counts["healthy"] == 8
    assert sum(counts.values()) == 24
    assert Counter(trial.run.kind for trial in plan(10, ("noisy", "dead"), DUAL, seed=1)) == {"noisy": 5, "dead": 5}
    two = Counter(trial.run.kind for trial in plan(10, ("healthy", "dead"), DUAL, seed=1))
    assert two == {"healthy": 5, "dead": 5}


def test_practice_has_runs_of_its_own():
    examples, trials = plan_practice(tuple(KINDS), SINGLE, seed=3)
    assert [trial.run.kind for trial in examples] == list(KINDS)
    assert sorted(trial.run.kind for trial in trials) == sorted(KINDS)
    assert all(trial.run.practice for trial in (*examples, *trials))
    examples, trials = plan_practice(tuple(KINDS), DUAL, seed=3)
    assert {trial.seconds for trial in examples} == {8.0}
    assert sorted(trial.run.kind == "healthy" for trial in trials) == [False, True]


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))
def test_a_clip_is_what_its_run_sounds_like(protocol, sound):
    """Onset, pitch and velocity of every note are those of the whole run, and the fault begins when it is said."""
    for trial in plan(12, tuple(KINDS), protocol, seed=2):
        clip, whole = make_clip(trial, sound), compose(trial.run.recording, sound=sound)
        step = whole.length / len(trial.run.recording)
        first = int(clip.score.step.min())
        assert first >= HISTORY
        heard = (whole.step >= first) & (whole.step <= clip.score.step.max())
        assert np.allclose(whole.onset[heard] - first * step, clip.score.onset, atol=1e-9)
        assert (whole.frequency[heard] == clip.score.frequency).all()
        assert (whole.velocity[heard] == clip.score.velocity).all()
        assert clip.score.length == pytest.approx(protocol.seconds, abs=step)
        if trial.run.kind == "healthy":
            assert clip.onset is None
        else:
            assert clip.onset == pytest.approx((trial.run.onset - first) * step)
            assert protocol.earliest - 0.05 <= clip.onset / clip.score.length <= protocol.latest + 0.05


def test_cutting_keeps_what_is_inside():
    whole = Score(
        onset=np.array([0.0, 1.0, 2.0, 3.0]),
        duration=np.array([0.5, 0.5, 5.0, 0.5]),
        frequency=np.array([440.0, 550.0, 660.0, 770.0]),
        layer=np.zeros(4, dtype=np.int64),
        velocity=np.full(4, 90),
        step=np.arange(4),
        tied=np.zeros(4, dtype=bool),
        voices=(Voice("fc1", 0),),
        marks=Marks(np.array([0.5, 1.5]), np.array(["loss", "loss"]), np.array(["loss 1", "loss 2"])),
        length=7.0,
    )
    part = cut(whole, 1.0, 3.0)
    assert part.onset.tolist() == [0.0, 1.0]
    assert part.frequency.tolist() == [550.0, 660.0]
    assert part.duration.tolist() == [0.5, 1.0]
    assert part.length == 2.0
    assert [(mark.time, mark.text) for mark in part.marks] == [(0.5, "loss 2")]


def test_lengths_that_no_clip_can_have():
    for protocol, most in ((SINGLE, 38), (DUAL, 43)):
        check_seconds(protocol.seconds, protocol, "debug")
        check_seconds(float(most), protocol, "debug")
        for seed in range(30):
            for trial in plan(6, tuple(KINDS), protocol, seed, float(most)):
                assert make_clip(trial, "debug").score.step.min() >= HISTORY
        for seconds in (1.0, most + 1.0, float("nan"), -5.0):
            with pytest.raises(InputError, match=rf"lasts 3 to {most} s"):
                check_seconds(seconds, protocol, "debug")


@pytest.mark.parametrize("trials", [0, -1, 1001])
def test_numbers_of_trials_that_are_refused(trials):
    with pytest.raises(InputError, match="1 to 1000"):
        plan(trials, tuple(KINDS), SINGLE, seed=0)
