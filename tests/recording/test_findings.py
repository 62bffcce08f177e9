"""What was wrong with a run: counted row by row, in blocks and at once, with the same result."""

from __future__ import annotations

import numpy as np
import pytest

from gradmidi.recording import Recording
from gradmidi.recording.findings import BLOCK, DEAD_STEPS, Tally, findings_of, sentences
from gradmidi.recording.row import Row

NAN, INF = float("nan"), float("inf")


def table(steps: int) -> np.ndarray:
    return np.full((steps, 3), 0.5)


def test_nan_is_counted_in_steps_and_named_where_it_began() -> None:
    norms = table(300)
    norms[6::2, 1] = NAN
    norms[8::2, 0] = NAN
    (finding,) = findings_of(Recording.from_arrays(norms, ["conv1", "conv2", "fc"]))
    assert str(finding) == "NaN in 147 of 300 steps, first in conv2 at step 6"
    assert (finding.kind, finding.steps, finding.of, finding.layer, finding.first) == ("nan", 147, 300, "conv2", 6)


def test_a_gap_is_silence_and_no_nan() -> None:
    norms = table(20)
    norms[:, 1] = NAN
    rec = Recording(("a", "b", "c"), np.arange(20), norms, gaps=np.isnan(norms))
    assert findings_of(rec) == ()


def test_a_layer_that_ends_at_exactly_zero_is_named_a_passing_zero_is_not() -> None:
    norms = table(60)
    norms[3:20, 0] = 0
    norms[50:, 2] = 0
    assert sentences(findings_of(Recording.from_arrays(norms))) == (
        "the gradient of layer3 is exactly 0 from step 50 to the end",
    )
    norms[51:, 2] = 0.5
    norms[-(DEAD_STEPS - 1) :, 0] = 0
    assert findings_of(Recording.from_arrays(norms)) == ()


def test_several_dead_layers_are_one_sentence() -> None:
    norms = table(60)
    norms[40:, 0] = norms[30:, 1] = 0
    (line,) = sentences(findings_of(Recording.from_arrays(norms)))
    assert line == "the gradients of 2 layers are exactly 0 at the end, first in layer2 from step 30"


@pytest.mark.parametrize("seed", range(20))
def test_row_by_row_gives_what_the_whole_recording_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 3 * BLOCK))
    norms = rng.choice([0.0, 0.0, 0.5, NAN, INF], size=(rows, 3), p=[0.45, 0.45, 0.08, 0.01, 0.01])
    norms[rows // 2 :, 1] = 0
    gaps = rng.random(norms.shape) < 0.01
    norms[gaps] = NAN
    rec = Recording(("a", "b", "c"), np.arange(rows) * 7, norms, gaps=gaps)
    tally = Tally(rec.layers)
    for i in range(rows):
        tally.append(Row.of(int(rec.steps[i]), norms[i], {}, gaps[i] if gaps[i].any() else None))
        if rng.random() < 0.005:
            tally.findings()  # asked in the middle
    assert tally.findings() == findings_of(rec)
    assert tally.steps == rows
    # The oracle for zeros, counted from the end by hand.
    for finding in tally.findings():
        if finding.kind == "zero":
            column = norms[:, "abc".index(finding.layer)]
            run = next((i for i, value in enumerate(column[::-1]) if value != 0), rows)
            assert (finding.steps, finding.first) == (run, (rows - run) * 7)
