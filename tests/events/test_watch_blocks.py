"""The watch finds the same whatever the size of the blocks in which the rows come."""

import numpy as np
import pytest

from gradmidi.events.watch import Watch
from gradmidi.recording import Recording

ROWS = 400
FIRST_STEP = 5000  # a run that is continued


@pytest.fixture
def plateau():
    """Nothing is learned: what says so begins a hundred steps before it is seen."""
    norms = np.tile([0.4, 1.8], (ROWS, 1))
    return Recording(("a", "b"), FIRST_STEP + np.arange(ROWS), norms, {"loss": np.ones(ROWS)})


@pytest.mark.parametrize("block", [1, 3, 67, 100, ROWS])
def test_what_began_long_ago_is_told_whatever_the_blocks(block, plateau):
    watch = Watch(plateau.layers)
    found = [event for first in range(0, ROWS, block) for event in watch.find(plateau.rows(first, first + block))]
    assert [(event.kind, event.since) for event in found] == [("plateau", FIRST_STEP + 200)]
