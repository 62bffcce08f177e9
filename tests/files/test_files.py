"""Files that gradmidi makes: whole or not there, where the name leads, and never somebody else's."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gradmidi.composition import compose
from gradmidi.errors import InputError
from gradmidi.files import check_file, open_raw, whole_file
from gradmidi.files.temporary import ENDING, PREFIX, open_new, remove_leftovers
from gradmidi.recording import Recording
from tests.users import ATTACKER, VICTIM, as_user, shared, unprivileged  # noqa: F401

RECORDING = Recording.from_arrays([[1.0, 2.0], [3.0, 4.0]])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def save(path: Path) -> None:
    RECORDING.save(path)


@pytest.fixture
def loose(tmp_path):
    """A folder that every user reaches and nobody else shares."""
    folder = tmp_path / "loose"
    folder.mkdir()
    for place in (folder, *folder.parents):
        if place.stat().st_uid == os.geteuid() and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o011)
        if place == Path("/tmp"):
            break
    if not os.geteuid():
        os.chown(folder, VICTIM, VICTIM)
    return folder


# --- what a person expects, as of cp ---


@pytest.mark.parametrize("name", ["a.csv", "a.npz", "a.mid"])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(name, tmp_path):
    before = os.umask(0o027)
    try:
        compose(RECORDING).save_midi(tmp_path / name) if name.endswith("mid") else save(tmp_path / name)
    finally:
        os.umask(before)
    assert mode(tmp_path / name) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("kept", [0o600, 0o664, 0o755])
def test_a_replaced_file_keeps_its_permissions(kept, tmp_path):
    target = tmp_path / "a.csv"
    target.touch()
    target.chmod(kept)
    save(target)
    assert mode(target) == kept
    assert len(Recording.load(target)) == 2


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_a_file_to_whom_it_belongs(tmp_path):
    target = tmp_path / "a.csv"
    target.touch()
    os.chown(target, VICTIM, ATTACKER)
    save(target)
    assert (target.stat().st_uid, target.stat().st_gid) == (VICTIM, ATTACKER)


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.csv").write_text("old")
    (tmp_path / "between.csv").symlink_to("far/real.csv")
    (tmp_path / "a.csv").symlink_to(tmp_path / "between.csv")
    save(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").is_symlink()
    assert (tmp_path / "between.csv").is_symlink()
    assert len(Recording.load(tmp_path / "far" / "real.csv")) == 2
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["real.csv"]


def test_a_link_to_nothing_and_a_loop_are_refused(tmp_path):
    (tmp_path / "a.csv").symlink_to("nowhere.csv")
    with pytest.raises(InputError, match="a link to nothing"):
        save(tmp_path / "a.csv")
    (tmp_path / "b.csv").symlink_to("b.csv")
    with pytest.raises(InputError, match="cannot write"):
        save(tmp_path / "b.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_a_write_protected_file_is_refused_and_kept(loose):
    target = loose / "a.csv"

    def work():
        target.write_text("precious")
        target.chmod(0o444)
        save(target)

    with pytest.raises(InputError, match=r"a\.csv: Permission denied"):
        unprivileged(work)
    assert target.read_text() == "precious"


def test_a_writable_file_in_a_protected_folder_is_written_to(loose):
    def work():
        (loose / "a.csv").write_text("old" * 1000)
        loose.chmod(0o555)
        save(loose / "a.csv")
        return len(Recording.load(loose / "a.csv"))

    assert unprivileged(work) == 2


def test_both_names_of_a_hard_linked_file_show_the_new_content(tmp_path):
    (tmp_path / "a.csv").write_text("old" * 1000)
    os.link(tmp_path / "a.csv", tmp_path / "b.csv")
    save(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").samefile(tmp_path / "b.csv")
    assert len(Recording.load(tmp_path / "b.csv")) == 2


def test_a_fifo_gets_the_file_and_stays(tmp_path):
    os.mkfifo(tmp_path / "a.mid")
    heard = []
    reader = threading.Thread(target=lambda: heard.append((tmp_path / "a.mid").read_bytes()))
    reader.start()
    compose(RECORDING).save_midi(tmp_path / "a.mid")
    reader.join(5)
    compose(RECORDING).save_midi(tmp_path / "b.mid")
    assert heard == [(tmp_path / "b.mid").read_bytes()]
    assert stat.S_ISFIFO((tmp_path / "a.mid").stat().st_mode)


@pytest.mark.slow
def test_devices_are_written_to(run_cli, tmp_path):
    save(tmp_path / "n.csv")
    null = Path("/dev/null")
    before = null.stat()
    for kind in ("mid", "sine", "plot"):
        done = run_cli("render", "n.csv", f"--{kind}", "/dev/null")
        assert done.returncode == 0, done.stderr
    assert (null.stat().st_rdev, null.stat().st_ino) == (before.st_rdev, before.st_ino)


@pytest.mark.parametrize("redirected", [False, True], ids=["pipe", "file"])
def test_standard_output_gets_the_file_and_nothing_else(redirected, run_cli, tmp_path):
    save(tmp_path / "n.csv")
    run_cli("render", "n.csv", "--mid", "a.mid")
    if redirected:
        with (tmp_path / "out").open("wb") as out:
            done = run_cli(
                "render", "n.csv", "--mid", "/dev/stdout", text=False, capture_output=False, stdout=out, stderr=-1
            )
        written = (tmp_path / "out").read_bytes()
    else:
        done = run_cli("render", "n.csv", "--mid", "/dev/stdout", text=False)
        written = done.stdout
    assert done.returncode == 0, done.stderr
    assert written == (tmp_path / "a.mid").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("kind", ["mid", "sine", "plot", "wav"])
def test_a_full_disk_is_one_line(kind, run_cli, tmp_path):
    save(tmp_path / "n.csv")
    done = run_cli("render", "n.csv", f"--{kind}", "/dev/full", "--soundfont", "")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("gradmidi render: cannot write /dev/full: No space left")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 300 + ".csv", "File name too long"),
        ("a\0b.csv", "no file can be called that"),
        ("a\ud800.csv", "no file can be called that"),
        ("file/a.csv", "Not a directory"),
        (".", "it is a folder"),
    ],
)
def test_names_that_cannot_be(name, reason, tmp_path):
    (tmp_path / "file").touch()
    for attempt in (save, check_file):
        with pytest.raises(InputError, match=reason):
            attempt(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_as_long_as_names_may_be(tmp_path):
    save(tmp_path / ("x" * 251 + ".csv"))
    assert len(list(tmp_path.iterdir())) == 1


def test_what_fails_midway_leaves_the_earlier_file_and_nothing_else(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a.csv") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "a.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_refusals_come_before_the_work(run_cli, tmp_path):
    """``check_file`` finds what ``whole_file`` would: a render that takes an hour does not fail at its end."""
    save(tmp_path / "n.csv")
    (tmp_path / "gone.wav").symlink_to("nowhere.wav")
    done = run_cli("render", "n.csv", "--mid", "a.mid", "--wav", "gone.wav")
    assert done.returncode == 2
    assert "a link to nothing" in done.stderr
    assert not (tmp_path / "a.mid").exists()


def test_train_asks_for_its_places_before_it_trains(run_cli, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "score.png").symlink_to("nowhere.png")
    done = run_cli("train", "--steps", "2")
    assert done.returncode == 2
    assert done.stderr == (
        "gradmidi train: cannot write out/score.png: it is a link to nothing (out/nowhere.png); remove the link\n"
    )
    assert not (tmp_path / "out" / "norms.csv").exists()


# --- other people ---


def plant(work) -> None:
    as_user(ATTACKER, work)


@pytest.mark.parametrize("way", ["temporary", "target"])
def test_links_that_another_user_planted_are_not_followed(way, shared):  # noqa: F811
    """The attack of issue 10: whatever another user puts into a shared folder, no file elsewhere changes."""
    private = shared / "home"
    as_user(VICTIM, lambda: (private.mkdir(0o755), (private / "diary").write_text("dear diary")))

    def attack():
        if way == "target":
            (shared / "a.csv").symlink_to(private / "diary")
        else:
            for process in range(os.getpid(), os.getpid() + 500):
                (shared / f".a.{process}.csv").symlink_to(private / "diary")

    plant(attack)
    refused = ""
    try:
        as_user(VICTIM, lambda: save(shared / "a.csv"))
    except InputError as error:
        refused = str(error)
    assert (private / "diary").read_text() == "dear diary"
    assert ("a link that another user made" in refused) == (way == "target")


def test_a_hard_link_in_a_shared_folder_is_not_written_into(shared):  # noqa: F811
    """Where the system lets another user link our files (fs.protected_hardlinks=0), only the name in there changes."""
    as_user(VICTIM, lambda: ((shared / "diary").write_text("dear diary"), os.link(shared / "diary", shared / "a.csv")))
    as_user(VICTIM, lambda: save(shared / "a.csv"))
    assert (shared / "diary").read_text() == "dear diary"
    assert len(Recording.load(shared / "a.csv")) == 2


@pytest.mark.parametrize("attempt", [save, check_file, lambda path: open_raw(path).close()])
def test_another_users_file_in_a_shared_folder_is_refused(attempt, shared):  # noqa: F811
    plant(lambda: ((shared / "a.csv").write_text("theirs"), (shared / "a.csv").chmod(0o666)))
    with pytest.raises(InputError, match="another user's file"):
        as_user(VICTIM, lambda: attempt(shared / "a.csv"))
    assert (shared / "a.csv").read_text() == "theirs"


def test_ones_own_link_in_a_shared_folder_is_followed(shared):  # noqa: F811
    as_user(VICTIM, lambda: ((shared / "real.csv").touch(), (shared / "a.csv").symlink_to("real.csv")))
    as_user(VICTIM, lambda: save(shared / "a.csv"))
    assert len(Recording.load(shared / "real.csv")) == 2


# --- leftovers of killed renders ---

HOLD = """
import signal, sys, time
from pathlib import Path
from gradmidi.files import whole_file
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
with whole_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def render_until_killed(path: Path) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    return process


def test_leftovers_of_a_killed_render_go_with_the_next_and_those_of_a_living_one_stay(tmp_path):
    killed, living = render_until_killed(tmp_path / "a.csv"), render_until_killed(tmp_path / "b.csv")
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(list(tmp_path.iterdir())) == 2
        save(tmp_path / "c.csv")
        left = [path for path in tmp_path.iterdir() if path.name != "c.csv"]
        assert len(left) == 1
        assert left[0].read_bytes() == b"half"
    finally:
        living.send_signal(signal.SIGINT)
        living.wait(5)
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


def test_cleaning_touches_nothing_but_our_own_leftovers(shared):  # noqa: F811
    name = f"{PREFIX}{'0' * 16}{ENDING}"
    others = {
        "theirs": shared / name,
        "link": shared / name.replace("0", "1"),
        "folder": shared / name.replace("0", "2"),
        "linked twice": shared / name.replace("0", "3"),
        "fifo": shared / name.replace("0", "4"),
        "another name": shared / f"{PREFIX}important{ENDING}",
    }
    plant(lambda: others["theirs"].write_text("theirs"))

    def mine():
        (shared / "diary").write_text("dear diary")
        others["link"].symlink_to("diary")
        others["folder"].mkdir()
        os.link(shared / "diary", others["linked twice"])
        os.mkfifo(others["fifo"])
        others["another name"].touch()
        (shared / name.replace("0", "9")).write_text("a leftover of ours")
        save(shared / "a.csv")

    started = time.monotonic()
    as_user(VICTIM, mine)
    assert time.monotonic() - started < 5, "a FIFO is not waited for"
    assert {path.name for path in shared.iterdir()} == {path.name for path in others.values()} | {"a.csv", "diary"}
    assert (shared / "diary").read_text() == "dear diary"


def test_someone_who_holds_locks_holds_nobody_up(shared):  # noqa: F811
    import fcntl

    stop = threading.Event()

    def hold():
        held = {}
        while not stop.is_set():
            for path in shared.glob(".gradmidi-*"):
                try:
                    held[path] = path.open("rb")
                    fcntl.flock(held[path], fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    pass

    thief = threading.Thread(target=hold)
    thief.start()
    try:
        for _ in range(20):
            compose(RECORDING).save_midi(shared / "a.mid")
    finally:
        stop.set()
        thief.join()
    assert [path.name for path in shared.iterdir()] == ["a.mid"]


def test_a_file_that_is_cleaned_away_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    made = []

    def open_and_be_overtaken(*args):
        made.append(descriptor := open_new(*args))
        if len(made) < 3:
            remove_leftovers(tmp_path)
        return descriptor

    monkeypatch.setattr("gradmidi.files.temporary.open_new", open_and_be_overtaken)
    save(tmp_path / "a.csv")
    assert len(made) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_many_at_once_leave_one_whole_file(tmp_path):
    """A render that has just made its temporary file is not cleaned away by another one."""
    code = "import sys; from pathlib import Path; from tests.files.test_files import save\n" + (
        "for _ in range(60): save(Path(sys.argv[1]))"
    )
    crowd = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a.csv")], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in crowd:
        assert process.communicate(timeout=60)[1] == b""
    assert len(Recording.load(tmp_path / "a.csv")) == 2
    assert len(list(tmp_path.iterdir())) == 1
