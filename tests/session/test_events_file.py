"""events.csv: what is in it, whose it is, and how it follows its recording."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import gradmidi as gm
from gradmidi.errors import InputError, Notice, TrainingWarning
from gradmidi.events import Event
from gradmidi.recording.companion import events_paths
from gradmidi.session import listen
from gradmidi.session.events_file import COLUMNS, HEAD, EventsFile
from tests.session.test_told import nan_at, still, train

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def run(path: Path, steps: int = 20, bad: tuple[int, ...] = (), **options: object):
    model, optimizer = still()
    with listen(model, optimizer, path=path, **options) as session:
        train(model, optimizer, steps, nan_at(*bad))
    return session


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        assert file.readline() == "# format: gradmidi events 1\n"
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("recording", "events"),
    [
        ("norms.csv", "events.csv"),
        ("norms.rank0.csv", "events.rank0.csv"),
        ("norms.1.csv", "events.1.csv"),
        ("norms-2.csv", "norms-2.events.csv"),
        ("run.CSV", "run.events.CSV"),
        ("run.log", "run.log.events.csv"),
        ("normsx.csv", "normsx.events.csv"),
        ("norms", "events.csv"),
    ],
)
def test_the_name_beside_a_recording(recording: str, events: str) -> None:
    assert events_paths(Path("a") / recording)[0] == Path("a") / events


def test_a_line_for_each_event_with_its_fields(tmp_path: Path) -> None:
    session = run(tmp_path / "norms.csv", bad=(7,))
    rows = table(tmp_path / "events.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [tuple(row.values()) for row in rows] == [
        tuple(str(getattr(event, column)) for column in COLUMNS) for event in session.events
    ]
    assert (rows[0]["step"], rows[0]["kind"], rows[0]["where"]) == ("7", "nan", "1")


def test_names_can_neither_break_a_line_nor_be_a_formula_nor_steer_a_terminal(tmp_path: Path) -> None:
    file = EventsFile(tmp_path / "norms.csv", "keep", goes_on=False)
    name = '=HYPERLINK("x"),\n\x1b[2J'
    file.hear(Event(1, 0, "nan", f"{name} is NaN", 1, where=name, since=1, seen=2))
    file.close()
    (row,) = table(tmp_path / "events.csv")
    assert row["where"] == '\'=HYPERLINK("x"),\\n\\x1b[2J'
    assert row["text"] == f"{row['where']} is NaN"


def test_it_is_renamed_with_its_recording_to_the_same_number(tmp_path: Path) -> None:
    for bad in (1, 2, 3):
        run(tmp_path / "norms.csv", bad=(bad,))
    assert {path.name for path in tmp_path.iterdir()} == {
        *("norms.csv", "norms.1.csv", "norms.2.csv", "events.csv", "events.1.csv", "events.2.csv")
    }
    for name, bad in (("events.1.csv", 1), ("events.2.csv", 2), ("events.csv", 3)):
        assert table(tmp_path / name)[0]["step"] == str(bad)


def test_the_number_is_that_of_the_recording(tmp_path: Path) -> None:
    (tmp_path / "norms.7.csv").write_text("step,a\n0,1\n")
    for bad in (1, 2):
        run(tmp_path / "norms.csv", bad=(bad,))
    assert table(tmp_path / "events.8.csv")[0]["step"] == "1"
    assert len(gm.Recording.load(tmp_path / "norms.8.csv")) == 20


def test_a_number_whose_events_are_there_is_not_taken(tmp_path: Path) -> None:
    run(tmp_path / "norms.csv", bad=(1,))
    (tmp_path / "events.1.csv").write_text("diary")
    run(tmp_path / "norms.csv", bad=(2,))
    assert (tmp_path / "events.1.csv").read_text() == "diary"
    assert table(tmp_path / "events.2.csv")[0]["step"] == "1"
    assert len(gm.Recording.load(tmp_path / "norms.2.csv")) == 20


def test_events_whose_recording_has_gone_are_kept(tmp_path: Path) -> None:
    run(tmp_path / "norms.csv", bad=(1,))
    (tmp_path / "norms.csv").unlink()
    run(tmp_path / "norms.csv", bad=(2,))
    assert table(tmp_path / "events.1.csv")[0]["step"] == "1"


def test_append_continues_after_the_last_complete_line(tmp_path: Path) -> None:
    run(tmp_path / "norms.csv", bad=(1,))
    with (tmp_path / "events.csv").open("a") as file:
        file.write("19,onset,na")
    run(tmp_path / "norms.csv", bad=(2,), existing="append")
    assert [(row["kind"], row["step"]) for row in table(tmp_path / "events.csv") if row["phase"] == "onset"] == [
        *(("nan", "1"), ("finished", "19"), ("nan", "22"), ("finished", "39"))
    ]


def test_replace_replaces_both(tmp_path: Path) -> None:
    for bad in (1, 2):
        run(tmp_path / "norms.csv", bad=(bad,), existing="replace")
    assert {path.name for path in tmp_path.iterdir()} == {"norms.csv", "events.csv"}
    assert table(tmp_path / "events.csv")[0]["step"] == "2"


def test_an_empty_file_is_taken(tmp_path: Path) -> None:
    """As Ctrl-C leaves it between making the file and writing its first line."""
    (tmp_path / "events.csv").touch()
    run(tmp_path / "norms.csv", bad=(1,))
    assert {path.name for path in tmp_path.iterdir()} == {"norms.csv", "events.csv"}
    assert table(tmp_path / "events.csv")[0]["step"] == "1"


def test_a_file_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("mine")
    for bad in (1, 2):
        with pytest.warns(Notice, match=r"events\.csv is not gradmidi's: the events are in norms\.events\.csv"):
            run(tmp_path / "norms.csv", bad=(bad,))
    assert (tmp_path / "events.csv").read_text() == "mine"
    assert table(tmp_path / "norms.events.csv")[0]["step"] == "2"
    assert table(tmp_path / "norms.1.events.csv")[0]["step"] == "1"


@pytest.mark.parametrize("name", ["events.csv", "norms.csv"])
def test_it_is_not_taken_for_a_recording(name: str, tmp_path: Path) -> None:
    run(tmp_path / "norms.csv", bad=(1,))
    if name == "norms.csv":
        (tmp_path / "events.csv").rename(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} holds the events of a run, not its norms; give its recording"):
        gm.Recording.load(tmp_path / name)


def test_a_recording_that_goes_into_a_device_has_no_events_file(tmp_path: Path) -> None:
    before = set(Path("/dev").iterdir())
    assert run(Path("/dev/null"), bad=(1,)).events[0].kind == "nan"
    assert set(Path("/dev").iterdir()) == before


def test_a_full_disk_costs_the_events_file_only(tmp_path: Path) -> None:
    model, optimizer = still()
    with pytest.warns(TrainingWarning) as caught, listen(model, optimizer, path=tmp_path / "norms.csv") as session:
        (name, hear) = next(one for one in session.telling.receivers if "events.csv" in one[0])
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, hear.__self__._file.fileno())
        os.close(full)
        train(model, optimizer, 20, nan_at(3))
    assert any(f"{name} stopped, the training continues" in str(one.message) for one in caught)
    assert len(gm.Recording.load(tmp_path / "norms.csv")) == 20
    assert session.events[0].kind == "nan"


def test_no_half_line_is_left_by_a_full_disk(tmp_path: Path) -> None:
    """A limit on the size of files cuts a write as a full disk does."""
    code = """
import resource, signal, sys
from pathlib import Path
from gradmidi.events import Event
from gradmidi.session.events_file import EventsFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = EventsFile(Path(sys.argv[1]), "keep", goes_on=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
for step in range(3):
    try:
        file.hear(Event(step, 0, "nan", "NaN", step, where="x" * 60, since=step))
    except OSError as error:
        print(step, error.strerror or error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "norms.csv"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split()[0] == "1"
    text = (tmp_path / "events.csv").read_bytes()
    assert text.startswith(HEAD)
    assert text.endswith(b"\n")
    assert [row["step"] for row in table(tmp_path / "events.csv")] == ["0"]


@pytest.mark.slow
def test_kill_9_keeps_what_was_found(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from tests.session.test_told import nan_at, still, train
from gradmidi.session import listen
model, optimizer = still()
with listen(model, optimizer, path=sys.argv[1]):
    train(model, optimizer, 30, nan_at(25))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "norms.csv"], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert [(row["kind"], row["step"]) for row in table(tmp_path / "events.csv")] == [("nan", "25")]


def test_without_a_path_there_is_no_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer):
        model(torch.randn(3, 2)).sum().backward()
        optimizer.step()
    assert not list(tmp_path.iterdir())
