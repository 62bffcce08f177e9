"""`train --live`, `play` and `ports` as a person runs them; ``file:`` keeps the exact bytes that a port would get."""

import json
from pathlib import Path

import mido
import pytest

from gradmidi.recording import Recording

pytestmark = pytest.mark.slow


def notes_of(path: Path) -> list[tuple[int, int]]:
    """(channel, key) of every note-on in a file of live bytes, in the order in which they were sent."""
    messages = [
        bytes.fromhex(line.split(maxsplit=1)[1]) for line in path.read_text().splitlines() if line[:1].isdigit()
    ]
    return [(data[0] & 15, data[1]) for data in messages if data[0] & 0xF0 == 0x90 and data[2]]


def test_train_live_sends_what_the_mid_file_holds(run_cli, tmp_path):
    options = ["--steps", 12, "--seed", 1, "--unit", "10ms", "--live", "file:live.txt", "--pace", "wait", "--out", "o"]
    done = run_cli("train", "--sound", "post", *options)
    assert done.returncode == 0, done.stderr
    assert "12 of 12 steps heard" in done.stderr
    file = mido.MidiFile(tmp_path / "o" / "gradients.mid")
    assert notes_of(tmp_path / "live.txt") == [(m.channel, m.note) for m in file if m.type == "note_on"]
    assert len(Recording.load(tmp_path / "o" / "norms.csv")) == 12


def test_play_sends_a_recording_and_a_file_alike(run_cli, healthy, tmp_path):
    healthy.rows(0, 20).save(tmp_path / "norms.csv")
    run_cli("render", "norms.csv", "--mid", "x.mid", "--unit", "10ms", "--sound", "post")
    fast = ["--speed", "10"]
    one = run_cli("play", "norms.csv", "--unit", "10ms", "--sound", "post", "--port", "file:a.txt", *fast, "--json")
    two = run_cli("play", "x.mid", "--port", "file:b.txt", *fast, "--json")
    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    assert json.loads(one.stdout)["notes"] == json.loads(two.stdout)["notes"] == 80
    assert notes_of(tmp_path / "a.txt") == notes_of(tmp_path / "b.txt")


def test_train_live_says_how_to_hear_steps_that_were_left_out(run_cli):
    done = run_cli("train", "--steps", 30, "--seed", 1, "--unit", "100ms", "--live", "file:live.txt", check=True)
    assert "of 30 steps heard" in done.stderr
    assert "30 of 30" not in done.stderr
    assert "--pace wait" in done.stderr


def test_without_a_midi_system_ports_and_doctor_say_what_to_start(run_cli, monkeypatch, need_program):
    need_program("jackd")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "gradmidi-nobody")
    done = run_cli("ports", "--backend", "jack")
    assert done.returncode == 1, done.stderr
    assert "no MIDI system answers; start JACK" in done.stderr
    rows = {row["part"]: row for row in json.loads(run_cli("doctor", "--json", check=True).stdout)}
    assert rows["MIDI system"]["state"] == "ok" or "start JACK" in rows["MIDI system"]["run"]


def test_ports_is_a_list(run_cli):
    done = run_cli("ports", "--json")
    assert done.returncode in (0, 1), done.stderr
    if done.returncode == 0:
        assert isinstance(json.loads(done.stdout), list)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "--live", "file:x.txt", "--pace", "fast"], "no pace is called 'fast'"),
        (["train", "--live", "file:x.txt", "--cc", "loss"], "loss"),
        (["train", "--live", "file:x.txt", "--cc", "los=74"], "no metric 'los'; this command's are epoch, loss"),
        (["train", "--pace", "wait"], "--pace is for live notes; give --live as well"),
        (["train", "--max-rate", "100"], "--max-rate is for live notes"),
        (["train", "--live", "file:x.txt", "--max-rate", "1"], "rate"),
        (["play", "none.mid"], "none.mid"),
        (["play", "none.csv"], "no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(command, message, run_cli, tmp_path):
    done = run_cli(*command)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()
