"""Which SoundFont plays: the one named, one that a person put into a folder, or gradmidi's own; others' on request."""

import re
from pathlib import Path

import pytest

from gradmidi.errors import InputError, MissingPartError
from gradmidi.outputs import soundfont_choice
from gradmidi.outputs.soundfont_choice import OWN, PURE_TONE, find_soundfont, is_soundfont, own_soundfont

ROOT = Path(__file__).parents[2]
PURE_TONE_FILE = ROOT / "soundfonts" / PURE_TONE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a folder ``soundfonts``, on a machine that has no others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(soundfont_choice, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(soundfont_choice, "PROJECT", ROOT / "soundfonts")
    monkeypatch.delenv("GRADMIDI_SOUNDFONT", raising=False)
    (tmp_path / "soundfonts").mkdir()
    return tmp_path / "soundfonts"


def font(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(PURE_TONE_FILE.read_bytes())
    return path


def test_soundfonts_are_found_in_order(folder, tmp_path, monkeypatch):
    given, named, local, system = (font(tmp_path / f"{name}.sf2") for name in ("given", "named", "soundfonts/a", "s/b"))
    monkeypatch.setattr(soundfont_choice, "SYSTEM_FOLDERS", (str(system.parent),))
    monkeypatch.setenv("GRADMIDI_SOUNDFONT", str(named))
    assert find_soundfont(given) == given
    assert find_soundfont() == named
    monkeypatch.delenv("GRADMIDI_SOUNDFONT")
    assert find_soundfont().resolve() == local
    local.unlink()
    assert find_soundfont() == ROOT / "soundfonts" / "gradmidi.sf2", "the system's are not chosen"


def test_a_general_midi_soundfont_is_the_systems_or_the_one_of_pretty_midi(folder, tmp_path, monkeypatch):
    font(folder / "a.sf2")
    system = font(tmp_path / "system" / "b.sf2")
    monkeypatch.setattr(soundfont_choice, "SYSTEM_FOLDERS", (str(system.parent),))
    assert find_soundfont("gm") == system
    system.unlink()
    monkeypatch.setenv("GRADMIDI_SOUNDFONT", "gm")
    assert find_soundfont().name == "TimGM6mb.sf2"
    monkeypatch.setattr(soundfont_choice, "find_spec", lambda name: None)
    with pytest.raises(MissingPartError, match="no General MIDI SoundFont was found; run: pip install"):
        find_soundfont()


def test_an_installed_package_has_its_own_beside_it(folder, tmp_path, monkeypatch):
    installed = font(tmp_path / "outputs" / OWN)
    monkeypatch.setattr(soundfont_choice, "__file__", str(installed.with_name("soundfont_choice.py")))
    assert own_soundfont() == find_soundfont() == installed


def test_a_soundfont_is_a_riff_of_its_form(tmp_path):
    for head in (b"RIFF\0\0\0\0WAVE", b"RIFX\0\0\0\0sfbk", b"RIFF\0\0\0\0sfb", b""):
        (tmp_path / "x.sf2").write_bytes(head)
        assert not is_soundfont(tmp_path / "x.sf2")
    assert is_soundfont(PURE_TONE_FILE)
    assert not is_soundfont(tmp_path)


def test_what_is_no_soundfont_and_the_pure_tone_are_never_chosen(folder):
    (folder / "a.sf2").write_bytes(b"no sound")
    font(folder / "b.txt")
    font(folder / PURE_TONE)
    font(folder / OWN)
    assert find_soundfont() == own_soundfont()
    for name in ("z.SF2", "y.sf3"):
        font(folder / name)
        assert find_soundfont().name == name


def test_a_name_that_is_no_file_is_refused(folder):
    with pytest.raises(InputError, match=r"--soundfont: there is no file GM"):
        find_soundfont("GM")


@pytest.mark.slow
def test_the_commands_play_a_general_midi_soundfont_on_request(run_cli, tmp_path, healthy, need_fluidsynth):
    healthy.rows(0, 3).save(tmp_path / "norms.csv")
    fonts = {"gm": r"FluidSynth with (?!gradmidi).*\.sf", "": r"FluidSynth with gradmidi\.sf2"}
    for option, played in fonts.items():
        done = run_cli("render", "norms.csv", "--wav", "a.wav", "--soundfont", option)
        assert done.returncode == 0, done.stderr
        assert re.search(played, done.stderr + done.stdout)
