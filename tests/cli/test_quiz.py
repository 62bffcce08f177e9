"""The quiz as people run it: the real command, its answers typed into it, its files read by others."""

from __future__ import annotations

import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import mido
import pytest

from gradmidi.quiz.bank import KINDS
from gradmidi.quiz.trials import PROTOCOLS, plan

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")]

ROOT = Path(__file__).parents[2]
NUMBER = {kind: str(i) for i, kind in enumerate(KINDS, 1)}


@pytest.fixture
def player(tmp_path):
    """A program that keeps every clip and takes a moment, and the folder in which they are."""
    script, kept = tmp_path / "player", tmp_path / "kept"
    kept.mkdir()
    script.write_text(f'#!/bin/sh\ncp "$1" {kept}/\nsleep "${{2:-0.05}}"\n')
    script.chmod(0o755)
    return script


@pytest.fixture
def quiz(tmp_path):
    """Run the command with the given lines as its input."""

    def run(*words: object, typed: list[str] = (), code: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "gradmidi", "quiz", *map(str, words)],
            input="".join(f"{line}\n" for line in typed),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
            capture_output=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def talk(tmp_path):
    """Run the command and answer each line that it says, when it has said it; returns the lines and its output."""

    def run(*words: object, reply: Callable[[str], str | None]) -> tuple[list[str], str]:
        child = subprocess.Popen(
            [sys.executable, "-m", "gradmidi", "quiz", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        said = []
        for line in child.stderr:
            said.append(line.rstrip())
            if (typed := reply(said[-1])) is not None:
                child.stdin.write(f"{typed}\n")
                child.stdin.flush()
        out, _ = child.communicate(timeout=60)
        assert child.returncode == 0, said
        return said, out

    return run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_scripted_listener_hears_it_to_its_end(talk, player, tmp_path):
    """Takes every dead run for a vanishing one and is right otherwise; the figures are computed here once more."""
    trials = plan(24, tuple(KINDS), PROTOCOLS["single"], seed=7)
    truths = [trial.run.kind for trial in trials]
    answers = ["vanishing" if truth == "dead" else truth for truth in truths]
    left = iter(answers)

    def reply(line: str) -> str | None:
        if line.endswith("Press Enter to listen."):
            return ""
        return NUMBER[next(left)] if "What did you hear?" in line else None

    said, out = talk("--no-practice", "--seed", 7, "--player", player, "--code", "P07", "--json", reply=reply)
    assert said[-1] == "24 of 24 trials were answered; they are in answers.csv."
    assert len(said) == 2 * 24 + 1
    assert len(set(said[1:-1:2])) == 1  # the same question after each clip, which tells nothing

    rows = rows_of(tmp_path / "answers.csv")
    assert [(row["truth"], row["answer"]) for row in rows] == list(zip(truths, answers, strict=True))
    assert [row["clip"] for row in rows] == [trial.run.name for trial in trials]
    assert {(row["code"], row["seed"], row["sound"], row["player"]) for row in rows} == {
        ("P07", "7", "debug", "player")
    }
    assert all(0.05 <= float(row["reaction_s"]) < 20 for row in rows)

    kept = sorted((tmp_path / "kept").glob("trial-*.wav"))
    assert [path.name for path in kept] == [f"trial-{i:02d}.wav" for i in range(1, 25)]
    for path in kept[:3]:
        with wave.open(str(path)) as sound:
            assert 7 < sound.getnframes() / sound.getframerate() < 11

    (result,) = json.loads(out)
    z = statistics.NormalDist().inv_cdf
    for kind, found in result["whole"]["sensitivity"].items():
        signals = [row for row in rows if row["truth"] == kind]
        hits = sum(row["answer"] == kind for row in signals)
        false = sum(row["answer"] == kind != row["truth"] for row in rows)
        expected = z((hits + 0.5) / (len(signals) + 1)) - z((false + 0.5) / (24 - len(signals) + 1))
        assert found["d_prime"] == pytest.approx(expected)
        assert (found["hits"], found["false_alarms"]) == {"dead": (0, 0), "vanishing": (4, 4)}.get(kind, (4, 0))
    assert result["whole"]["confusion"]["dead"]["vanishing"] == 4
    assert result["whole"]["accuracy"]["right"] == 20
    right = [float(row["reaction_s"]) for row in rows if row["answer"] == row["truth"]]
    assert result["whole"]["reaction"] == pytest.approx(statistics.median(right))


def test_practice_layers_and_quitting(talk, player, tmp_path):
    def reply(line: str) -> str | None:
        if line.startswith("Trial 2"):
            return "q"
        if line.endswith("Press Enter to listen."):
            return ""
        return {"What": "2", "r pl": "2", "In w": "0"}.get(line[:4])

    said, out = talk("--player", player, "--layers-too", "--kinds", "dead,nan", "--seed", 1, reply=reply)
    assert "dead: the norms of some layers are exactly zero. Press Enter to listen." in said
    assert "Right: it was NaN, in all layers" in "".join(said)
    assert said[-1] == "1 of 24 trials were answered; they are in answers.csv."
    (row,) = rows_of(tmp_path / "answers.csv")
    assert (row["answer"], row["layer_answer"]) == ("nan", "all")
    assert "guessing gives 50%" in out
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert kept == {"example-dead.wav", "example-nan.wav", "practice-1.wav", "practice-2.wav", "trial-01.wav"}


def test_the_dual_protocol_with_a_listener_who_adds_and_hears(talk, player, tmp_path):
    sums = 0

    def reply(line: str) -> str | None:
        nonlocal sums
        if line.endswith("Press Enter to begin."):
            sums = 0
            return ""
        if line.endswith(" = ?"):
            sums += 1
            time.sleep(0.1)
            numbers = line.removesuffix(" = ?").split(" + ")
            return str(sum(map(int, numbers))) if sums < 4 else ""
        return "dead" if "What did you hear?" in line else None

    words = ("--protocol", "dual", "--trials", 3, "--no-practice", "--seed", 2)
    _, out = talk(*words, "--player", f"{player} {{wav}} 30", reply=reply)
    rows = rows_of(tmp_path / "answers.csv")
    assert [(row["sums"], row["sums_right"], row["answer"]) for row in rows] == [("3", "3", "dead")] * 3
    assert all(0.4 <= float(row["reported_s"]) < 5 for row in rows)  # long before any change
    assert [row["reaction_s"] for row in rows] == [""] * 3
    assert [row["truth"] for row in rows].count("healthy") == 1
    assert "Right sums: 9 of 9" in out
    assert "Changes reported before there was one: 2" in out
    with wave.open(str(tmp_path / "kept" / "trial-01.wav")) as sound:
        assert sound.getnframes() / sound.getframerate() > 39


def test_clips_can_be_files_for_oneself(quiz, tmp_path):
    done = quiz("--no-play", "--trials", 2, "--no-practice", "--clips", "here", typed=["1", "2"])
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["trial-01.wav", "trial-02.wav"]
    assert "Listen to trial-01.wav" in done.stderr
    assert [row["reaction_s"] for row in rows_of(tmp_path / "answers.csv")] == ["", ""]
    assert {row["player"] for row in rows_of(tmp_path / "answers.csv")} == {"files"}


def test_a_player_of_notes_gets_notes(talk, player, tmp_path):
    def reply(line: str) -> str | None:
        return "1" if "What did you hear?" in line else "" if line.endswith("Press Enter to listen.") else None

    talk("--player", f"{player} {{mid}}", "--trials", 1, "--no-practice", reply=reply)
    assert 7 < mido.MidiFile(tmp_path / "kept" / "trial-01.mid").length < 11


def test_ctrl_c_keeps_the_answers(player, tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-m", "gradmidi", "quiz", "--no-practice", "--seed", "7", "--player", str(player)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        start_new_session=True,
    )
    child.stdin.write("\n1\n\n2\n\n")
    child.stdin.flush()
    path, end = tmp_path / "answers.csv", time.monotonic() + 60
    while time.monotonic() < end and not (path.exists() and len(path.read_text().splitlines()) == 3):
        time.sleep(0.05)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "2 of 24 trials were answered; they are in answers.csv." in said
    assert "Traceback" not in said
    assert [row["answer"] for row in rows_of(path)] == ["healthy", "noisy"]


def test_several_people_are_scored_together(quiz, player, tmp_path):
    for code, seed, kind in (("P01", 1, "1"), ("P02", 2, "6")):
        words = (
            "--trials",
            6,
            "--no-practice",
            "--player",
            player,
            "--code",
            code,
            "--seed",
            seed,
            "--out",
            f"{code}.csv",
        )
        quiz(*words, typed=["", kind] * 6)
    done = quiz("--score", "P01.csv", "P02.csv")
    assert "Sound debug, protocol single: 2 listeners, 12 trials" in done.stdout
    assert "Right kind: 2 of 12, 17% (95% interval 5% to 45%); guessing gives 17%" in done.stdout
    assert [line.split()[:3] for line in done.stdout.splitlines() if line.startswith("P0")] == [
        ["P01", "6", "17%"],
        ["P02", "6", "17%"],
    ]
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trials", 0], "--trials 0: use 1 to 1000"),
        (["--kinds", "dead,deaf"], "no kind 'deaf'"),
        (["--protocol", "triple"], "no protocol 'triple'"),
        (["--seconds", 500], "--seconds 500 is not possible"),
        (["--sound", "loud"], "no sound is called 'loud'"),
        (["--seed", -1], "--seed -1: use 0 to"),
        (["--code", "Jane Doe"], "--code 'Jane Doe'"),
        (["--player", "no-such-player"], "no program 'no-such-player'"),
        (["--no-play", "--player", "true"], "contradict"),
        (["--no-play", "--protocol", "dual"], "needs sound"),
        (["--out", "there.csv", "--no-play"], "there.csv exists"),
        (["--score", "none.csv"], "none.csv: no such file"),
        (["--score", "there.csv"], "does not hold the answers"),
        (["--no-play", "--soundfont", "there.csv", "--no-practice"], "is not a SoundFont"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(quiz, tmp_path, words, message):
    (tmp_path / "there.csv").write_text("mine")
    done = quiz(*words, code=2)
    line, *rest = [line for line in done.stderr.splitlines() if "0 of 24" not in line]
    assert line.startswith("gradmidi quiz: ")
    assert message in line
    assert not rest
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert not (tmp_path / "answers.csv").exists()
