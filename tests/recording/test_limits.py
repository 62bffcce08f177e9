"""Where the recording draws a line: the last value that is accepted, and the first that is not."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording
from gradmidi.recording.columns import listed, whole_numbers
from gradmidi.recording.csv_reader import read_head
from gradmidi.recording.findings import findings_of, sentences
from gradmidi.recording.memory import RowStore
from gradmidi.recording.names import columns_of, head_text, text_of_json
from gradmidi.recording.row import Row

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
MIB_8 = 2**23


def head_line(length: int) -> Callable[[], object]:
    """The lines above a recording, the longest of which has that many bytes."""
    return lambda: head_text(["a"], [], {"k": "x" * (length - len("# k: "))})


def reading(line: bytes) -> Callable[[], object]:
    return lambda: read_head(io.BytesIO(line), "n.csv")


def meta(count: int) -> dict[str, str]:
    return {str(i): "" for i in range(count)}


ALLOWED: dict[str, Callable[[], object]] = {
    "metadata of 10,000 lines": lambda: head_text(["a"], [], meta(10_000)),
    "500,000 columns": lambda: head_text(list(map(str, range(499_999))), ["loss"], {}),
    "a line of 8 MiB": head_line(MIB_8),
    "reading a line of 8 MiB": reading(b"# " + b"x" * (MIB_8 - 3) + b"\nstep,a\n"),
    "reading 500,000 columns": reading(b"step" + b",a" * 499_999 + b"\n"),
    "reading 10,099 lines above the header": reading(b"#\n" * 10_099 + b"step,a\n"),
    "the largest step": lambda: whole_numbers([LARGEST, SMALLEST], "steps"),
    "the largest unsigned step": lambda: whole_numbers(np.array([LARGEST], dtype=np.uint64), "steps"),
    "the largest float below 64 bits": lambda: whole_numbers([2.0**63 - 1024, -(2.0**63)], "steps"),
    "the last code point": lambda: text_of_json([0, 0x10FFFF]),
}
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "metadata of 10,001 lines": (lambda: head_text(["a"], [], meta(10_001)), "500,000 layers and metrics and 10,000"),
    "500,001 columns": (lambda: head_text(list(map(str, range(500_000))), ["loss"], {}), "at most 500,000 layers"),
    "a line above 8 MiB": (head_line(MIB_8 + 1), "more than 8,388,608 bytes"),
    "reading a line above 8 MiB": (reading(b"# " + b"x" * (MIB_8 - 2) + b"\nstep,a\n"), "longer than 8,388,608 bytes"),
    "reading 500,001 columns": (reading(b"step" + b",a" * 500_000 + b"\n"), "more than 500,000 columns"),
    "reading 10,100 lines above the header": (reading(b"#\n" * 10_100 + b"step,a\n"), "among its first 10,100 lines"),
    "a step beyond 64 bits": (lambda: whole_numbers([LARGEST + 1], "steps"), "64 bits"),
    "a step below 64 bits": (lambda: whole_numbers([SMALLEST - 1], "steps"), "64 bits"),
    "an unsigned step beyond": (lambda: whole_numbers(np.array([2**63], dtype=np.uint64), "steps"), "is not one"),
    "a float beyond": (lambda: whole_numbers([2.0**63], "steps"), "is not one"),
    "a float below": (lambda: whole_numbers([-(2.0**63) - 2048], "steps"), "is not one"),
    "a date": (lambda: whole_numbers(np.array(["2026-11-25"], "datetime64[ns]"), "steps"), "not datetime64"),
    "words": (lambda: whole_numbers(np.array(["1"]), "steps"), "not <U1 of shape"),
    "two rows": (lambda: whole_numbers([[1], [2]], "steps"), r"not int64 of shape \(2, 1\)"),
    "a float between": (lambda: whole_numbers([0.5], "steps"), "0.5 is not one"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_the_last_that_is_allowed(name):
    ALLOWED[name]()


@pytest.mark.parametrize("name", REFUSED)
def test_the_first_that_is_refused(name):
    call, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize("number", [-1, 0x110000, 1.5])
def test_what_is_not_a_code_point(number):
    with pytest.raises(ValueError, match="not a code point"):
        text_of_json([number])


@pytest.mark.parametrize(("count", "end"), [(12, "n11"), (13, "n11 and 1 more"), (100, "n11 and 88 more")])
def test_a_dozen_names_are_listed(count, end):
    text = listed([f"n{i}" for i in range(count)])
    assert text.endswith(end)
    assert text.count(",") == 11


@pytest.mark.parametrize(("zeros", "found"), [(9, 0), (10, 1), (11, 1)])
def test_a_gradient_of_zero_is_found_when_it_lasts_ten_steps(zeros, found):
    norms = np.ones((20, 1))
    norms[20 - zeros :] = 0
    lines = sentences(findings_of(Recording.from_arrays(norms, ["fc"])))
    assert lines == (f"the gradient of fc is exactly 0 from step {20 - zeros} to the end",)[:found]


def test_a_layer_that_is_zero_throughout_is_dead_from_its_first_step():
    recording = Recording(("a", "b"), np.arange(5, 25), np.stack([np.zeros(20), np.ones(20)], axis=1))
    (finding,) = findings_of(recording)
    assert (finding.kind, finding.steps, finding.of, finding.layer, finding.first) == ("zero", 20, 20, "a", 5)


@pytest.mark.parametrize(
    ("layers", "metrics", "expected"),
    [
        (["loss"], ["loss"], ["loss (layer)"]),
        (["loss", "loss (layer)"], ["loss"], ["loss (layer 2)", "loss (layer)"]),
        (["step"], [], ["step (layer)"]),
        (["a\nb", "a b"], [], ["a b (layer)", "a b"]),
        (["a b", "a\nb", "a\tb", "a\rb"], [], ["a b", "a b (layer)", "a b (layer 2)", "a b (layer 3)"]),
        ([""], [], ["(layer)"]),
        (["", " "], [], ["(layer)", "(layer 2)"]),
    ],
)
def test_columns_of_names_that_clash(layers, metrics, expected):
    assert columns_of(layers, metrics).layers == expected


@pytest.mark.parametrize(("length", "whole"), [(200, True), (201, False)])
def test_a_column_has_at_most_200_characters(length, whole, tmp_path):
    name = "x" * length
    Recording((name,), [0], [[1.0]]).save(tmp_path / "n.csv")
    last = (tmp_path / "n.csv").read_text().splitlines()[-2]
    (_, column) = next(csv.reader([last]))
    assert (column == name) == whole
    assert len(column) <= 200
    assert Recording.load(tmp_path / "n.csv").layers == (name,)


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 511, 512, 513, 1025])
def test_memory_grows_with_the_rows(rows):
    store = RowStore(["a", "b"], ["loss"])
    for step in range(rows):
        gaps = np.array([False, step % 3 == 0])
        store.append(Row.of(step, [step + 0.5, 1.0], {"loss": step / 4} if step % 2 else {}, gaps))
        assert store.holds(step)
        assert not store.holds(step + 1)
    found = store.recording({})
    assert found.steps.tolist() == list(range(rows))
    assert found.norms[:, 0].tolist() == [step + 0.5 for step in range(rows)]
    assert found.gaps[:, 1].tolist() == [step % 3 == 0 for step in range(rows)]
    assert [value if value == value else None for value in found.metrics["loss"].tolist()] == [
        step / 4 if step % 2 else None for step in range(rows)
    ]


def test_nothing_is_held_at_first():
    assert not RowStore(["a"], []).holds(0)


@pytest.mark.parametrize(("factor", "layers"), [(1 + 0.9e-5, ("fc",)), (1 + 1.1e-5, ("rank0.fc", "rank1.fc"))])
def test_ranks_that_differ_by_a_hundred_thousandth_measured_the_same(factor, layers):
    one, other = (
        Recording(("fc",), [0, 1], [[1.0], [size]], {}, {"rank": str(i)}) for i, size in enumerate((3.0, 3.0 * factor))
    )
    assert Recording.join([other, one]).layers == layers


@pytest.mark.parametrize(("rank", "sorted_by_rank"), [("999999999", True), ("1000000000", False), ("-1", False)])
def test_ranks_of_up_to_nine_digits_are_ranks(rank, sorted_by_rank):
    parts = [Recording((name,), [0], [[1.0]], {}, {"rank": of}) for name, of in (("late", rank), ("early", "7"))]
    assert Recording.join(parts).layers == (("early", "late") if sorted_by_rank else ("late", "early"))


@pytest.mark.parametrize("last", [LARGEST - 2, LARGEST - 3])
def test_renumbered_steps_stay_within_64_bits(last):
    parts = [Recording(("a",), [last], [[1.0]]), Recording(("a",), [0, 1], [[1.0], [1.0]])]
    assert Recording.concat(parts, renumber=True).steps.tolist() == [last, last + 1, last + 2]


@pytest.mark.parametrize(
    ("one", "two"), [([LARGEST - 1], [0, 1]), ([LARGEST], [0]), ([LARGEST], [SMALLEST]), ([0], [SMALLEST])]
)
def test_renumbered_steps_beyond_64_bits_are_refused(one, two):
    parts = [Recording(("a",), steps, np.ones((len(steps), 1))) for steps in (one, two)]
    with pytest.raises(InputError, match="the steps would be beyond 64 bits"):
        Recording.concat(parts, renumber=True)


@pytest.mark.parametrize(
    ("second", "advice"), [([6, 7], r", or cut the other with between\(None, 5\)$"), ([5, 7], "renumber=True$")]
)
def test_a_recording_that_begins_within_the_one_before_it(second, advice):
    """It can only be cut where something is left of it."""
    parts = [Recording(("a",), steps, np.ones((len(steps), 1))) for steps in ([5, 6, 7], second)]
    said = f"recording 2 begins at step {second[0]}, but recording 1 ends at step 7; .*{advice}"
    with pytest.raises(InputError, match=said):
        Recording.concat(parts)


def test_an_archive_may_take_32_mib_and_eight_times_its_size(tmp_path):
    """Each number takes eight bytes in memory however it is stored, a gap one, and the text at the top 32 a letter."""
    rows, path = 1_997_168, tmp_path / "n.npz"
    head = '{"format": "gradmidi recording 1", "layers": ["a"], "metrics": [], "meta": {}}'
    arrays = {
        "head": np.array(head),
        "steps": np.zeros(rows, "<i4"),
        "norms": np.zeros((rows, 1), "<i1"),
        "gaps": np.zeros((rows, 1), "?"),
    }
    np.savez_compressed(path, **arrays)
    takes = 32 * len(head) + 17 * rows
    size = (takes - 2**25) // 8
    assert takes % 8 == 0
    padding = size - path.stat().st_size
    for comment, fits in ((padding, True), (padding - 1, False)):
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = b"x" * comment
        assert path.stat().st_size == (size if fits else size - 1)
        if fits:
            assert len(Recording.load(path)) == rows
        else:
            with pytest.raises(InputError, match="its arrays would take more than 34 MB"):
                Recording.load(path)


@pytest.mark.parametrize("written", ["", "gradmidi recording", "gradmidi recording 0", "gradmidi recording 2", "other"])
def test_an_archive_of_another_format_is_refused(written, tmp_path):
    Recording(("a",), [0], [[1.0]]).save(tmp_path / "n.npz")
    with np.load(tmp_path / "n.npz") as archive:
        arrays = dict(archive)
    head = json.loads(str(arrays.pop("head")))
    assert head["format"] == "gradmidi recording 1"
    np.savez(tmp_path / "n.npz", head=np.array(json.dumps({**head, "format": written})), **arrays)
    with pytest.raises(InputError, match="is not a recording that gradmidi wrote"):
        Recording.load(tmp_path / "n.npz")


def test_a_range_of_one_step_is_a_range():
    assert Recording.from_arrays(np.ones((3, 1))).between(1, 1).steps.tolist() == [1]


@pytest.mark.parametrize(("length", "own"), [(1000, True), (1001, False)])
def test_names_of_metrics_that_an_archive_takes_as_they_are(length, own, tmp_path):
    name = "m" * length
    Recording(("a",), [0], [[1.0]], {name: [2.0]}).save(tmp_path / "n.npz")
    assert Recording.load(tmp_path / "n.npz").metrics[name].tolist() == [2.0]
    with zipfile.ZipFile(tmp_path / "n.npz") as archive:
        assert (f"metric/{name}.npy" in archive.namelist()) == own
