"""Pictures: whatever the names, the numbers and the settings of others, they are whole and can be read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from functools import partial
from xml.etree import ElementTree

import numpy as np
import pytest

from gradmidi.composition import compose
from gradmidi.errors import InputError
from gradmidi.outputs.picture import parse_size, save_picture
from gradmidi.outputs.picture.pitch_axis import APART, limits, marks, pitch_labels
from gradmidi.outputs.picture.roll import Style, bars, legend_names
from gradmidi.outputs.picture.trouble import there_is
from gradmidi.recording import Recording

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

TEXT = "{http://www.w3.org/2000/svg}text"


def texts_of(path) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.parse(path).iter(TEXT)]


def drawn(recording: Recording, path, **options) -> list[str]:
    """The texts of its picture, an .svg."""
    save_picture(compose(recording, **options), recording, path)
    return texts_of(path)


def size_of(png) -> tuple[int, int]:
    head = png.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


HOSTILE_TITLES = [
    "$x^{$",
    r"$\frac{1}{2}$",
    r"\N{no such name}",
    "a\x00b\x1b[31m\u202eevil",
    "\ud800",
    "_hidden",
    "<&>'\"",
    "",
]


@pytest.mark.slow
@pytest.mark.parametrize("title", HOSTILE_TITLES)
def test_a_title_or_name_is_text_and_nothing_else(title, tmp_path):
    from gradmidi.printable import printable

    recording = Recording(
        (title or "layer", "fc"), np.arange(3), np.ones((3, 2)), {"loss": np.ones(3)}, {"title": title}
    )
    found = drawn(recording, tmp_path / "a.svg", title=title)
    if title:
        assert found.count(printable(title)) == 2, "as the title and in the legend"
    for ending in ("png", "pdf"):
        save_picture(compose(recording, title=title), recording, tmp_path / f"a.{ending}")


def test_a_title_of_a_megabyte_is_cut(tmp_path):
    recording = Recording(("x" * 1_000_000, "y"), np.arange(3), np.ones((3, 2)))
    found = drawn(recording, tmp_path / "a.svg", title="t" * 1_000_000)
    assert max(map(len, found)) < 200
    assert (tmp_path / "a.svg").stat().st_size < 200_000


ELSEWHERE = """
import sys
{before}
from gradmidi.composition import compose
from gradmidi.outputs.picture import save_picture
from gradmidi.recording import Recording
recording = Recording.from_arrays([[1.0, 2.0], [3.0, 4.0]], ["$x^{{$", "層"], loss=[1.0, 2.0])
save_picture(compose(recording, title="$x^{{$"), recording, sys.argv[1])
assert "matplotlib.pyplot" not in sys.modules or {pyplot}
{after}
"""
BEFORE = """
import matplotlib.pyplot as plt, matplotlib
matplotlib.rcParams.update({"text.usetex": True, "savefig.dpi": 10, "font.size": 40, "axes.facecolor": "black"})
plt.switch_backend("agg")
"""
AFTER = """
assert matplotlib.rcParams["text.usetex"] and matplotlib.rcParams["font.size"] == 40 and plt.get_fignums() == []
"""


def picture_elsewhere(path, before="", after="", **environment) -> bytes:
    code = ELSEWHERE.format(before=before, after=after, pyplot=bool(before))
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=path.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return path.read_bytes()


@pytest.mark.slow
def test_settings_of_others_change_nothing_and_nothing_is_said(tmp_path):
    plain = picture_elsewhere(tmp_path / "plain.png")
    for backend in ("nonsense", "module://matplotlib_inline.backend_inline", "module://no.such", "TkAgg"):
        assert picture_elsewhere(tmp_path / "a.png", MPLBACKEND=backend) == plain, backend
    assert picture_elsewhere(tmp_path / "a.png", before=BEFORE, after=AFTER) == plain
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\nfont.family: no such font\nnonsense: 3\naxes.grid: what\n"
    )
    assert picture_elsewhere(tmp_path / "a.png", MPLCONFIGDIR="/dev/null/nowhere") == plain


def test_what_a_notebook_says_about_its_backend_still_holds_afterwards(tmp_path):
    after = "import matplotlib; assert matplotlib.rcParams['backend'].lower() == 'svg', matplotlib.rcParams['backend']"
    picture_elsewhere(tmp_path / "a.png", after=after, MPLBACKEND="svg")


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_picture_is_the_same_file(ending, healthy, tmp_path):
    for name in ("a", "b"):
        save_picture(compose(healthy), healthy, tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_pdf_holds_its_text(healthy, tmp_path):
    save_picture(compose(healthy), healthy, tmp_path / "a.pdf")
    data = (tmp_path / "a.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    streams = re.findall(rb"FlateDecode.*?stream\r?\n(.*?)endstream", data, re.S)
    assert any(b"BT" in zlib.decompressobj().decompress(stream) for stream in streams), "text that can be selected"


@pytest.mark.parametrize(
    ("text", "size"),
    [("1600x900", (1600, 900)), (" 800 X 600 ", (800, 600)), ("400×3777", (400, 3777)), ("641x479", (641, 479))],
)
def test_sizes(text, size, healthy, tmp_path):
    assert parse_size(text) == size
    save_picture(compose(healthy), healthy, tmp_path / "a.png", size)
    assert size_of(tmp_path / "a.png") == size


@pytest.mark.parametrize(
    "text",
    ["1600", "x900", "1600x", "0x0", "1600x900x3", "-5x500", "1e3x500", "9" * 5000 + "x500", "399x500", "8001x500"],
)
def test_sizes_that_are_none(text):
    with pytest.raises(InputError, match=r"(?s)such as 1600x900|each side can have 400 to 8,000 pixels"):
        parse_size(text)


def test_the_size_is_an_option_of_the_commands(healthy, run_cli, tmp_path):
    healthy.save(tmp_path / "n.csv")
    run_cli("render", "n.csv", "--plot", "a.png", "--plot-size", "640x480", check=True)
    assert size_of(tmp_path / "a.png") == (640, 480)
    done = run_cli("render", "n.csv", "--plot", "b.png", "--plot-size", "big")
    assert done.returncode == 2
    assert done.stderr == (
        "gradmidi render: --plot-size: 'big' is not a size; give width and height in pixels, such as 1600x900\n"
    )


# --- the axis of pitch ---


def diverging() -> Recording:
    norms = np.geomspace(0.01, 1e30, 60)[:, np.newaxis] * [1.0, 1.3, 1.7, 2.1]
    return Recording.from_arrays(norms, loss=np.geomspace(1, 1e300, 60))


@pytest.mark.parametrize("options", [{"mapping": "post"}, {"mapping": "post", "scale": None}, {}, {"scale": "31edo"}])
@pytest.mark.parametrize("height", [60.0, 300.0, 1500.0])
def test_labels_of_pitch_keep_apart(options, height):
    score = compose(diverging(), **options)
    low, high = limits(score)
    labels = pitch_labels(score, height)
    places = np.log2(np.array(list(labels)) / low) / np.log2(high / low) * height
    assert len(places) >= 2 or height < 100
    assert (np.diff(places) >= APART - 1e-6).all()


def test_tones_that_sound_most_are_marked_first():
    sounding = np.repeat([261.6, 262.0, 440.0], [1, 50, 20])
    assert marks(sounding, 200.0, 500.0, 300.0).tolist() == [262.0, 440.0]


def test_a_norm_of_zero_lies_below_all_tones_on_a_line_of_its_own():
    """Its knock has a pitch by which a layer is told; drawn there it would look like a norm."""
    norms = np.exp(np.random.default_rng(0).normal(0, 0.5, (200, 3)))
    norms[100:150, 1] = 0.0
    score = compose(Recording.from_arrays(norms), sound="debug")
    figure = score.plot(size=(1200, 700))
    (roll,) = [axes for axes in figure.axes if axes.get_ylabel().startswith("pitch")]
    (zero,) = [
        hz for hz, label in zip(roll.get_yticks(), roll.get_yticklabels(), strict=True) if label.get_text() == "zero"
    ]
    drawn = [segment for lines in roll.collections for segment in lines.get_segments()]
    at_zero = [segment for segment in drawn if segment[0, 1] == pytest.approx(zero)]
    seconds = sum(segment[1, 0] - segment[0, 0] for segment in at_zero)
    assert seconds >= 50 * 0.05  # s, a note per step
    assert all(100 <= segment[0, 0] / score.step_length < 150 for segment in at_zero)
    assert min(segment[0, 1] for segment in drawn if segment[0, 1] != pytest.approx(zero)) > 1.1 * zero
    assert roll.get_ylim()[0] < zero


# --- voices ---


def test_fifteen_voices_look_different():
    assert len({Style.of(index) for index in range(15)}) == 15


def test_names_in_the_legend_are_short_and_different():
    def names(*layers: str) -> list[str]:
        return legend_names(compose(Recording.from_arrays(np.ones((1, len(layers))), layers)))

    long = [f"base_model.model.encoder.layer.{i}.attention.output.dense" for i in range(12)]
    assert names(*long) == [f"…{i}.attention.output.dense" for i in range(12)]
    assert names("conv1", "fc") == ["conv1", "fc"]
    alike = [f"{'a' * 300}{i}{'b' * 300}" for i in range(3)]
    assert len(set(names(*alike))) == 3
    assert max(map(len, names(*alike))) < 45
    assert len(set(names("x.y" * 20, "x.y" * 20 + ".z"))) == 2


def test_notes_of_one_tone_that_touch_are_one_bar():
    onset = np.array([0.0, 1.0, 1.5, 3.0, 0.5])
    end = np.array([1.0, 2.5, 2.0, 4.0, 0.75])
    hertz = np.array([220.0, 220.0, 220.0, 220.0, 440.0])
    assert bars(onset, end, hertz).tolist() == [
        [[0.0, 220.0], [2.5, 220.0]],
        [[3.0, 220.0], [4.0, 220.0]],
        [[0.5, 440.0], [0.75, 440.0]],
    ]
    assert bars(np.empty(0), np.empty(0), np.empty(0)).shape == (0, 2, 2)


def test_a_long_recording_is_a_small_picture(tmp_path):
    rng = np.random.default_rng(0)
    recording = Recording.from_arrays(np.exp(rng.normal(0, 0.3, (20_000, 4))), loss=rng.random(20_000))
    save_picture(compose(recording), recording, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size < 2_000_000


# --- what went wrong ---


def nan_run(steps: int, start: int) -> Recording:
    norms = np.ones((steps, 2))
    norms[start:] = np.nan
    return Recording.from_arrays(norms, ["conv1", "fc"])


def test_a_long_stretch_of_nan_is_one_bar_with_a_count(tmp_path):
    score = compose(nan_run(1000, 207))
    there = there_is(score, "nan")
    step = score.length / 1000
    np.testing.assert_allclose([there.starts, there.ends], [[207 * step], [1000 * step]])
    found = drawn(nan_run(1000, 207), tmp_path / "a.svg")
    assert "NaN in conv1 and 1 more layer at step 207; in 793 steps" in found
    assert (tmp_path / "a.svg").read_text().count("<use") < 100


def test_with_earcons_a_stretch_is_one_bar_from_its_onset_to_its_end():
    """Reminders every ten seconds are no stretches of their own."""
    recording = nan_run(1000, 207)
    norms = recording.norms.copy()
    norms[600:] = 1.0
    score = compose(Recording.from_arrays(norms), sound="debug")
    there = there_is(score, "nan")
    ended = score.marks.of("nan-recovered").time
    assert score.marks.of("nan-recovered").step[0] == 649  # after 50 quiet steps
    np.testing.assert_allclose([there.starts, there.ends], [[207 * score.step_length], [ended[0]]])


def test_single_steps_and_stretches_keep_apart():
    norms = np.ones((100, 1))
    norms[[10, 50, 51, 52, 99]] = np.inf
    score = compose(Recording.from_arrays(norms))
    there = there_is(score, "inf")
    step = score.length / 100
    np.testing.assert_allclose(there.starts / step, [10, 50, 99])
    np.testing.assert_allclose(there.ends / step, [11, 53, 100])


def test_a_time_lapse_counts_the_steps_of_the_run(tmp_path):
    assert "NaN in conv1 and 1 more layer at step 207; in 793 steps" in drawn(
        nan_run(1000, 207), tmp_path / "a.svg", duration=20.0
    )


@pytest.mark.parametrize(
    "norms",
    [np.full((5, 2), np.nan), np.zeros((5, 2)), np.ones((1, 1)), np.full((3, 40), 1e300), np.full((3, 2), 5e-324)],
)
@pytest.mark.parametrize("mapping", ["log", "post", "adaptive", "rank"])
def test_strange_runs_have_a_picture_too(norms, mapping, tmp_path):
    recording = Recording.from_arrays(norms, loss=np.full(len(norms), np.inf))
    drawn(recording, tmp_path / "a.svg", mapping=mapping)


@pytest.mark.parametrize("size", [(400, 400), (8000, 400), (400, 2000)])
def test_sizes_that_leave_little_room(size, sick, tmp_path):
    save_picture(compose(sick), sick, tmp_path / "a.png", size)
    assert size_of(tmp_path / "a.png") == size
