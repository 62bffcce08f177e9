"""An ending that promises something else than the CSV that is written is refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gradmidi.errors import InputError
from gradmidi.recording import Recording
from gradmidi.recording.csv_writer import RecordingWriter
from gradmidi.session import listen
from tests.measure.nets import small_net, train

REMEDY = {
    "x.mid": r"save_midi\(\"x\.mid\"\)",
    "x.MIDI": "save_midi",
    "x.wav": "render_wav",
    "x.png": "render x.csv --plot",
}
PLAIN = ["x.json", "x.tsv", "x.csv.gz", "x.pt", "x.npz"]


@pytest.mark.parametrize("name", [*REMEDY, *PLAIN])
def test_another_kind_of_file_is_refused_with_the_remedy(name: str, tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    said = rf"{name}: steps are appended as CSV; name it \.csv.*{REMEDY.get(name, '')}"
    with pytest.raises(InputError, match=said):
        listen(model, optimizer, path=tmp_path / "new" / name)
    with pytest.raises(InputError, match=said):
        RecordingWriter(tmp_path / "new" / name, ["a"])
    assert not optimizer._optimizer_step_pre_hooks
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x", "x.csv", "x.CSV", "x.txt", "norms.2026-11-03", "lr0.1"])
def test_any_name_of_one_s_own_is_taken(name: str, tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer, path=tmp_path / name):
        train(model, optimizer, 2)
    assert len(Recording.load(tmp_path / name)) == 2
