"""d′, confusion and reaction times of known answers, against tables and computations that are not ours."""

from __future__ import annotations

import math

import pytest

from gradmidi.quiz.answers import Answer
from gradmidi.quiz.bank import KINDS
from gradmidi.quiz.scoring import by_condition, layer_is_right, sensitivity, share, table


def answer(truth: str, said: str, **more) -> Answer:
    plain = dict.fromkeys(Answer._fields, "") | dict.fromkeys(("trial", "repeats", "sums", "sums_right", "seed"), 0)
    times = dict.fromkeys(("reaction_s", "onset_s", "reported_s"))
    given = {"truth": truth, "answer": said, "protocol": "single", "sound": "debug", "order": 1, "seconds": 8.0} | {
        "kinds": "healthy noisy vanishing dead"
    }
    return Answer(**{**plain, **times, **given, **more})


def z_of(share_below: float) -> float:
    """The quantile of the normal distribution by bisecting the error function, which is another way than ours."""
    low, high = -10.0, 10.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + math.erf(middle / math.sqrt(2))) / 2 < share_below else (low, middle)
    return (low + high) / 2


@pytest.mark.parametrize(
    ("hits", "signals", "false", "others"),
    [(0, 4, 0, 20), (4, 4, 0, 20), (3, 4, 7, 20), (20, 20, 10, 10), (1, 9, 9, 9)],
)
def test_d_prime_is_that_of_an_independent_computation(hits, signals, false, others):
    found = sensitivity(hits, signals, false, others)
    hit, alarm = z_of((hits + 0.5) / (signals + 1)), z_of((false + 0.5) / (others + 1))
    assert found.d_prime == pytest.approx(hit - alarm, abs=1e-9)
    assert found.criterion == pytest.approx(-(hit + alarm) / 2, abs=1e-9)


def test_d_prime_is_that_of_scipy():
    norm = pytest.importorskip("scipy.stats").norm
    found = sensitivity(17, 24, 3, 30)
    assert found.d_prime == pytest.approx(norm.ppf(17.5 / 25) - norm.ppf(3.5 / 31))


def test_d_prime_of_printed_tables():
    """z(0.75) = 0.6745 and z(0.9) = 1.2816 stand in every table: 1 of 1 is corrected to 0.75, 0 of 4 to 0.1."""
    assert sensitivity(1, 1, 0, 4).d_prime == pytest.approx(0.6745 + 1.2816, abs=2e-4)
    assert sensitivity(1, 2, 1, 2) == (1, 2, 1, 2, 0.0, 0.0)


def test_the_interval_is_that_of_wilson():
    """Newcombe 1998 (Statistics in Medicine 17), table I."""
    assert share(81, 263)[2:] == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert share(0, 20)[2:] == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_a_table_of_known_answers():
    said = {("healthy", "healthy"): 3, ("healthy", "noisy"): 1, ("dead", "dead"): 2, ("dead", "vanishing"): 2}
    found = table([answer(*pair) for pair, count in said.items() for _ in range(count)])
    assert found.kinds == ("healthy", "noisy", "vanishing", "dead")
    assert {(t, a): n for t, row in found.confusion.items() for a, n in row.items() if n} == said
    assert found.accuracy[:2] == (5, 8)
    assert found.sensitivity["healthy"][:4] == (3, 4, 0, 4)
    assert found.sensitivity["dead"][:4] == (2, 4, 0, 4)
    assert set(found.sensitivity) == {"healthy", "dead"}  # nothing is known about hits of kinds without trials
    assert (found.reaction, found.layers, found.noticing, found.sums) == (None, None, None, None)


def test_the_reaction_is_that_of_right_answers_to_clips_heard_once():
    times = [("dead", 1.0, 0), ("dead", 2.0, 0), ("dead", 4.0, 0), ("dead", 0.1, 1), ("nan", 0.2, 0), ("dead", None, 0)]
    found = table([answer("dead", said, reaction_s=time, repeats=again) for said, time, again in times])
    assert found.reaction == 2.0


def test_reports_of_changes_are_hits_early_or_false_alarms():
    change = {"protocol": "dual", "onset_s": 10.0}
    found = table(
        [
            answer("dead", "dead", **change, reported_s=12.0, reaction_s=2.0, sums=10, sums_right=9),
            answer("dead", "nan", **change, reported_s=16.0, reaction_s=6.0, sums=5, sums_right=5),
            answer("dead", "dead", **change, reported_s=3.0),
            answer("dead", "healthy", **change),
            answer("healthy", "noisy", protocol="dual", reported_s=5.0),
            answer("healthy", "healthy", protocol="dual"),
        ]
    )
    assert found.noticing[:4] == (2, 4, 1, 2)
    assert found.early == 1
    assert found.reaction == 4.0
    assert found.sums[:2] == (14, 15)


@pytest.mark.parametrize(
    ("affected", "named", "right"),
    [
        ("fc1 fc2", "fc1", True),
        ("fc1 fc2", "fc1 fc2", True),
        ("fc1 fc2", "fc1 fc3", False),
        ("fc1 fc2", "all", False),
        ("all", "all", True),
        ("all", "fc1", False),
        ("fc1", "", False),
    ],
)
def test_a_layer_is_right_if_only_affected_ones_are_named(affected, named, right):
    assert layer_is_right(answer("dead", "dead", layers=affected, layer_answer=named)) is right


def test_people_and_sounds_are_apart():
    fewer = [answer("dead", "dead", kinds="healthy dead")]
    assert [one.whole.kinds for one in by_condition([fewer])] == [("healthy", "dead")]
    assert len(by_condition([fewer, [answer("dead", "dead")]])) == 2
    first = [answer("dead", "dead", code="P01"), answer("dead", "nan", code="P01", sound="ambient")]
    second = [answer("nan", "nan"), answer("dead", "nan")]
    third = [answer("nan", "nan", code="P01")]
    debug, ambient = by_condition([first, second, third])
    assert (debug.sound, debug.whole.accuracy[:2], ambient.whole.accuracy[:2]) == ("debug", (3, 4), (0, 1))
    assert {name: one.accuracy[:2] for name, one in debug.listeners.items()} == {"P01": (2, 2), "file 2": (1, 2)}


def test_guessing_has_no_sensitivity():
    """Every answer equally often for every truth: hits and false alarms have one rate, up to the correction."""
    found = table([answer(truth, said) for truth in KINDS for said in KINDS for _ in range(50)])
    assert all(abs(one.d_prime) < 0.02 for one in found.sensitivity.values())
