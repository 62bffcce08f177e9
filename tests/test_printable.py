"""Names from files are shown, never obeyed: by the function itself, by errors and warnings, by commands and files."""

import json
import os
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradmidi.composition import compose
from gradmidi.errors import InputError, MissingPartError, TrainingWarning
from gradmidi.printable import LONGEST, printable, shown
from gradmidi.recording import Recording
from gradmidi.theory.scale import Scale

WINDOW_TITLE, RED, BACKWARDS, LONE = "\x1b]0;owned\x07", "\x9b31m", "\u202egnp.exe", "\udcff"
HOSTILE = f"conv{WINDOW_TITLE}{RED}{BACKWARDS}{LONE}\nfc [red]x[/red] :bomb:"
SAFE = r"conv\x1b]0;owned\x07\x9b31m\u202egnp.exe\udcff\nfc [red]x[/red] :bomb:"


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_steers_gets_through_and_all_of_it_can_be_encoded(text):
    safe = printable(text)
    safe.encode()
    kinds = {unicodedata.category(char) for char in safe if char not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(char) for char in safe} & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI"}


@pytest.mark.parametrize("text", ["conv1", "größe", "層", "نمی\u200cخواهم", "👩\u200d🔬", r"a\b", "a  b", ""])
def test_plain_text_of_any_language_stays_as_it_is(text):
    assert printable(text) == text


def test_escapes_and_length():
    assert printable(HOSTILE) == SAFE
    assert printable("a\tb\r\n\u2028\U000e0041") == r"a\tb\r\n\u2028\U000e0041"
    assert (
        printable("x" * 2_000_000 + "; do this")
        == "x" * (LONGEST - 1 - LONGEST // 3) + "…" + "x" * (LONGEST // 3 - 9) + "; do this"
    )
    assert printable("\n" * 10, limit=6) == "\\n\\…\\n"
    assert len(printable("\n" * 10_000)) == LONGEST
    assert shown(HOSTILE, 200) == "'" + SAFE.replace(r"\n", " ") + "'"


@pytest.mark.parametrize("kind", [InputError, MissingPartError, TrainingWarning])
def test_errors_and_warnings_are_one_safe_line_wherever_they_are_shown(kind):
    assert str(kind(f"layer {HOSTILE}")) == f"layer {SAFE}"
    with pytest.warns(TrainingWarning) as caught:
        warnings.warn(HOSTILE, TrainingWarning, stacklevel=1)
    assert str(caught[0].message) == SAFE


def hostile_recording() -> Recording:
    norms = np.array([[1.0, 2.0], [np.nan, 3.0]])
    return Recording((HOSTILE, "fc"), np.arange(2), norms, {"loss": np.ones(2)}, {"title": HOSTILE, "notice": HOSTILE})


def unsafe(said: bytes) -> list[str]:
    """What a terminal would obey: everything but plain text and the line breaks of our own."""
    return [char for char in said.decode().replace("\n", "") if printable(char) != char]


@pytest.mark.parametrize("options", [(), ("--json",), ("--layers", "nosuch"), ("--max-voices", "1")])
def test_a_hostile_recording_cannot_speak_to_the_terminal(options, run_cli, tmp_path):
    hostile_recording().save(tmp_path / "norms.npz")
    done = run_cli("render", "norms.npz", "--mid", "a.mid", *options, text=False)
    assert unsafe(done.stdout) == []
    assert unsafe(done.stderr) == []
    assert b"owned" in done.stderr, "it was shown, as text"
    assert b":bomb:" in done.stderr, "an emoji's name is not an emoji"


def test_a_hostile_scale_cannot_speak_to_the_terminal(run_cli, tmp_path):
    (tmp_path / "a.toml").write_text(f"name = {json.dumps(HOSTILE.replace(LONE, ''))}\nratios = [1, '3/2']\n")
    done = run_cli("scales", "a.toml", text=False)
    assert done.returncode == 0, done.stderr
    assert unsafe(done.stdout) == []
    assert rb"\x1b]0;owned" in done.stdout


def test_midi_texts_are_plain(tmp_path):
    recording = hostile_recording()
    scale = Scale.from_ratios([1, 1.5], name=HOSTILE)
    compose(recording, scale=scale).save_midi(tmp_path / "a.mid")
    texts = [
        getattr(message, "name", "") + getattr(message, "text", "")
        for track in mido.MidiFile(tmp_path / "a.mid", charset="utf-8").tracks
        for message in track
        if message.is_meta
    ]
    assert SAFE in texts
    assert [text for text in texts if printable(text) != text] == []


def test_a_title_of_a_megabyte_is_cut_in_midi(tmp_path):
    recording = Recording.from_arrays([[1.0]])
    compose(recording, title="x" * 1_000_000).save_midi(tmp_path / "a.mid")
    assert (tmp_path / "a.mid").stat().st_size < 10_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_table_for_a_full_disk_is_one_line(options, run_cli):
    with Path("/dev/full").open("w") as full:
        done = run_cli("scales", *options, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "gradmidi scales: cannot write to standard output: No space left on device; free some space\n"


def test_a_table_that_nobody_reads_to_its_end_is_no_error_to_talk_about(tmp_path):
    command = f"{sys.executable} -m gradmidi scales --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_that_knows_ascii_only_gets_escapes_and_not_a_traceback(run_cli, tmp_path):
    (tmp_path / "a.toml").write_text("name = 'größe'\nratios = [1, '3/2']\n", encoding="utf-8")
    done = run_cli("scales", "a.toml", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert r"gr\xf6\xdfe" in done.stdout
