"""The row's arrays are the receiver's to keep: what was handed on does not change, however it is held."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from gradmidi.measure.probe import GradientProbe, StepNorms
from tests.measure.nets import small_net, train

STEPS = 12

KEEPING: dict[str, Callable[[StepNorms], object]] = {
    "the row": lambda row: row,
    "its array": lambda row: row.norms,
    "a part of the array": lambda row: row.norms[1:],
    "a tensor over the array": lambda row: torch.from_numpy(row.norms),
    "the array's memory": lambda row: row.norms.data,
    "an array in another shape": lambda row: row.norms.reshape(2, 1).T,
}


def last_norm(kept: object) -> float:
    norms = kept.norms if isinstance(kept, StepNorms) else kept
    return float(np.asarray(norms).ravel()[-1])


@pytest.mark.parametrize("how", KEEPING)
@pytest.mark.parametrize("wanted", [range(STEPS), range(0, STEPS, 3), [5], [0, 1, 7]])
def test_what_a_receiver_kept_stays_as_it_was(how: str, wanted: range | list[int]) -> None:
    kept: dict[int, object] = {}

    def receive(row: StepNorms) -> None:
        if row.step in wanted:
            kept[row.step] = KEEPING[how](row)

    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, receive):
        expected = train(model, optimizer, STEPS)
    assert list(kept) == list(wanted)
    got = [last_norm(one) for one in kept.values()]
    np.testing.assert_allclose(got, [expected[step][-1] for step in wanted], rtol=1e-6)


def test_a_row_kept_by_a_receiver_that_was_interrupted_stays_as_it_was() -> None:
    kept: list[StepNorms] = []

    def receive(row: StepNorms) -> None:
        kept.append(row)
        if row.step == 1:
            raise KeyboardInterrupt

    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with GradientProbe(model, optimizer, receive):
        train(model, optimizer, 1, seed=1)
        with pytest.raises(KeyboardInterrupt):
            train(model, optimizer, 1, seed=2)
        train(model, optimizer, 1, seed=3)
    expected = [train(model, optimizer, 1, seed)[0] for seed in (1, 2, 3)]  # nothing was learnt at rate 0
    np.testing.assert_allclose([row.norms for row in kept], expected, rtol=1e-6)


def test_a_row_that_nobody_kept_is_written_anew() -> None:
    places: list[int] = []
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, lambda row: places.append(row.norms.ctypes.data)):
        train(model, optimizer, STEPS)
    assert len(set(places)) == 1
