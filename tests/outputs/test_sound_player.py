"""Programs that play sound, by small ones that note what they were given."""

from __future__ import annotations

import os
import sys
import time
import wave
from pathlib import Path

import mido
import pytest

from gradmidi.errors import InputError
from gradmidi.outputs import sound_player
from gradmidi.outputs.sound_player import SoundPlayer, find_player, given_player

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Call with a name and the text of a shell script; it is then found by that name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(name: str, text: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)

    return make


def waited(player: SoundPlayer) -> None:
    end = time.monotonic() + 10
    while player.is_playing and time.monotonic() < end:
        time.sleep(0.01)


def test_a_file_is_played_with_its_arguments(program, tmp_path):
    program("player", f'printf "%s|" "$@" > {tmp_path}/heard')
    for command, heard in [
        ("player", "a b.wav|"),
        ("player --gain '2 dB' {wav} end", "--gain|2 dB|a b.wav|end|"),
        ("player --file={mid}", "--file=a b.wav|"),
    ]:
        player = given_player(command)
        player.start(Path("a b.wav"))
        waited(player)
        assert (tmp_path / "heard").read_text() == heard
    assert given_player("player {mid}").ending == ".mid"
    assert given_player("player").ending == ".wav"


def test_it_can_be_stopped_even_if_it_does_not_want_to(program):
    program("stubborn", "trap '' TERM; while :; do sleep 0.05; done")
    player = given_player("stubborn")
    assert not player.is_playing
    player.start(Path("a.wav"))
    time.sleep(0.2)
    assert player.is_playing
    began = time.monotonic()
    player.stop()
    player.stop()
    assert not player.is_playing
    assert time.monotonic() - began < 5


@pytest.fixture
def answers():
    """A pipe as standard input, with an answer in it."""
    out, into = os.pipe()
    before = os.dup(0)
    os.dup2(out, 0)
    os.write(into, b"3\n")
    os.close(into)
    yield
    os.dup2(before, 0)
    os.close(before)
    os.close(out)


def test_it_leaves_the_answers_and_the_screen_alone(program, tmp_path, answers, capfd):
    program("greedy", f"cat > {tmp_path}/eaten; echo noise; echo noise >&2")
    player = given_player("greedy")
    player.start(Path("a.wav"))
    waited(player)
    assert (tmp_path / "eaten").read_text() == ""
    assert os.read(0, 10) == b"3\n"
    assert capfd.readouterr() == ("", "")


def test_the_first_that_can_play_is_found(program, monkeypatch, tmp_path):
    monkeypatch.setattr(sound_player, "PROGRAMS", (("absent",), ("deaf", "{wav}"), ("good", "-x", "{wav}"), ("late",)))
    program("deaf", "exit 1")
    program("good", f"cp $2 {tmp_path}/probe.wav")
    program("late", f"touch {tmp_path}/never")
    found = find_player()
    assert found is not None
    assert (found.name, found.ending) == ("good", ".wav")
    assert not (tmp_path / "never").exists()
    with wave.open(str(tmp_path / "probe.wav")) as file:
        assert not any(file.readframes(file.getnframes()))
        assert file.getnframes() / file.getframerate() == pytest.approx(0.2)


def test_one_that_plays_notes_is_tried_with_notes(program, monkeypatch, tmp_path):
    monkeypatch.setattr(sound_player, "PROGRAMS", (("synth", "{mid}"),))
    program("synth", f"cp $1 {tmp_path}/probe.mid")
    assert find_player().ending == ".mid"
    assert mido.MidiFile(tmp_path / "probe.mid").length == pytest.approx(0.2)


def test_there_may_be_none(program, monkeypatch):
    monkeypatch.setattr(sound_player, "PROGRAMS", (("absent",), ("deaf", "{wav}")))
    program("deaf", "exit 1")
    assert find_player() is None


def test_an_apostrophe_in_a_path_stays_one_word_of_powershell():
    words = next(words for words in sound_player.PROGRAMS if words[0] == "powershell")
    filled = sound_player._filled(words[-1], Path("O'Neil/a.wav"))
    assert filled == "(New-Object Media.SoundPlayer 'O''Neil/a.wav').PlaySync()"


@pytest.mark.parametrize(
    ("command", "message"),
    [("no-such-player -x", "no program 'no-such-player'"), ("a 'b", "quot"), ("", "no program ''")],
)
def test_a_player_that_is_not_there(command, message):
    with pytest.raises(InputError, match=message):
        given_player(command)


def test_notes_are_played_with_the_soundfont_that_is_chosen(program, tmp_path, pure_tone):
    program("synth", f'printf "%s|" "$@" > {tmp_path}/heard')
    for soundfont, name in ((pure_tone, "pure-tone.sf2"), (None, "gradmidi.sf2")):
        player = given_player("synth {soundfont} {mid}", soundfont)
        player.start(Path("a.mid"))
        waited(player)
        font, file, _ = (tmp_path / "heard").read_text().split("|")
        assert (Path(font).name, Path(font).is_file(), file) == (name, True, "a.mid")
