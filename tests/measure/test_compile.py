"""torch.compile around the model, and around the optimizer's step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradmidi.measure.probe import GradientProbe
from tests.measure.nets import small_net, train

pytestmark = pytest.mark.slow


def test_a_compiled_model_keeps_its_names_and_norms() -> None:
    model, rows = small_net(), []
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(compiled, optimizer, rows.append) as probe:
        expected = train(compiled, optimizer, 3)
    assert probe.layers == ("0", "2")
    np.testing.assert_allclose([row.norms for row in rows], expected, rtol=1e-6)


def test_a_compiled_step_is_measured_between_graphs() -> None:
    model, rows = small_net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, rows.append):
        own_step = optimizer.step
        optimizer.step = torch.compile(own_step, backend="aot_eager")
        expected = train(model, optimizer, 3)
    np.testing.assert_allclose([row.norms for row in rows], expected, rtol=1e-6)


def test_a_step_in_one_graph_is_refused_with_the_reason() -> None:
    """Nothing of ours may be compiled into the training: whether it could be depends on the version of torch."""
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientProbe(model, optimizer, lambda row: None):
        train(model, optimizer, 1)
        (hook,) = optimizer._optimizer_step_pre_hooks.values()
        with pytest.raises(torch._dynamo.exc.Unsupported, match="runs between graphs"):
            torch.compile(lambda: hook(optimizer, (optimizer,), {}), backend="eager", fullgraph=True)()
