"""A home that is missing, cannot be looked into or has no name keeps nobody from rendering."""

import os

import pytest

from gradmidi.errors import InputError
from gradmidi.outputs.soundfont_choice import find_soundfont
from gradmidi.theory.scale import Scale
from tests.users import unprivileged

pytestmark = pytest.mark.slow

TOO_LONG = "/" + "x" * 300  # for any system, whoever asks


@pytest.mark.parametrize("home", [TOO_LONG, "", "/dev/null", "~nobody-such"])
def test_soundfonts_are_looked_for_elsewhere(home, monkeypatch):
    monkeypatch.setenv("HOME", home)
    folders = ("~/.local/share/soundfonts", "~nobody-such/sf2")
    monkeypatch.setattr("gradmidi.outputs.soundfont_choice.SYSTEM_FOLDERS", folders)
    find_soundfont()
    find_soundfont("gm")
    with pytest.raises(InputError, match=r"--soundfont: there is no file .*none\.sf2"):
        find_soundfont("~/none.sf2")


def test_soundfonts_in_a_folder_without_rights_are_left_alone(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir(mode=0)
    monkeypatch.setattr(
        "gradmidi.outputs.soundfont_choice.SYSTEM_FOLDERS", (str(tmp_path / "home"), str(tmp_path / "home/sf2"))
    )
    find_soundfont("gm")
    unprivileged(lambda: str(find_soundfont("gm")))
    with pytest.raises(InputError, match="there is no file"):
        unprivileged(lambda: find_soundfont(tmp_path / "home" / "x.sf2"))


def test_a_scale_below_a_home_that_is_none(monkeypatch):
    monkeypatch.setenv("HOME", TOO_LONG)
    for name in ("~/x.scl", "~nobody-such/x.toml"):
        with pytest.raises(InputError, match=r"x\.(scl|toml)"):
            Scale.parse(name)


def test_the_commands_work_without_a_home(run_cli, tmp_path, healthy):
    healthy.rows(0, 5).save(tmp_path / "norms.csv")
    for home in (TOO_LONG, "/dev/null"):
        command = ["render", "norms.csv", "--mid", "a.mid", "--wav", "a.wav", "--sine", "b.wav", "--plot", "c.png"]
        done = run_cli(*command, env=os.environ | {"HOME": home})
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
