"""Recording.load reads what ``gradmidi render`` reads, and our own files without the readers of other logs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradmidi import InputError, Recording

MLRUNS = Path(__file__).parents[1] / "logs" / "mlruns"
ROWS = [{"step": i, "loss": 2.0 - i, "grad_norm/conv": 1.5 + i, "grad_norm/fc": 2.5} for i in range(3)]


def write_csv(path: Path) -> None:
    lines = [",".join(ROWS[0]), *(",".join(map(str, row.values())) for row in ROWS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_lines(path: Path) -> None:
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")


def write_trainer(path: Path) -> None:
    path.mkdir()
    (path / "trainer_state.json").write_text(json.dumps({"global_step": 3, "log_history": ROWS}), encoding="utf-8")


@pytest.mark.parametrize("write", [write_csv, write_lines, write_trainer])
def test_a_log_of_another_tool(write, tmp_path):
    write(tmp_path / "log")
    loaded = Recording.load(tmp_path / "log")
    assert loaded.layers == ("conv", "fc")
    assert loaded.norms.tolist() == [[1.5, 2.5], [2.5, 2.5], [3.5, 2.5]]
    assert loaded.metrics["loss"].tolist() == [2, 1, 0]
    assert Recording.load(str(tmp_path / "log"), columns="*conv").norms.tolist() == [[1.5], [2.5], [3.5]]


def test_one_run_of_several():
    with pytest.raises(InputError, match="choose one with run"):
        Recording.load(MLRUNS)
    chosen = Recording.load(MLRUNS, run="calm*")
    assert chosen.layers == ("conv1", "fc1")
    assert str(chosen.norms.tolist()) == "[[1.5, 2.5], [0.75, 2.5], [0.5, nan], [0.375, 2.5], [nan, inf]]"


@pytest.mark.parametrize("name", ["norms.csv", "norms.npz"])
def test_layers_of_our_own_file(name, sick, tmp_path):
    sick.save(tmp_path / name)
    chosen = Recording.load(tmp_path / name, columns=["fc*"])
    assert chosen.layers == ("fc1", "fc2")
    assert np.array_equal(chosen.norms, sick.norms[:, 2:], equal_nan=True)
    with pytest.raises(InputError, match=r"norms\..*"):
        Recording.load(tmp_path / name, run="may-4")


@pytest.mark.parametrize("name", ["norms.csv", "norms.npz"])
def test_our_own_files_load_no_reader_of_other_logs(name, sick, tmp_path):
    """Nor pandas, whose import takes longer than reading a small file."""
    sick.save(tmp_path / name)
    script = (
        "import sys, gradmidi as gm\n"
        f"assert len(gm.Recording.load({str(tmp_path / name)!r})) == 201\n"
        "print([module for module in sys.modules if module.startswith(('gradmidi.logs', 'pandas'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_of_ours_with_a_byte_order_mark(sick, tmp_path):
    """As a spreadsheet saves it."""
    sick.save(tmp_path / "norms.csv")
    (tmp_path / "norms.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "norms.csv").read_bytes())
    assert Recording.load(tmp_path / "norms.csv").meta == sick.meta
