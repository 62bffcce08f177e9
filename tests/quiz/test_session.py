"""The conversation with a listener, whose clock and answers are known to the millisecond."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradmidi.quiz.answers import Answer
from gradmidi.quiz.bank import KINDS
from gradmidi.quiz.clips import make_clip
from gradmidi.quiz.session import QuitError, Session, Settings
from gradmidi.quiz.sums import Sums
from gradmidi.quiz.trials import PROTOCOLS, Trial, plan, plan_practice
from tests.quiz.listener import Listener


def held(
    script: list[tuple[float, str]],
    trials: list[Trial] | None = None,
    *,
    protocol: str = "single",
    layers: bool = False,
    plays: bool = True,
    examples: list[Trial] | None = None,
) -> tuple[list[Answer], Listener]:
    """A session to its end, or to that of the script; what was answered, and the listener."""
    listener = Listener(script, PROTOCOLS[protocol].seconds)
    settings = Settings("P07", tuple(KINDS), protocol, "debug", 8.0, "fake", 5, "1.0", layers)
    kept: list[Answer] = []

    def make(trial: Trial, name: str):
        return make_clip(trial, "debug"), Path(f"{name}.wav")

    player = listener if plays else None
    session = Session(settings, listener, listener.say, player, make, kept.append, listener.clock)
    try:
        if examples is not None:
            session.practise(examples, trials or [])
        else:
            session.run(trials or [])
    except QuitError:
        listener.say("quit")
    return kept, listener


def trials_of(*kinds: str, protocol: str = "single") -> list[Trial]:
    """A trial of each kind, in this order."""
    found = {trial.run.kind: trial for trial in plan(12, tuple(KINDS), PROTOCOLS[protocol], seed=5)}
    return [found[kind]._replace(number=i) for i, kind in enumerate(kinds, 1)]


def test_answers_and_reaction_times():
    script = [(1, ""), (9.5, "5"), (3, ""), (2.25, "noi"), (1, ""), (8.5, "NaN")]
    kept, listener = held(script, trials_of("dead", "healthy", "nan"))
    assert [(one.truth, one.answer) for one in kept] == [("dead", "dead"), ("healthy", "noisy"), ("nan", "nan")]
    assert [one.reaction_s for one in kept] == pytest.approx([9.5, 2.25, 8.5])
    assert [one.repeats for one in kept] == [0, 0, 0]
    assert (kept[1].onset_s, kept[1].layers, kept[0].code, kept[0].seed) == (None, "", "P07", 5)
    assert listener.played == ["trial-01.wav", "trial-02.wav", "trial-03.wav"]
    assert listener.forgotten == 6  # what was typed before it is ready, or before a clip begins, is no answer


def test_nothing_is_said_while_a_clip_plays_and_nothing_tells_the_truth():
    _, listener = held([(1, ""), (4, "5"), (1, ""), (9, "4")], trials_of("dead", "vanishing"))
    assert listener.said[:2] == ["Trial 1 of 2. Press Enter to listen.", "Trial 2 of 2. Press Enter to listen."]
    assert len(listener.said) == 3  # the question only after the clip that was not answered before its end
    assert listener.said[2] == (
        "r plays it again. What did you hear? 1 healthy, 2 noisy, 3 exploding, 4 vanishing, 5 dead, 6 NaN."
    )


def test_again_is_counted_and_the_time_begins_anew():
    kept, listener = held([(1, ""), (9, "r"), (3, "r"), (10, "6")], trials_of("nan"))
    assert (kept[0].repeats, kept[0].reaction_s) == (2, pytest.approx(10))
    assert listener.played == ["trial-01.wav"] * 3


def test_what_is_no_answer_is_asked_again():
    kept, listener = held([(1, ""), (9, "7"), (1, "n"), (1, "0"), (1, "²"), (1, ""), (1, "na")], trials_of("nan"))
    assert (kept[0].answer, kept[0].reaction_s) == ("nan", pytest.approx(14))
    assert sum("not understood" in line for line in listener.said) == 5


@pytest.mark.parametrize(
    ("typed", "layers"), [("0", "all"), ("2 1", "fc1 fc2"), ("1 2 3 4", "all"), ("4", "fc4"), ("1 1", "fc1")]
)
def test_layers_are_named_by_numbers(typed, layers):
    run = next(run.run for run in plan(24, tuple(KINDS), PROTOCOLS["single"], 5) if run.run.name[:3] == "mlp")
    trial = trials_of("dead")[0]._replace(run=run)
    kept, _ = held([(1, ""), (9, "5"), (1, "x"), (1, "5"), (1, typed)], [trial], layers=True)
    assert kept[0].layer_answer == layers


def test_no_layer_is_asked_of_a_healthy_run():
    kept, _ = held([(1, ""), (9, "1"), (1, ""), (9, "5"), (1, "0")], trials_of("dead", "healthy"), layers=True)
    assert [one.layer_answer for one in kept] == ["", "all"]


@pytest.mark.parametrize("last", [[(1, "q")], [(1, ""), (2, "Q")], [(1, ""), (9, "q")], []])
def test_quitting_keeps_what_there_is(last):
    kept, listener = held([(1, ""), (9, "5"), *last], trials_of("dead", "nan"))
    assert [one.answer for one in kept] == ["dead"]
    assert listener.said[-1] == "quit"
    assert not listener.is_playing


def test_without_a_player_there_are_files_and_no_times():
    kept, listener = held([(30, "5"), (20, "2")], trials_of("dead", "noisy"), plays=False)
    assert [(one.answer, one.reaction_s) for one in kept] == [("dead", None), ("noisy", None)]
    assert "Trial 1 of 2. Listen to trial-01.wav." in listener.said


def dual_script(trial: Trial, sums: list[int], report_at: float | None) -> list[tuple[float, str]]:
    """A sum each second, right or wrong by so much, then perhaps a report at that time of the clip."""
    asked = Sums(5 * 1000 + trial.number)
    typed = []
    for off in sums:
        a, b = asked.ask().removesuffix(" = ?").split(" + ")
        typed.append((1.0, str(int(a) + int(b) + off)))
    return [(2.0, ""), *typed, *([] if report_at is None else [(report_at - len(sums), "")])]


def test_a_change_is_reported_while_sums_are_added():
    trial = trials_of("dead", protocol="dual")[0]
    onset = make_clip(trial, "debug").onset
    kept, listener = held([*dual_script(trial, [0, 0, 3], onset + 2), (5, "5")], [trial], protocol="dual")
    (one,) = kept
    assert (one.answer, one.sums, one.sums_right) == ("dead", 3, 2)
    assert (one.reported_s, one.reaction_s) == (pytest.approx(onset + 2), pytest.approx(2))
    assert not one.early
    assert sum(" + " in line for line in listener.said) == 4


def test_a_report_before_the_change_has_no_reaction_time():
    trial = trials_of("nan", protocol="dual")[0]
    (one,), _ = held([*dual_script(trial, [0], 5.0), (5, "1")], [trial], protocol="dual")
    assert (one.reported_s, one.reaction_s, one.early) == (pytest.approx(5.0), None, True)


def test_a_clip_that_ends_without_a_report():
    trial = trials_of("noisy", protocol="dual")[0]
    script = [*dual_script(trial, [0, 0], None), (1, "what"), (100, "healthy")]
    (one,), listener = held(script, [trial], protocol="dual")
    assert (one.answer, one.reported_s, one.reaction_s, one.sums) == ("healthy", None, None, 2)
    assert any("Type a number" in line for line in listener.said)
    assert any(line.startswith("The sound is over.") for line in listener.said)


def test_the_sums_are_sums():
    sums = Sums(1)
    for _ in range(50):
        a, b = map(int, sums.ask().removesuffix(" = ?").split(" + "))
        sums.take(a + b)
    sums.ask()
    sums.take(-1)
    assert (sums.answered, sums.right) == (51, 50)


def test_practice_tells_the_truth_and_keeps_nothing():
    examples, trials = plan_practice(tuple(KINDS), PROTOCOLS["single"], seed=1)
    script = [(1, "")] * 6 + [line for trial in trials for line in ((1, ""), (9, trial.run.kind))]
    # A clip of an example plays to its end, as the next line is awaited only then.
    kept, listener = held(
        [(20, text) if not text else (wait, text) for wait, text in script], trials, examples=examples
    )
    assert not kept
    assert [line.split(":")[0] for line in listener.said[2:8]] == [kind.replace("nan", "NaN") for kind in KINDS]
    assert sum(line.startswith("Right: it was") for line in listener.said) == 6
    assert listener.said[-1] == "The practice is over."
    assert listener.played[:6] == [f"example-{kind}.wav" for kind in KINDS]


def test_practice_says_what_it_was():
    examples, trials = plan_practice(tuple(KINDS), PROTOCOLS["single"], seed=1)
    dead = next(trial for trial in trials if trial.run.kind == "dead")
    _, listener = held([(20, ""), (20, ""), (9, "1")], [dead], examples=examples[:1])
    onset = make_clip(dead, "debug").onset
    assert f"No: it was dead, in fc1 and fc2 and fc3, from {onset:.1f} s on." in listener.said


def test_practice_can_be_skipped():
    examples, trials = plan_practice(tuple(KINDS), PROTOCOLS["single"], seed=1)
    _, listener = held([(1, ""), (20, "s")], trials, examples=examples)
    assert len(listener.played) == 1
    assert "quit" not in listener.said
