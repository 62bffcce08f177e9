"""Files that no recorder writes, damaged or made to do harm: one line that says what is wrong, never a traceback."""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording

OWN = "# format: gradmidi recording 1\n# layers: {}\n{}step,a\n0,1\n"
TABLES = [
    ("step,a\r0,1\r1,2\r", "line 1: a line ends with a bare carriage return"),
    ("step,a\n0,1\r1,2\r", "line 2: a line ends with a bare carriage return"),
    (f"step,{'a' * 200_000}\n0,1\n", "line 1: a cell is longer than 131,072 characters"),
    (f"step,a\n0,1\n1,{'1' * 200_000}x\n", "line 3: a cell is longer than 131,072 characters"),
    (OWN.format("[" * 100_000, ""), "'# layers:' is not a JSON list"),
    (OWN.format('["a"]', "#json: " + '{"a":' * 100_000 + "\n"), "'#json:' is damaged"),
    (OWN.format('["a"]', "#json: []\n"), "'#json:' is damaged"),
    (OWN.format('["a"]', '#json: {"layers": [1]}\n'), "'#json:' is damaged"),
    (OWN.format('["a"]', '#json: {"metrics": {"x": {}}}\n'), "'#json:' is damaged"),
    (OWN.format('["a"]', '#json: {"meta": [[[-1], "x"]]}\n'), "'#json:' is damaged"),
    (OWN.format('["a"]', '#json: {"layers": {"b": "a"}}\n'), "the column 'b' is missing"),
    (OWN.format('["a", "b"]', '#json: {"layers": {"a": "b"}}\n'), "share a column"),
    (OWN.format("5", ""), "'# layers:' is not a JSON list"),
    (OWN.format("{}", ""), "'# layers:' is not a JSON list"),
    (OWN.format('[{"a": 1}]', ""), "'# layers:' is not a JSON list"),
    (OWN.format("1" * 5000, ""), "'# layers:' is not a JSON list"),
    (OWN.format('["a", "a"]', ""), "'a' appears twice in the line '# layers:'"),
    (OWN.format("[]", ""), "no layer column"),
    (OWN.format('["a"]', "").replace("recording 1", "recording 9"), "written by a newer gradmidi"),
    ("step,a\n0,1\n1,0x\n", "line 3, column 'a': '0x' is not a number"),
    ("step;a\n0;1,2,3\n", "line 2, column 'a': '1,2,3' is not a number"),
]


@pytest.mark.parametrize(("text", "message"), TABLES)
def test_bad_tables_are_one_line(text, message, tmp_path):
    (tmp_path / "n.csv").write_bytes(text.encode())
    with pytest.raises(InputError) as caught:
        Recording.load(tmp_path / "n.csv")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def member(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def claim(shape: object, dtype: object, content: bytes = b"") -> bytes:
    """An array of a head with anything in it."""
    head = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + content


HEAD = {"format": "gradmidi recording 1", "layers": ["a"], "metrics": [["loss", "metric/loss"]], "meta": []}
WHOLE = {
    "head": member(np.array(json.dumps(HEAD))),
    "steps": member(np.arange(2)),
    "norms": member(np.ones((2, 1))),
    "gaps": member(np.zeros((2, 1), bool)),
    "metric/loss": member(np.ones(2)),
}


def described(**other: object) -> dict[str, bytes]:
    return {"head": member(np.array(json.dumps(HEAD | other)))}


MEMBERS = [
    {"head": member(np.array("x"))},
    {"head": member(np.array("[" * 100_000))},
    {"head": member(np.array("1" * 5000))},
    {"head": member(np.array("[]"))},
    {"head": member(np.array([json.dumps(HEAD)] * 2))},
    {"head": member(np.array(json.dumps(HEAD).encode()))},
    {"head": member(np.array(json.dumps(HEAD), dtype=object))},
    described(format="gradmidi recording 9"),
    described(format=None),
    described(layers=5),
    described(layers=[{}]),
    described(layers=["a", "a"]),
    described(layers=[]),
    described(layers=["a", "b"]),
    described(metrics=[["loss", "other"]]),
    described(metrics=5),
    described(metrics=[["loss"]]),
    described(meta=5),
    described(meta=[["a"]]),
    described(meta=[[[2**40], "x"]]),
    {"steps": member(np.array([0.5, 1.5]))},
    {"steps": member(np.array([0, 2**63], dtype=np.uint64))},
    {"steps": member(np.array(["0", "1"]))},
    {"steps": member(np.arange(3))},
    {"steps": member(np.arange(2).reshape(2, 1))},
    {"norms": member(np.ones((2, 1), complex))},
    {"norms": member(np.ones((2, 1), object))},
    {"norms": member(np.ones((2, 1), "U5"))},
    {"norms": member(np.ones((2, 1), [("a", "f8")]))},
    {"norms": member(np.zeros((2, 1), "M8[s]"))},
    {"norms": member(np.ones((1, 2)))},
    {"norms": member(np.float64(1))},
    {"norms": b""},
    {"norms": b"\x93NUMPY\x09\x00" + bytes(100)},
    {"norms": WHOLE["norms"][:-1]},
    {"norms": WHOLE["norms"] + b"x"},
    {"norms": claim((2, 1), "<f8", bytes(15))},
    {"norms": claim((2**70, 1), "<f8", bytes(16))},
    {"norms": claim((-2, 1), "<f8", bytes(16))},
    {"norms": claim((-2, -1), "<f8", bytes(16))},
    {"norms": claim((2.5, 1), "<f8", bytes(16))},
    {"norms": claim("ab", "<f8", bytes(16))},
    {"norms": b"\x93NUMPY\x01\x00" + struct.pack("<H", 40) + b"{'descr': '\\d', 'shape': (1if 1else 2,)  }"},
    {"norms": claim((2, 1), "(2,)f8", bytes(32))},
    {"norms": claim((2, 1), ["a"] * 500, bytes(16))},
    {"norms": claim((2, 1), "|O", b"cos\nsystem\n")},
    {"norms": claim((2, 1), "V0")},
    {"norms": b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000},
    {"norms": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"x"},
    {"gaps": member(np.zeros((2, 1)))},
    {"gaps": member(np.zeros((1, 2), bool))},
]


def write(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path.read_bytes()


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        Recording.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_members_are_a_recording(tmp_path):
    write(tmp_path / "n.npz", WHOLE)
    assert Recording.load(tmp_path / "n.npz").metrics["loss"].tolist() == [1, 1]


@pytest.mark.parametrize("changed", MEMBERS, ids=lambda members: ",".join(members))
def test_bad_archives_are_one_line(changed, tmp_path):
    write(tmp_path / "n.npz", WHOLE | changed)
    assert "n.npz" in refusal(tmp_path / "n.npz")


@pytest.mark.parametrize("name", ["head", "steps", "norms", "gaps"])
def test_an_archive_that_lacks_an_array(name, tmp_path):
    write(tmp_path / "n.npz", {key: content for key, content in WHOLE.items() if key != name})
    assert "not a recording that gradmidi wrote" in refusal(tmp_path / "n.npz")


# Fields of a zip's local head (at 0) and of its directory: flags say encrypted, methods are unknown, sizes are wrong.
FIELDS = [(6, 1), (8, 99), (8, 12), (8, 14), (14, 7), (18, 1), (22, 2**31), (26, 2**15)]


@pytest.mark.parametrize(("field", "value"), FIELDS)
@pytest.mark.parametrize("place", [b"PK\x03\x04", b"PK\x01\x02"])
def test_zips_that_are_encrypted_of_unknown_method_or_size(place, field, value, tmp_path):
    data = bytearray(write(tmp_path / "n.npz", WHOLE))
    at = data.index(place) + field + 2 * (place == b"PK\x01\x02")
    data[at : at + 2] = struct.pack("<H", value & 0xFFFF)
    (tmp_path / "n.npz").write_bytes(data)
    try:
        Recording.load(tmp_path / "n.npz")
    except InputError as error:
        assert "n.npz" in str(error)


def test_every_cut_of_an_archive(tmp_path):
    data = write(tmp_path / "n.npz", WHOLE)
    for end in range(0, len(data), 7):
        (tmp_path / "n.npz").write_bytes(data[:end])
        assert "n.npz" in refusal(tmp_path / "n.npz")
