"""An earlier recording where a new one begins: kept, continued or replaced, and never written to by two."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas
import pytest

from gradmidi import compose
from gradmidi.composition.timelapse import time_lapse
from gradmidi.errors import InputError
from gradmidi.recording import Recording, existing
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.recording.existing import set_aside
from gradmidi.recording.row import Row
from tests.users import unprivileged

LAYERS = ("a", "b")


def record(path: Path | str, steps: range, layers: tuple[str, ...] = LAYERS, **options: object) -> RecordingWriter:
    """Write a row a step, whose norms tell which step it is."""
    with RecordingWriter(path, layers, **options) as writer:
        for step in steps:
            writer.append(Row.of(step, np.full(len(layers), step + 0.5), {"epoch": 1}))
    return writer


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_earlier_recording_is_kept_under_the_next_number(tmp_path):
    writers = [record(tmp_path / "norms.csv", range(n)) for n in (1, 2, 3)]
    assert names(tmp_path) == ["norms.1.csv", "norms.2.csv", "norms.csv"]
    assert [len(Recording.load(tmp_path / name)) for name in names(tmp_path)] == [1, 2, 3]
    assert writers[0].notices == ()
    assert writers[2].notices == (f"{tmp_path / 'norms.csv'}: the earlier recording is kept as norms.2.csv",)


def test_each_writer_knows_where_its_recording_is_by_now(tmp_path):
    writers = [record(tmp_path / "norms.csv", range(n)) for n in (1, 2)]
    assert [len(Recording.load(writer.path)) for writer in writers] == [1, 2]
    record(tmp_path / "norms.csv", range(3), existing="replace")
    assert len(Recording.load(writers[0].path)) == 1
    with pytest.raises(InputError, match=r"norms\.csv has been replaced"):
        _ = writers[1].path


@pytest.mark.parametrize(
    ("name", "kept"),
    [("norms", "norms.1"), ("run.v2.csv", "run.v2.1.csv"), (".hidden", ".hidden.1"), ("norms.1.csv", "norms.1.1.csv")],
)
def test_the_number_stands_before_the_ending(name, kept, tmp_path):
    for _ in range(2):
        record(tmp_path / name, range(1))
    assert names(tmp_path) == sorted([name, kept])


def test_numbers_go_up_though_lower_ones_are_free_and_dates_are_not_numbers(tmp_path):
    for taken in ("norms.7.csv", "norms.20240131.csv", "norms.x.csv", "norms.8.txt"):
        (tmp_path / taken).write_text(taken)
    for _ in range(2):
        record(tmp_path / "norms.csv", range(1))
    assert (tmp_path / "norms.8.csv").exists()
    assert (tmp_path / "norms.7.csv").read_text() == "norms.7.csv"


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_no_name_is_ever_taken_from_anybody(links, tmp_path, monkeypatch):
    """Sixteen at once, on file systems with and without hard links: sixteen files afterwards."""

    def refuse(*given: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    monkeypatch.setattr(existing, "_numbers", lambda path: [])  # all of them try 1 first
    for i in range(16):
        (tmp_path / f"{i}.csv").write_text(str(i))

    def move(i: int) -> None:
        existing._move(tmp_path / f"{i}.csv", tmp_path / "to.csv")

    moved: list[int] = []

    def one(i: int) -> None:
        try:
            move(i)
            moved.append(i)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=one, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(moved) == 1
    assert (tmp_path / "to.csv").read_text() == str(moved[0])
    assert len(names(tmp_path)) == 16


@pytest.mark.parametrize("interrupted", ["hardlink_to", "unlink", "touch", "replace"])
def test_ctrl_c_while_a_file_is_renamed_leaves_one_name(interrupted, tmp_path, monkeypatch):
    """The interrupt comes when the system call has just been made, as Python then looks for signals."""
    whole = getattr(Path, interrupted)

    def then_interrupt(path: Path, *given: object, **options: object) -> None:
        monkeypatch.setattr(Path, interrupted, whole)
        whole(path, *given, **options)
        raise KeyboardInterrupt

    def refuse(*given: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if interrupted in ("touch", "replace"):
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "norms.csv").write_text("steps")
    monkeypatch.setattr(Path, interrupted, then_interrupt)
    with pytest.raises(KeyboardInterrupt):
        set_aside(tmp_path / "norms.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["steps"]


def test_what_holds_no_step_is_not_kept(tmp_path):
    path = tmp_path / "norms.csv"
    path.touch()
    for _ in range(2):
        assert record(path, range(0)).notices == ()
    assert names(tmp_path) == ["norms.csv"]
    path.write_text("my own notes")
    record(path, range(1))
    assert (tmp_path / "norms.1.csv").read_text() == "my own notes"


@pytest.mark.parametrize(("old", "new"), [(b"\n", b"\r"), (b"step,epoch,loss,a,b\n", b"")])
def test_steps_behind_damaged_line_ends_or_without_a_header_are_kept(old, new, tmp_path):
    record(tmp_path / "norms.csv", range(1))
    damaged = (tmp_path / "norms.csv").read_bytes().replace(old, new)
    (tmp_path / "norms.csv").write_bytes(damaged)
    record(tmp_path / "norms.csv", range(2))
    assert (tmp_path / "norms.1.csv").read_bytes() == damaged


def test_a_link_is_followed_and_its_file_kept_beside_it(tmp_path):
    (tmp_path / "disk").mkdir()
    record(tmp_path / "disk" / "run.csv", range(2))
    (tmp_path / "norms.csv").symlink_to("disk/run.csv")
    notice = record(tmp_path / "norms.csv", range(3)).notices[0]
    assert notice.endswith(f"kept as {tmp_path / 'disk' / 'run.1.csv'}")
    assert (tmp_path / "norms.csv").is_symlink()
    assert len(Recording.load(tmp_path / "norms.csv")) == 3
    assert len(Recording.load(tmp_path / "disk" / "run.1.csv")) == 2


def test_a_file_of_two_names_keeps_its_other_name(tmp_path):
    record(tmp_path / "norms.csv", range(2))
    os.link(tmp_path / "norms.csv", tmp_path / "backup.csv")
    record(tmp_path / "norms.csv", range(3))
    assert len(Recording.load(tmp_path / "backup.csv")) == 2


def test_replace_drops_it(tmp_path):
    record(tmp_path / "norms.csv", range(5))
    assert record(tmp_path / "norms.csv", range(2), existing="replace").notices == ()
    assert names(tmp_path) == ["norms.csv"]
    assert len(Recording.load(tmp_path / "norms.csv")) == 2


def test_an_unknown_word_is_refused_and_touches_nothing(tmp_path):
    record(tmp_path / "norms.csv", range(1))
    with pytest.raises(InputError, match="existing='overwrite' is not one of 'keep', 'append', 'replace'"):
        record(tmp_path / "norms.csv", range(1), existing="overwrite")
    assert names(tmp_path) == ["norms.csv"]


def test_append_continues_with_a_mark_at_the_seam(tmp_path):
    path = tmp_path / "norms.csv"
    record(path, range(25), meta={"title": "first"})
    writer = record(path, range(25, 40), meta={"title": "second"}, existing="append")
    assert writer.next_step == 25
    record(path, range(40, 50), existing="append")
    loaded = Recording.load(path)
    assert loaded.steps.tolist() == list(range(50))
    assert np.array_equal(loaded.norms[:, 1], np.arange(50) + 0.5)
    assert loaded.meta == {"title": "first", "resumed": "25, 40"}
    assert path.read_text().count("\n# resumed: ") == 2
    assert len(pandas.read_csv(path, comment="#")) == 50


def test_the_marks_survive_saving_and_are_heard_of_in_the_score(tmp_path):
    path = tmp_path / "norms.csv"
    for first in (0, 25, 40):
        record(path, range(first, first + 15), existing="append")
    loaded = Recording.load(path)
    for name in ("copy.csv", "copy.npz"):
        loaded.save(tmp_path / name)
        assert Recording.load(tmp_path / name).meta["resumed"] == "25, 40"
        assert Recording.load(tmp_path / name).seams().tolist() == [15, 30]
    assert compose(loaded).marks.of("resumed").text.tolist() == ["resumed at step 25", "resumed at step 40"]
    lapse = time_lapse(loaded, 5).recording
    assert lapse.seams().tolist() == [1, 3]  # 15 and 30 of 45 rows, nine rows a bin
    assert len(compose(loaded, duration=1.0).marks.of("resumed")) == 2
    assert loaded.rows(20).seams().tolist() == [10]
    assert loaded.only(["a"]).seams().tolist() == [15, 30]


def test_a_run_that_is_resumed_further_back_has_its_seam_where_the_file_has_it(tmp_path):
    path = tmp_path / "norms.csv"
    record(path, range(10))
    for _ in range(2):
        record(path, range(5, 10), existing="append")
    assert Recording.load(path).meta["resumed"] == "5, 5"
    assert Recording.load(path).seams().tolist() == [10, 15]


def test_resumed_without_a_step_leaves_no_mark(tmp_path):
    path = tmp_path / "norms.csv"
    record(path, range(3))
    before = path.read_bytes()
    assert record(path, range(0), existing="append").next_step == 3
    assert path.read_bytes() == before


@pytest.mark.parametrize("earlier", ["nothing", "empty", "no step"])
def test_append_to_nothing_begins(earlier, tmp_path):
    path = tmp_path / "norms.csv"
    if earlier == "empty":
        path.touch()
    if earlier == "no step":
        record(path, range(0), layers=("c",))
    assert record(path, range(3), existing="append").next_step is None
    assert Recording.load(path).steps.tolist() == [0, 1, 2]
    assert Recording.load(path).layers == LAYERS


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layers": ("a", "b", "c")}, "it has no column 'c'"),
        ({"layers": ("a",)}, "this run has no 'b'"),
        ({"layers": ("b", "a")}, "its columns are in a different order"),
        ({"layers": ("a", "x")}, "it has no column 'x' and this run has no 'b'"),
        ({"metrics": ("epoch", "loss", "lr")}, "it has no column 'lr'"),
    ],
)
def test_other_columns_are_refused_and_nothing_is_changed(options, told, tmp_path):
    path = tmp_path / "norms.csv"
    record(path, range(3))
    before = path.read_bytes()
    with pytest.raises(InputError, match=told) as caught:
        record(path, range(3, 4), existing="append", **options)
    assert "norms.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["norms.csv"]


def test_a_metric_that_the_file_has_beyond_ours_stays_a_column(tmp_path):
    """Such as one that was logged without being declared, which has become a column before the first step."""
    path = tmp_path / "norms.csv"
    with RecordingWriter(path, LAYERS) as writer:
        assert writer.add_metric("acc")
        writer.append(Row.of(0, [1.0, 2.0], {"acc": 0.5}))
    with RecordingWriter(path, LAYERS, existing="append") as writer:
        assert not writer.add_metric("lr")
        assert writer.add_metric("acc")
        writer.append(Row.of(1, [1.0, 2.0], {"acc": 0.75}))
    assert Recording.load(path).metrics["acc"].tolist() == [0.5, 0.75]


@pytest.mark.parametrize("content", ["step,a,b\n0,1,2\n", "text\n", "\n", "# format: gradmidi recording 1\nstep\n0\n"])
def test_a_file_of_somebody_else_is_not_appended_to(content, tmp_path):
    path = tmp_path / "norms.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=r"norms\.csv"):
        record(path, range(1), existing="append")
    assert path.read_text() == content


@pytest.mark.parametrize("rest", [b"3,1,nan,0.1", b"3", b"\0" * 4096, b"# resum"])
def test_a_last_line_that_was_cut_is_taken_out_and_said(rest, tmp_path):
    path = tmp_path / "norms.csv"
    record(path, range(3))
    with path.open("ab") as file:
        file.write(rest)
    writer = record(path, range(3, 5), existing="append")
    assert writer.notices == (f"{path}: its last line was cut short and has been removed",)
    assert Recording.load(path).steps.tolist() == [0, 1, 2, 3, 4]


def test_a_last_line_that_is_no_step_is_refused(tmp_path):
    path = tmp_path / "norms.csv"
    record(path, range(3))
    with path.open("ab") as file:
        file.write(b"3,1\n")
    with pytest.raises(InputError, match="is not a step of this recording"):
        record(path, range(3, 5), existing="append")
    assert path.read_bytes().endswith(b"3,1\n")


def test_lines_longer_than_what_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(existing, "TAIL", 16)
    path = tmp_path / "norms.csv"
    for first in (0, 3, 6):
        record(path, range(first, first + 3), existing="append")
    assert Recording.load(path).steps.tolist() == list(range(9))


@pytest.mark.parametrize("name", ["norms.npz", "norms.csv.gz", "norms.csv.xz"])
def test_what_cannot_be_appended_to_is_refused(name, tmp_path):
    with pytest.raises(InputError, match=r"steps are appended as CSV; name it \.csv"):
        record(tmp_path / name, range(1))
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX devices")
def test_devices_and_pipes_are_written_to_and_stay_what_they_are(tmp_path):
    code = """
        import sys, numpy as np
        from gradmidi.recording.csv_writer import RecordingWriter
        from gradmidi.recording.row import Row
        for path in sys.argv[1:]:
            for existing in ("keep", "append", "replace"):
                with RecordingWriter(path, ["a"], existing=existing) as writer:
                    writer.append(Row.of(7, np.ones(1)))
                    assert writer.notices == (), writer.notices
        """
    program = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run([*program, "/dev/stdout", os.devnull], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n7,nan,nan,1.0\n") == 3
    with (tmp_path / "log.txt").open("w") as log:  # `python train.py > log.txt`
        print("mine", file=log, flush=True)
        subprocess.run([*program, "/dev/stdout"], stdout=log, check=True)
    assert (tmp_path / "log.txt").read_text().startswith("mine\n# format")
    assert names(tmp_path) == ["log.txt"]
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True)
    record(tmp_path / "pipe", range(3))
    assert reader.communicate(timeout=20)[0].endswith("2,1,nan,2.5,2.5\n")
    assert names(tmp_path) == ["log.txt", "pipe"]


OTHER = """
import sys, numpy as np
from gradmidi.errors import InputError
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.recording.row import Row
try:
    writer = RecordingWriter(sys.argv[1], ["a", "b"], existing=sys.argv[2])
except InputError as error:
    sys.exit(str(error))
print("open", flush=True)
for step in range(100):
    writer.append(Row.of(step, np.full(2, step)))
sys.stdin.read()
"""


def other_process(path: Path, existing: str = "keep") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER, str(path), existing]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("how", ["keep", "append", "replace"])
def test_another_process_is_refused_and_told_who_has_the_file(how, tmp_path):
    path = tmp_path / "norms.csv"
    with RecordingWriter(path, LAYERS) as writer:
        writer.append(Row.of(0, [1.0, 2.0]))
        before = path.read_bytes()
        other = other_process(path, how)
        _, said = other.communicate(timeout=60)
        assert other.returncode == 1
        assert said.splitlines() == [
            f"{path} is being recorded to by process {os.getpid()}; end that, or give another name"
        ]
        assert path.read_bytes() == before
        assert names(tmp_path) == ["norms.csv"]
        assert len(Recording.load(path)) == 1  # reading is free meanwhile
    assert other_process(path, how).communicate("", timeout=60) == ("open\n", "")


def test_of_many_that_begin_at_once_one_has_the_file(tmp_path):
    path = tmp_path / "norms.csv"
    record(path, range(5))
    others = [other_process(path) for _ in range(6)]
    first = [other.stdout.readline() for other in others]
    assert sorted(first) == [""] * 5 + ["open\n"]
    ends = [other.communicate("", timeout=60) for other in others]
    assert sum(said.count("is being recorded to by") for _, said in ends) == 5
    assert Recording.load(path).steps.tolist() == list(range(100))
    assert len(Recording.load(tmp_path / "norms.1.csv")) == 5
    assert names(tmp_path) == ["norms.1.csv", "norms.csv"]


def test_a_killed_process_leaves_no_lock(tmp_path):
    path = tmp_path / "norms.csv"
    other = other_process(path)
    assert other.stdout.readline() == "open\n"
    with pytest.raises(InputError, match=f"by process {other.pid};"):
        RecordingWriter(path, LAYERS)
    other.kill()
    other.communicate()
    record(path, range(3))
    assert names(tmp_path) == ["norms.1.csv", "norms.csv"]
    assert len(Recording.load(tmp_path / "norms.1.csv")) == 100


def test_in_one_process_the_newest_has_the_file(tmp_path):
    path = tmp_path / "norms.csv"
    ended: list[str] = []
    first = RecordingWriter(path, LAYERS, on_taken=lambda: ended.append("first"))
    first.append(Row.of(0, [1.0, 2.0]))
    with pytest.raises(InputError, match="no column 'c'"):
        RecordingWriter(path, (*LAYERS, "c"), existing="append")
    assert ended == []  # what is refused ends nobody
    second = RecordingWriter(path, LAYERS)
    assert ended == ["first"]
    assert second.notices == (
        f"{path}: an earlier session was still recording to it and has been ended",
        f"{path}: the earlier recording is kept as norms.1.csv",
    )
    with pytest.raises(ValueError, match="closed file"):
        first.append(Row.of(1, [1.0, 2.0]))
    second.append(Row.of(0, [3.0, 4.0]))
    second.close()
    assert [Recording.load(writer.path).norms.tolist() for writer in (first, second)] == [[[1, 2]], [[3, 4]]]


def test_saving_onto_a_file_that_is_being_recorded_to_is_refused(tmp_path):
    path = tmp_path / "norms.csv"
    with RecordingWriter(path, LAYERS) as writer:
        writer.append(Row.of(0, [1.0, 2.0]))
        with pytest.raises(InputError, match="is recording to it"):
            Recording.load(path).save(path)
        writer.append(Row.of(1, [1.0, 2.0]))
    assert len(Recording.load(path)) == 2
    Recording.load(path).save(path)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX rights")
@pytest.mark.parametrize(
    ("rights", "of_folder", "told"),
    [
        (
            0o666,
            0o555,
            "keep the earlier norms.csv under another name: Permission denied; choose another folder",
        ),
        (0o444, 0o777, "write norms.csv: Permission denied; choose another place"),
    ],
)
def test_without_rights_it_is_one_line(rights, of_folder, told, monkeypatch):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "norms.csv"
        record(path, range(2))
        path.chmod(rights)
        Path(name).chmod(of_folder)
        monkeypatch.chdir(name)
        with pytest.raises(InputError) as caught:
            unprivileged(lambda: record("norms.csv", range(1)))
        monkeypatch.undo()
        assert str(caught.value) == f"cannot {told}"
        assert len(Recording.load(path)) == 2


@pytest.mark.parametrize("earlier", [0, 2])
def test_a_disk_that_is_full_at_the_start_changes_nothing(earlier, tmp_path):
    code = """
        import resource, signal, sys
        from gradmidi.errors import InputError
        from gradmidi.recording.csv_writer import RecordingWriter
        from gradmidi.recording.row import Row
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))
        try:
            RecordingWriter("norms.csv", ["a", "b"])
        except InputError as error:
            sys.exit(str(error))
        """
    if earlier:
        record(tmp_path / "norms.csv", range(earlier))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "cannot write norms.csv: No space left on device; free some space or choose another place\n"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_notices_go_through_warnings_and_never_stop_anybody(tmp_path):
    from gradmidi import Notice
    from tests.session.test_session import listened

    listened(path=tmp_path / "norms.csv")
    with pytest.warns(Notice, match=r"kept as norms\.1\.csv") as caught:
        listened(path=tmp_path / "norms.csv")
    assert len(caught) == 1
    assert Path(caught[0].filename).name == "test_session.py"  # the line that called listen
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listened(path=tmp_path / "norms.csv")
    assert (tmp_path / "norms.2.csv").exists()


@pytest.mark.parametrize(("earlier", "later"), [("a b", "a\nb"), ("a\nb", "a b"), ("a\tb", "a\nb"), ("a\nb", "a\tb")])
def test_layers_of_one_column_name_are_still_different_layers(earlier, later, tmp_path):
    """The file calls both columns ``a b``; only its first lines say which name it stands for."""
    path = tmp_path / "norms.csv"
    with RecordingWriter(path, [earlier]) as writer:
        writer.append(Row.of(0, [1.0]))
    before = path.read_bytes()
    with pytest.raises(InputError, match="cannot be appended to"):
        RecordingWriter(path, [later], existing="append")
    assert path.read_bytes() == before
    with RecordingWriter(path, [earlier], existing="append") as writer:
        writer.append(Row.of(1, [2.0]))
    assert Recording.load(path).layers == (earlier,)


def test_two_new_recordings_at_once_are_two_files(tmp_path):
    paths = tmp_path / "one.csv", tmp_path / "two.csv"
    writers = [RecordingWriter(path, LAYERS) for path in paths]
    for step in range(3):
        for i, writer in enumerate(writers):
            writer.append(Row.of(step, [i + 1.0, step + 0.5]))
    for i, (path, writer) in enumerate(zip(paths, writers, strict=True)):
        assert writer.notices == ()
        writer.close()
        assert Recording.load(path).norms.tolist() == [[i + 1, 0.5], [i + 1, 1.5], [i + 1, 2.5]]


def test_a_file_that_was_removed_under_its_writer_can_be_begun_again(tmp_path):
    path = tmp_path / "norms.csv"
    earlier = RecordingWriter(path, LAYERS)
    path.unlink()
    with RecordingWriter(path, LAYERS) as writer:
        writer.append(Row.of(0, [1.0, 2.0]))
    assert len(Recording.load(path)) == 1
    earlier.close()


def test_the_last_step_is_read_however_its_line_ends(tmp_path):
    """A file that is continued: rows, a seam without a row, and blank lines at its end."""
    path = tmp_path / "norms.csv"
    record(path, range(3)).close()
    for more in ("", "\n", "\n# resumed: 9\n", "\n\n\n", "# a comment that is much longer than a row\n" * 3):
        with path.open("a") as file:
            file.write(more)
        with path.open("r+b", buffering=0) as file:
            assert existing.last_step(file) == 2
            assert file.tell() == path.stat().st_size, "the next row goes to the end"


def test_a_number_that_another_takes_meanwhile_is_passed_over(tmp_path, monkeypatch):
    """As if others had renamed their files to 1 and 2 after this one had looked for free numbers."""
    for name in ("norms.csv", "norms.1.csv", "norms.2.csv"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(existing, "_numbers", lambda path: [])
    assert set_aside(tmp_path / "norms.csv") == tmp_path / "norms.3.csv"
    assert [(tmp_path / f"norms.{i}.csv").read_text() for i in (1, 2, 3)] == ["norms.1.csv", "norms.2.csv", "norms.csv"]


def test_a_metric_that_does_not_fit_on_the_disk_leaves_an_empty_file(tmp_path):
    """The head is written anew with a column more, and the disk is full then: no half of a head is left."""
    code = (
        "import resource, signal, sys\n"
        "from gradmidi.recording.csv_writer import RecordingWriter\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "writer = RecordingWriter(sys.argv[1], ['a'])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n"
        "    writer.add_metric('m' * 100)\n"
        "except OSError: print('refused')\n"
    )
    path = tmp_path / "norms.csv"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
    assert path.read_bytes() == b""
