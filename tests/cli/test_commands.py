"""The other commands, as a person runs them."""

import contextlib
import json
import os
import pty
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import mido
import pytest

import gradmidi
from gradmidi.cli import COMMANDS, main
from gradmidi.recording import Recording
from tests.terminal import said_on_a_terminal

pytestmark = pytest.mark.slow


@pytest.fixture
def norms(sick, tmp_path):
    sick.save(tmp_path / "norms.csv")
    return tmp_path / "norms.csv"


def test_render_makes_what_is_asked(norms, run_cli, tmp_path):
    done = run_cli("render", norms, "--mid", "a.mid", "--wav", "a.flac", "--sine", "s.wav", "--plot", "p.svg", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {path.name for path in tmp_path.iterdir()} == {"norms.csv", "a.mid", "a.flac", "s.wav", "p.svg"}
    assert result["anomalies"] == {"spike": 1, "inf": 1, "nan": 1, "zero": 1}
    assert [item["kind"] for item in result["files"]] == ["MIDI", "sound", "sine", "picture"]
    assert (tmp_path / "p.svg").read_text().startswith("<?xml")


def test_render_takes_some_layers_a_scale_and_a_unit(norms, run_cli, tmp_path):
    run_cli(
        "render",
        norms,
        "--mid",
        "a.mid",
        "--layers",
        "fc*",
        "--scale",
        "C major",
        "--unit",
        "10ms",
        "--sound",
        "post",
        check=True,
    )
    file = mido.MidiFile(tmp_path / "a.mid")
    assert [track.name for track in file.tracks] == ["a healthy run", "fc1", "fc2", "alarm"]
    assert file.length == pytest.approx(201 * 0.06)  # the clock of all four layers
    keys = {m.note % 12 for m in file if m.type == "note_on" and m.channel != 9}
    assert keys <= {0, 2, 4, 5, 7, 9, 11}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none.csv", "--mid", "a.mid"], "none.csv: no such file"),
        (["norms.csv"], "say what to make"),
        (["norms.csv", "--mid", "a.txt"], "must end in .mid"),
        (["norms.csv", "--wav", "a.aac"], "must end in .wav"),
        (["norms.csv", "--plot", "a.gif"], "must end in .png"),
        (["norms.csv", "--mid", "a.mid", "--layers", "x"], "no layer is called 'x'"),
        (["norms.csv", "--wav", "a.wav", "--soundfont", "norms.csv"], "is not a SoundFont"),
        (["norms.csv", "--mid", "norms.csv/a.mid"], "cannot write"),
        (["norms.csv", "--mid", "a.mid", "--duration", "1e308"], "a duration of 1e+308 s is not possible"),
        (["norms.csv", "--sine", "a.wav", "--duration", "1e308"], "a duration of 1e+308 s is not possible"),
        (["norms.csv", "--sine", "a.wav", "--container", "x"], "no container is called 'x'"),
        (["norms.csv", "--sine", "a.wav", "--aliased", "x"], "aliased is 'x'; it can be keep or alarm"),
        (["cut.csv", "--mid", "a.mid"], "cut.csv, line 2: 1 columns where the header has 2"),
        (["text.csv", "--mid", "a.mid"], "column 'a': 'x' is not a number"),
        (["empty.csv", "--mid", "a.mid"], "empty.csv is empty"),
        (["nostep.csv", "--mid", "a.mid"], "no column called 'step'"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(options, message, norms, run_cli, tmp_path):
    (tmp_path / "cut.csv").write_text("step,a\n0")
    (tmp_path / "text.csv").write_text("step,a\n0,x\n")
    (tmp_path / "nostep.csv").write_text("time,a\n0,1\n")
    (tmp_path / "empty.csv").write_text("")
    before = {path.name for path in tmp_path.iterdir()}
    done = run_cli("render", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == before, "nothing half-written is left"


def test_lists(run_cli):
    assert "sgd-lr1.0-bs256" in run_cli("presets", check=True).stdout
    assert "12 Marimba" in run_cli("instruments", check=True).stdout
    assert "minor pentatonic" in run_cli("scales", check=True).stdout
    assert json.loads(run_cli("presets", "--json").stdout)["adam-lr0.01"]["optimizer"] == "adam"
    assert len([n for names in json.loads(run_cli("instruments", "--json").stdout).values() for n in names]) == 128


def test_a_scale_is_shown_and_played(run_cli, tmp_path):
    done = run_cli("scales", "D dorian", "--mid", "d.mid", "--wav", "d.wav")
    assert done.returncode == 0, done.stderr
    assert "293.665" in done.stdout
    notes = [m.note for m in mido.MidiFile(tmp_path / "d.mid") if m.type == "note_on"]
    assert notes == [62, 64, 65, 67, 69, 71, 72, 74, 72, 71, 69, 67, 65, 64, 62]
    assert run_cli("scales", "doriam").returncode == 2


def test_doctor_names_every_part(run_cli):
    rows = {row["part"]: row for row in json.loads(run_cli("doctor", "--json", check=True).stdout)}
    assert rows["torch"]["state"] == "ok"
    assert {"libfluidsynth", "soundfile", "matplotlib", "SoundFont", "python-rtmidi", "MIDI system"} <= set(rows)
    assert all(row["run"] for row in rows.values() if row["state"] == "missing")


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell, run_cli):
    assert "render" in run_cli("completion", shell, check=True).stdout


def test_bash_accepts_the_completion(run_cli, tmp_path):
    (tmp_path / "c").write_text(run_cli("completion", "bash").stdout)
    subprocess.run(["bash", "-n", "c"], cwd=tmp_path, check=True)


def test_help_is_instant_and_loads_nothing_heavy(run_cli):
    """The limit is wide for a busy machine; what is imported is what counts."""
    code = (
        "import sys\nfrom gradmidi.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print({'torch', 'numpy', 'matplotlib', 'mido', 'rich', 'soundfile'} & set(sys.modules), file=sys.stderr)\n"
    )
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.perf_counter() - begun < 2
    assert done.stderr.strip() == "set()"
    for name, _ in COMMANDS:
        assert name in done.stdout


def test_importing_gradmidi_loads_neither_torch_nor_matplotlib():
    code = "import sys, gradmidi; gradmidi.Recording, gradmidi.Scale, gradmidi.compose; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'torch'" not in loaded
    assert "'matplotlib'" not in loaded


def test_every_public_name_loads():
    for name in gradmidi.__all__:
        assert getattr(gradmidi, name) is not None
    with pytest.raises(AttributeError):
        gradmidi.nothing  # noqa: B018


def test_no_color_is_respected(norms, tmp_path):
    """On a terminal the alarms are red; with NO_COLOR nothing is."""

    command = ["render", norms, "--mid", tmp_path / "x.mid"]
    colour = b"\x1b[1;31m"
    assert colour in said_on_a_terminal(command, tmp_path)
    assert b";31m" not in said_on_a_terminal(command, tmp_path, NO_COLOR="1")


def test_a_reader_that_goes_away_is_no_traceback(tmp_path):
    line = f"{sys.executable} -m gradmidi scales | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_main_returns_exit_codes(capsys):
    assert main(["presets", "--quiet"]) == 0
    assert main(["scales", "no such scale"]) == 2
    with pytest.raises(SystemExit) as caught:
        main(["dance"])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2


def test_the_rooms_of_the_package_do_not_hide_public_names():
    """``import gradmidi.x.y`` sets an attribute ``x`` on the package; no public function may be called like a room."""
    rooms = {path.stem for path in Path(gradmidi.__file__).parent.iterdir()}
    assert not rooms & set(gradmidi.__all__)


@pytest.mark.parametrize(
    ("kind", "ending"), [("--mid", "mid"), ("--wav", "wav"), ("--wav", "flac"), ("--sine", "wav"), ("--plot", "png")]
)
def test_a_full_disk_is_one_line_and_leaves_nothing(kind, ending, norms, run_cli, tmp_path):
    """A limit on the size of any file stands for the full disk, that of temporary files too."""
    full = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))}
    done = run_cli("render", norms, kind, f"x.{ending}", **full)
    assert done.returncode == 2, done.stderr
    assert f"cannot write x.{ending}" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["norms.csv"]


def test_layers_that_share_a_voice_are_told(run_cli, tmp_path):
    names = [f"block.{i}.fc" for i in range(20)]
    Recording.from_arrays([[1.0] * 20] * 3, names).save(tmp_path / "deep.csv")
    done = run_cli("render", "deep.csv", "--mid", "x.mid", "--json", check=True)
    joined = "20 layers play as 10 voices, joined by root-sum-square: block.0-1 (2)"
    assert json.loads(done.stdout)["voices"].startswith(joined)
    assert joined in run_cli("render", "deep.csv", "--mid", "x.mid", check=True).stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("norms", "options", "count"),
    [
        ([[1.0, 2.0], [1.0, float("nan")]], [], "3 notes and 1 drum,"),
        ([[1.0], [float("inf")]], [], "1 note and 1 drum,"),
        ([[float("nan")], [float("inf")]], [], "0 notes and 2 drums,"),
        ([[1.0], [1.0], [4.0]], ["--style", "drone"], "2 notes,"),  # struck twice, though three are in the score
    ],
)
def test_notes_and_drums_are_counted_as_they_are_struck(norms, options, count, run_cli, tmp_path):
    Recording.from_arrays(norms).save(tmp_path / "n.csv")
    done = run_cli("render", "n.csv", "--mid", "x.mid", "--json", "--sound", "post", *options, check=True)
    assert json.loads(done.stdout)["files"][0]["detail"].startswith(count)


def test_sine_tones_above_half_the_sample_rate_are_told_with_the_remedy(run_cli, tmp_path):
    Recording.from_arrays([[1.0, 300.0], [218.5, 1e7]]).save(tmp_path / "n.csv")
    kept = run_cli("render", "n.csv", "--sine", "kept.wav", check=True)
    line = "kept.wav: 2 tones above half the sample rate (22,050 Hz), heard lower than they are; --aliased alarm"
    assert line in " ".join(kept.stderr.split())
    replaced = run_cli("render", "n.csv", "--sine", "alarm.wav", "--aliased", "alarm", "--json", check=True)
    assert "half the sample rate" not in replaced.stderr
    assert json.loads(replaced.stdout)["files"][0]["detail"].endswith(", 2 alarms")
    assert (tmp_path / "kept.wav").read_bytes() != (tmp_path / "alarm.wav").read_bytes()


def test_play_offers_nothing_that_it_cannot_use(run_cli, norms):
    """A sine is written, not played."""
    assert "sine" not in run_cli("play", "--help", check=True).stdout
    done = run_cli("play", norms, "--container", "post")
    assert done.returncode == 2
    assert "--container" in done.stderr
    for command in ("render", "train", "run"):
        assert "--container" in run_cli(command, "--help", check=True).stdout


def test_the_option_in_question_is_named(run_cli, healthy, tmp_path):
    healthy.save(tmp_path / "n.csv")
    for option in ("--tempo", "--max-voices"):
        done = run_cli("render", "n.csv", "--mid", "x.mid", option, 0)
        assert done.returncode == 2
        assert f"{option}: " in done.stderr


def test_chosen_layers_keep_their_instruments_and_their_time(norms, run_cli, tmp_path):
    run_cli("render", norms, "--mid", "all.mid", check=True)
    run_cli("render", norms, "--mid", "one.mid", "--sine", "one.wav", "--layers", "fc2", check=True)
    melodic = 4  # channels of layers

    def notes(name):
        file = mido.MidiFile(tmp_path / name)
        found, program = [], {}
        for track in file.tracks:
            now = 0
            for message in track:
                now += message.time
                if message.type == "program_change":
                    program[message.channel] = message.program
                elif message.type == "note_on" and message.velocity:
                    found.append((now, message.channel, program.get(message.channel), message.note))
        return sorted(found)

    everything = notes("all.mid")
    assert [note for note in notes("one.mid") if note[1] < melodic] == [note for note in everything if note[1] == 3]
    assert len({channel for _, channel, *_ in everything}) >= 4


def test_tables_have_no_padding_at_the_end_of_a_line_and_fit_80_columns(run_cli):
    piped = run_cli("presets", check=True).stdout
    assert piped
    assert all(line == line.rstrip() for line in piped.splitlines())
    narrow = run_cli("presets", check=True, env={**os.environ, "COLUMNS": "80", "FORCE_COLOR": "1"}).stdout
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in narrow.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "sgd-lr1.0-bs256" in narrow


@pytest.mark.parametrize("command", ["run", "render", "train", "play", "import", "doctor"])
def test_help_breaks_lines_between_words(command, run_cli):
    wide = run_cli(command, "--help", check=True, env={**os.environ, "COLUMNS": "200"}).stdout
    narrow = run_cli(command, "--help", check=True, env={**os.environ, "COLUMNS": "80"}).stdout
    assert max(map(len, narrow.splitlines())) <= 80
    assert set(narrow.split()) == set(wide.split())


def test_no_progress_bar_in_a_cell_of_a_notebook(norms, tmp_path):
    # `!gradmidi` runs on a terminal of the notebook's own, as pexpect makes it.
    def said(**more):
        us, theirs = pty.openpty()
        command = [sys.executable, "-m", "gradmidi", "render", str(norms), "--wav", "a.wav"]
        environment = {**os.environ, "TERM": "xterm-color", **more}
        environment |= {} if more else {"COLUMNS": "100"}
        done = subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):
            while piece := os.read(us, 4096):
                text += piece
        os.close(us)
        assert done.wait(60) == 0
        return text

    assert b"\x1b[2K" in said()
    assert b"\x1b[2K" not in said(JPY_PARENT_PID="1")
