"""The bytes of one .mid, written down: a change of any of them is a change of what everybody's files hold."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gradmidi.composition import compose
from gradmidi.recording import Recording

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("tuning", ["12tet", "bend", "mts"])
def test_the_bytes_of_a_mid(tuning, tmp_path):
    """Two layers, six steps with NaN, Inf, a zero and a gap, an epoch and losses, on 19 tones to the octave."""
    norms = np.array([[0.5, 2.0], [1.0, 1.0], [np.nan, 4.0], [0.0, np.inf], [8.0, np.nan], [1.0, 1.0]])
    gaps = np.zeros((6, 2), dtype=bool)
    gaps[4, 1] = True
    metrics = {"epoch": np.array([1.0, 1, 1, 2, 2, 2]), "loss": np.array([2.5, 2.0, 1.5, 1.25, 1.0, 0.5])}
    recording = Recording(("conv1", "fc"), np.arange(6), norms, metrics, {"title": "golden"}, gaps)
    compose(recording, scale="19edo").save_midi(tmp_path / "golden.mid", tuning=tuning)
    written = (GOLDEN / f"{tuning}.mid.hex").read_text()
    assert (tmp_path / "golden.mid").read_bytes().hex(" ") == " ".join(written.split())
