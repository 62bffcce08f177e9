"""The tutorial runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"


def test_the_tutorial_runs_and_leaves_its_files(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    # The kernel is a process of its own: it has to find this gradmidi, and no font file of the person's.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TUTORIAL.parents[1]), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(TUTORIAL, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    client.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    names = {path.name for path in tmp_path.iterdir()}
    assert {"healthy.wav", "healthy.png", "broken.wav", "norms.csv", "run.mid", "sine.wav"} <= names
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "NaN in" in said
    assert "19-EDO" in said
