"""Events on the command line: lines in the terminal, --on-event and --stop-on, around real scripts."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from gradmidi.cli.event_command import EventCommand
from gradmidi.cli.event_lines import AT_ONCE, EventLines
from gradmidi.cli.following import Following
from gradmidi.events import Event
from gradmidi.recording import Recording
from gradmidi.unattended.handover import EVENTS, VARIABLE, Ear, Told, tell_event
from tests.session.test_events_file import table

EVENT = Event(3, 0, "nan", "NaN in fc at step 3", 3, where="fc", since=3, seen=4)
SCRIPT = """
import sys, torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
try:
    for step in range(60):
        optimizer.zero_grad()
        loss = net(torch.randn(5, 4)).square().mean() * (float("nan") if step == 40 else 1e6 if step == 30 else 1)
        loss.backward()
        optimizer.step()
    print(torch.cat([p.flatten() for p in net.parameters()]).tolist())
except KeyboardInterrupt:
    if "--tidy" not in sys.argv:
        raise
    print("tidied")
    sys.exit(7)
"""
NOTE = "import sys; open(sys.argv[1], 'a').write('|'.join(sys.argv[2:]) + chr(10))"


def note(path: Path, *fields: str) -> str:
    return f'"{sys.executable}" -S -c "{NOTE}" {path} ' + " ".join(f"'{field}'" for field in fields)


@pytest.fixture
def script(tmp_path: Path) -> list[str]:
    (tmp_path / "train.py").write_text(SCRIPT)
    return [sys.executable, "train.py"]


@pytest.mark.slow
def test_run_tells_the_terminal_and_a_command_and_the_training_is_the_same(script, run_cli, tmp_path) -> None:
    told = tmp_path / "told.txt"
    plain = run_cli("run", "--quiet", "--", *script)
    done = run_cli(
        "run", "--on-event", note(told, "{kind}", "{phase}", "{layer}", "{step}", "$HOME {text}"), "--", *script
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout
    assert "gradmidi" not in plain.stderr
    lines = [line.split("|") for line in told.read_text().splitlines()]
    rows = table(tmp_path / "out" / "events.csv")
    assert lines == [[row["kind"], row["phase"], row["where"], row["step"], f"$HOME {row['text']}"] for row in rows]
    assert {"spike", "nan", "finished"} <= {row["kind"] for row in rows}
    shown = [row["text"] for row in rows if row["phase"] != "ongoing" and row["kind"] != "finished"]
    assert [line for line in done.stderr.splitlines() if line.startswith("gradmidi: ")] == [
        f"gradmidi: {text}" for text in shown
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "code", "said"), [([], 130, ""), (["--tidy"], 7, "tidied\n")], ids=["plain", "tidy"])
def test_run_stops_where_it_is_told_to(words, code, said, script, run_cli, tmp_path) -> None:
    """As Ctrl-C would: the script may handle it; what was recorded is kept and the files are made."""
    done = run_cli("run", "--quiet", "--stop-on", "nan, inf", "--mid", "a.mid", "--", *script, *words)
    assert (done.returncode, done.stdout) == (code, said)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("gradmidi run: ")]
    assert line.startswith("gradmidi run: the script was interrupted, as --stop-on asks for: NaN in ")
    assert len(Recording.load(tmp_path / "out" / "norms.csv")) == 41
    assert (tmp_path / "a.mid").exists()
    last = table(tmp_path / "out" / "events.csv")[-1]
    assert last["kind"] == "finished"
    if not words:
        assert last["text"] == "the run ended early, stopped on nan, after 41 steps"


@pytest.mark.slow
def test_train_does_the_same(run_cli, tmp_path) -> None:
    told = tmp_path / "told.txt"
    options = ["--seed", 1, "--steps", 30, "--device", "cpu", "--out", "o"]
    done = run_cli("train", "sgd-lr1.0", *options, "--stop-on", "nan", "--on-event", note(told, "{kind}", "{step}"))
    assert done.returncode == 130, done.stderr
    rows = table(tmp_path / "o" / "events.csv")
    assert told.read_text().split() == [f"{row['kind']}|{row['step']}" for row in rows]
    nan = next(row for row in rows if row["kind"] == "nan")
    assert len(Recording.load(tmp_path / "o" / "norms.csv")) == int(nan["step"]) + 1
    assert f"--stop-on: {nan['text']}" in done.stderr
    for row in rows:
        if row["phase"] == "onset" and row["kind"] != "finished":
            assert f"\n{row['text']}\n" in done.stderr


@pytest.mark.parametrize(
    "command", [["run", "--", sys.executable, "-c", "open('ran', 'w')"], ["train", "--steps", "1"]]
)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--on-event", "echo {layre}"], "'{layre}' is not a placeholder; there are {kind}, {phase}, "),
        (["--on-event", "no-such-program {kind}"], "there is no program 'no-such-program'"),
        (["--on-event", "echo 'x"], "No closing quotation"),
        (["--on-event", " "], "needs a command"),
        (["--stop-on", "nan,boom"], "'boom' is not a kind of event; choose from nan, inf, "),
        (["--stop-on", ","], "is not a kind of event"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(command, options, said, run_cli, tmp_path) -> None:
    done = run_cli(command[0], *options, *command[1:])
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gradmidi {command[0]}: {options[0]}")
    assert said in line
    assert not list(tmp_path.iterdir())


def test_words_are_split_before_they_are_filled_in() -> None:
    command = EventCommand("echo '{layer} {step}' {text} '{\"text\": \"{kind}\"}' {value}", print)
    evil = EVENT._replace(where="a'; rm -rf / #\x1b[2J", text="$(reboot) {layer}\n`x`", value=1.5)
    assert command.words(evil) == [
        "echo",
        "a'; rm -rf / #\\x1b[2J 3",
        "$(reboot) {layer}\\n`x`",
        '{"text": "nan"}',
        "1.5",
    ]


def test_a_command_that_fails_says_so_once_and_is_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    told = tmp_path / "told.txt"
    code = f"{NOTE}; assert not sys.stdin.read(); sys.exit(3)"
    command = EventCommand(f'"{sys.executable}" -S -c "{code}" {told} {{step}}', said.append)
    for step in range(2):
        command.run(EVENT._replace(step=step))
    assert told.read_text() == "0\n1\n"
    assert said == [f"--on-event: {sys.executable} ended with exit code 3; further failures are not reported"]


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("gradmidi.cli.event_command.LIMIT", 0.3)
    said: list[str] = []
    (tmp_path / "hang.sh").write_text(f"(sleep 2; touch {tmp_path}/late) & sleep 60\n")
    begun = time.monotonic()
    EventCommand(f"sh {tmp_path}/hang.sh", said.append).run(EVENT)
    assert time.monotonic() - begun < 2
    assert said == ["--on-event: sh took more than 0.3 s and was ended; further failures are not reported"]
    time.sleep(max(0, begun + 2.5 - time.monotonic()))
    assert not (tmp_path / "late").exists()


def test_the_end_waits_for_a_hanging_command_only_so_long(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("gradmidi.cli.event_command.PATIENCE", 0.3)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    said: list[str] = []
    shown: list[str] = []
    command = EventCommand("sleep 60", said.append)
    begun = time.monotonic()
    with Following(tmp_path, EventLines(lambda text, style: shown.append(text)), command, said.append):
        for _ in range(3):
            tell_event(1, EVENT)
        tell_event(2, EVENT, stopped=True)
    assert time.monotonic() - begun < 5
    assert shown == ["gradmidi: NaN in fc at step 3"] * 3
    assert said == [
        "the script was interrupted, as --stop-on asks for: NaN in fc at step 3",
        "--on-event is too slow and has not returned 0.3 s after the end; 2 events not handed to it",
    ]


def test_what_is_told_is_heard_whole_and_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    ear = Ear(tmp_path)
    assert ear.hear() == []
    odd = EVENT._replace(where="é\n", layers=(0, 3), value=float("inf"))
    tell_event(2, odd)
    with (tmp_path / EVENTS).open("ab") as file:
        file.write(b"[1, [")
    (told,) = ear.hear()
    assert repr(told) == repr(Told(2, odd, stopped=False))
    assert ear.hear() == []


def test_a_flood_says_how_many_more() -> None:
    said: list[str] = []
    clock = [0.0]
    lines = EventLines(lambda text, style: said.append(text), lambda: clock[0])
    for _ in range(AT_ONCE + 7):
        lines.show(EVENT)
    assert said == [EVENT.text] * AT_ONCE
    clock[0] = 2.5
    lines.show(EVENT)
    lines.show(EVENT)
    assert said[AT_ONCE:] == ["and 7 more events, which events.csv lists", EVENT.text]
    lines.close()
    lines.close()
    assert said[AT_ONCE + 2 :] == ["and 1 more event, which events.csv lists"]


def test_what_lasts_and_what_is_well_is_not_printed() -> None:
    said: list[str] = []
    lines = EventLines(lambda text, style: said.append(style))
    for event in (EVENT._replace(phase="ongoing"), EVENT._replace(kind="finished"), EVENT._replace(phase="recovered")):
        lines.show(event)
    assert said == ["green"]
