"""The architecture page tells what the code does: the picture of imports, the rooms, the walk of one norm."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from docs.imports import FACADES, GROUND, PICTURE, arrows, drawing, floors, imports, is_facade
from gradmidi.recording import Recording

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALK = PAGE.split("## The walk of one norm\n")[1].split("\n## ")[0].strip()
STATIONS = re.findall(r"`((?:\w+\.)+\w+)`", WALK)
ELSEWHERE = {"measure.meter.Meter.measure"}  # the way that the walk names, but does not take
# Called all the time, also before anything has come; or by others as well, such as the finder of events.
TURNING = {"outputs.live.player.schedule.Schedule.act", "recording.gathering.Gathering.append"}

# Notes the functions of gradmidi in the order in which each is called first; the child process flushes line by line.
TRACER = """
import sys, threading
heard = {}
def profile(frame, event, arg, out=open(OUT, "a", buffering=1)):
    if event == "call" and (name := frame.f_globals.get("__name__", "")).startswith("gradmidi."):
        place = name.removeprefix("gradmidi.") + "." + frame.f_code.co_qualname
        if place not in heard:
            heard[place] = None
            out.write(place + "\\n")
"""
TRAINING = """
import torch, gradmidi
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
options = dict(path="norms.csv", live="file:port.txt", pace="wait", tuning="12tet", unit="30ms", scale="chromatic")
options["sound"] = "post"
with gradmidi.listen(model, optimizer, **options):
    model(torch.randn(5, 4)).square().sum().backward()
    sys.setprofile(profile)
    optimizer.step()
    sys.setprofile(None)
print(*[layer.weight.grad.norm().item() for layer in model])
"""


def test_the_house_has_few_floors_and_no_circle():
    assert max(floors(arrows(imports())).values()) <= 11


def test_only_the_two_facades_lead_upward():
    found = imports()
    floor = floors(arrows(found))
    upward = {(one.module, one.needs) for one in found if floor[one.room] <= floor[one.needs]}
    assert upward == set(FACADES)
    assert all(is_facade(one) for one in found if (one.module, one.needs) in FACADES)


def test_no_file_of_the_ground_stands_on_a_room():
    assert not [one for one in imports() if one.room == GROUND]


def test_an_upward_arrow_and_a_circle_would_be_seen(tmp_path):
    for room, text in {
        "above": "def later():\n    from gradmidi import below\n",
        "below": "if TYPE_CHECKING:\n    from gradmidi import above\n",
    }.items():
        (tmp_path / f"{room}.py").write_text(text)
    assert floors(arrows(imports(tmp_path))) == {"above": 2, "below": 1}
    (tmp_path / "below.py").write_text("class Thing:\n    import gradmidi.above\n")
    with pytest.raises(ValueError, match="circle among above, below"):
        floors(arrows(imports(tmp_path)))


def test_the_picture_is_that_of_the_code():
    assert PICTURE.read_text(encoding="utf-8") == drawing(), "run: python docs/imports.py --write"


def test_the_table_names_every_room_from_the_top_down():
    floor = floors(arrows(imports()))
    named = [room for room in re.findall(r"^\| `([a-z/]+)`", PAGE, flags=re.MULTILINE) if "/" not in room]
    assert sorted(named) == sorted(floor)
    assert [floor[room] for room in named] == sorted((floor[room] for room in named), reverse=True)


def test_the_walk_is_short():
    assert len(WALK.splitlines()) < 25
    assert len(STATIONS) > 15


@pytest.mark.parametrize("station", STATIONS)
def test_each_station_exists(station):
    module, *rest = station.split(".")
    found = import_module("gradmidi." + module)
    for name in rest:
        found = getattr(found, name, None) or import_module(f"{found.__name__}.{name}")
    assert callable(found)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """A training of one step that wrote down which way it went, in both processes."""
    folder = tmp_path_factory.mktemp("walk")
    script, child = folder / "train.py", folder / "child"
    script.write_text(TRACER.replace("OUT", repr(str(folder / "training"))) + TRAINING)
    child.mkdir()
    traced = TRACER.replace("OUT", repr(str(folder / "player")))
    start = 'if "-m" in sys.orig_argv:\n    threading.setprofile(profile)\n    sys.setprofile(profile)\n'
    (child / "sitecustomize.py").write_text(traced + start)
    search = os.pathsep.join([str(child), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, [float(word) for word in done.stdout.split()]


def test_one_norm_passes_the_stations_in_order(walked):
    folder, _ = walked
    passed = [line for name in ("training", "player") for line in (folder / name).read_text().splitlines()]
    # A hook is made by the function that is named, and called later.
    places = [place.partition(".<locals>")[0] for place in passed]
    told = [station for station in STATIONS if station not in ELSEWHERE]
    assert not set(told) - set(places)
    in_order = [station for station in told if station not in TURNING]
    assert [place for place in dict.fromkeys(places) if place in in_order] == in_order


def test_the_norm_that_left_is_the_one_that_arrived(walked):
    folder, norms = walked
    recording = Recording.load(folder / "norms.csv")
    assert recording.norms[0].tolist() == pytest.approx(norms, rel=1e-6)
    messages = [bytes.fromhex(line.split(" ", 1)[1]) for line in (folder / "port.txt").read_text().splitlines()]
    keys = [data[1] for data in messages if data[0] & 0xF0 == 0x90 and data[2]]
    assert keys == [round(60 + 12 * math.log10(norm)) for norm in norms]  # a decade is an octave, norm 1 middle C
