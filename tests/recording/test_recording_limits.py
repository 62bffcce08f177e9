"""Time and memory in proportion to a file, whatever is in it: a child process loads it, and its peak is measured."""

import io
import itertools
import json
import string
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gradmidi import compose
from gradmidi.recording import Recording

pytestmark = pytest.mark.slow

ALLOWED, PER_BYTE = 100e6, 20
SIZE = 8_000_000
COLUMNS = 100_000
SECONDS = 3.0  # of the processor, for loading so many columns

# The peak is that of this process alone (ru_maxrss of a child begins with its parent's), above what the imports take.
LOAD = """
import sys
import gradmidi.recording.csv_reader, gradmidi.recording.npz
from gradmidi.recording import Recording

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

before = peak()
try:
    Recording.load(sys.argv[1])
    said = "loaded"
except ValueError as error:
    said = f"{type(error).__name__}: {error}"
print(peak() - before, said)
"""


def names(count: int) -> list[str]:
    letters = string.ascii_lowercase + string.digits
    return ["".join(word) for word in itertools.islice(itertools.product(letters, repeat=4), count)]


def rows(columns: int, row: str) -> bytes:
    header = f"step,{','.join(names(columns))}\n"
    return (header + row * (SIZE // len(row))).encode()


def own(*lines: str) -> bytes:
    return "\n".join(("# format: gradmidi recording 1", *lines, "step,a", "0,1\n")).encode()


PAIRS = '#json: {"meta": [' + '["",""],' * 800_000 + '["", ""]]}'

# A file, and whether it is a recording; all else is refused in one line.
TABLES = {
    "cells without a number": (lambda: rows(1000, "0" + "," * 1000 + "\n"), True),
    "cells of one digit": (lambda: rows(1000, "0" + ",1" * 1000 + "\n"), True),
    "rows of one digit": (lambda: rows(1, "0,1\n"), True),
    "steps that no float holds": (lambda: rows(1, "9007199254740993,1\n"), True),
    "a row without end": (lambda: b"step,a\n0" + b"," * SIZE, False),
    "a number without end": (lambda: b"step,a\n0," + b"1" * SIZE, True),
    "a quoted cell without end": (lambda: b'step,a\n0,"' + b"x" * SIZE, False),
    "a header without end": (lambda: b"step" + b",a" * (SIZE // 2), False),
    "a header of all columns": (lambda: rows(450_000, "0" + ",1" * 450_000 + "\n"), True),
    "metadata without end": (lambda: b"".join(b"# %x: \n" % i for i in range(SIZE // 9)), False),
    "blank lines": (lambda: b"\n" * SIZE, False),
    "remarks between rows": (lambda: rows(1, "# resumed: 1\n") + b"0,1\n", True),
    "layers that are lists": (lambda: own(f"# layers: [{'[],' * 2_700_000}[]]"), False),
    "layers nested deeply": (lambda: own(f"# layers: {'[' * SIZE}"), False),
    "metadata in pairs": (lambda: own('# layers: ["a"]', PAIRS), True),
}


def head(layers: int, text: str | None = None) -> np.ndarray:
    described = {"format": "gradmidi recording 1", "layers": [f"a{i}" for i in range(layers)], "meta": {}}
    return np.array(text or json.dumps(described))


def claim(shape: tuple[int, ...], dtype: str) -> bytes:
    """An array's head that promises more than follows."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(800)


def archive(path: Path, compression: int, **members: np.ndarray | bytes) -> None:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            data = io.BytesIO()
            if isinstance(content, np.ndarray):
                np.save(data, content)
            file.writestr(f"{name}.npy", content if isinstance(content, bytes) else data.getvalue())


def arrays(rows: int, layers: int, dtype: str = "f8") -> dict[str, np.ndarray]:
    shape = (rows, layers)
    return {
        "head": head(layers),
        "steps": np.arange(rows),
        "norms": np.zeros(shape, dtype),
        "gaps": np.zeros(shape, "?"),
    }


DEFLATED, STORED = zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED
ARCHIVES = {
    "as saved": (STORED, lambda: arrays(10_000, 100), True),
    "small numbers": (STORED, lambda: arrays(80_000, 100, "i1"), True),
    "zeros in 1 MB": (DEFLATED, lambda: arrays(300_000, 100), False),
    "10**12 rows": (STORED, lambda: arrays(1, 1) | {"norms": claim((10**12, 1), "<f8")}, False),
    "10**12 rows of nothing": (STORED, lambda: arrays(1, 1) | {"head": claim((10**12,), "<U0")}, False),
    "10**30 rows": (STORED, lambda: arrays(1, 1) | {"steps": claim((10**30,), "<i8")}, False),
    "a text without end": (DEFLATED, lambda: {"head": head(0, "[" * 30_000_000)}, False),
    "a text of lists": (DEFLATED, lambda: {"head": head(0, '{"layers": [' + "[]," * 1_300_000 + "[]]}")}, False),
    "objects": (STORED, lambda: arrays(1, 1) | {"norms": claim((1, 1), "|O")}, False),
}  # fmt: skip


def peak_of(path: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", LOAD, path], capture_output=True, text=True, check=True, timeout=120)
    peak, said = done.stdout.strip().split(" ", 1)
    return int(peak), said


def check(path: Path, is_recording: bool) -> None:
    peak, said = peak_of(path)
    assert (said == "loaded") == is_recording, said
    assert "\n" not in said
    assert peak <= ALLOWED + PER_BYTE * path.stat().st_size


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_takes_memory_in_proportion(kind, tmp_path):
    make, is_recording = TABLES[kind]
    (tmp_path / "n.csv").write_bytes(make())
    check(tmp_path / "n.csv", is_recording)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_takes_memory_in_proportion(kind, tmp_path):
    compression, make, is_recording = ARCHIVES[kind]
    archive(tmp_path / "n.npz", compression, **make())
    check(tmp_path / "n.npz", is_recording)


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    """Recordings of very many columns: our own with and without odd names, a plain table and an archive."""
    folder, norms = tmp_path_factory.mktemp("wide"), np.random.default_rng(0).random((3, COLUMNS))
    norms[1, ::2] = np.nan
    layers = tuple(f"model.layers.{i // 10}.experts.{i % 10}" for i in range(COLUMNS))
    Recording(layers, range(3), norms).save(folder / "own.csv")
    Recording(tuple(f"a{' ' * (i % 7)}\n{i // 7}" for i in range(COLUMNS)), range(3), norms).save(folder / "odd.csv")
    Recording(layers, range(3), norms).save(folder / "own.npz")
    lines = [f"step,{','.join(layers)}", *(f"{i},{','.join(map(str, norms[i]))}" for i in range(3))]
    (folder / "plain.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("name", ["own.csv", "odd.csv", "own.npz", "plain.csv"])
def test_a_hundred_thousand_columns_load_within_seconds(name, wide):
    begin = time.process_time()
    assert Recording.load(wide / name).norms.shape == (3, COLUMNS)
    assert time.process_time() - begin < SECONDS


def test_a_hundred_thousand_layers_are_chosen_and_composed_within_seconds(wide):
    many = Recording.load(wide / "own.npz")
    begin = time.process_time()
    assert len(many.only(many.layers).layers) == COLUMNS
    assert len(many.only(["model.layers.7.*"]).layers) == 10
    assert len(repr(many)) < 1000
    assert len(compose(many)) > 0
    assert len(compose(many, duration=60.0)) > 0
    assert time.process_time() - begin < 2 * SECONDS
