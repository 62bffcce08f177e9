"""listen: recording in memory and to a file, losses, and outputs that fail."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from gradmidi.errors import InputError, TrainingWarning
from gradmidi.recording import Recording
from gradmidi.recording.row import Row, RowList
from gradmidi.session import Session, listen
from tests.measure.nets import small_net, train


def listened(steps: int = 5, **options: object) -> tuple[Session, list[list[float]]]:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer, **options) as session:
        return session, train(model, optimizer, steps, loss=session.loss)


def test_memory_and_file_hold_the_same_recording(tmp_path: Path) -> None:
    in_memory, expected = listened()
    on_disk, _ = listened(path=tmp_path / "norms.csv", meta={"seed": 1})
    np.testing.assert_allclose(in_memory.recording.norms, expected, rtol=1e-6)
    np.testing.assert_array_equal(in_memory.recording.norms, on_disk.recording.norms)
    np.testing.assert_array_equal(in_memory.recording.metrics["loss"], on_disk.recording.metrics["loss"])
    assert on_disk.recording.meta["seed"] == "1"


def test_more_rows_than_the_first_arrays_hold() -> None:
    session, expected = listened(steps=600)
    assert session.recording.steps.tolist() == list(range(600))
    np.testing.assert_allclose(session.recording.norms, expected, rtol=1e-6)


def test_the_loss_goes_with_its_step_and_the_epoch_goes_on() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer) as session:
        session.log(epoch=1)
        train(model, optimizer, 1, loss=lambda value: session.loss(value * 0 + 7.5))
        train(model, optimizer, 1)
    assert session.recording.metrics["epoch"].tolist() == [1, 1]
    np.testing.assert_array_equal(session.recording.metrics["loss"], [7.5, np.nan])


def test_an_epoch_begins_with_its_first_step_though_rows_before_it_arrive_later() -> None:
    """As on CUDA, where a row is handed over some steps after it was measured."""
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer) as session:
        receive, on_their_way = session._delivery.receive, []
        session._probe._meter.on_step = on_their_way.append
        session._probe.detach()
        session._probe.attach()  # the quick hook holds its receiver
        for epoch in (1, 2):
            session.log(epoch=epoch)
            train(model, optimizer, 2)
        for row in on_their_way:
            receive(row)
    assert session.recording.metrics["epoch"].tolist() == [1, 1, 2, 2]


def test_a_file_that_fails_midway_warns_once_and_the_training_ends_as_without(tmp_path: Path) -> None:
    model, plain = small_net(), small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(plain, torch.optim.SGD(plain.parameters(), lr=0.1), 4)
    session = listen(model, optimizer, path=tmp_path / "norms.csv")
    session._closers[0](True)  # what a vanished disk looks like: writing raises
    with pytest.warns(TrainingWarning, match=r"norms\.csv stopped") as caught:
        train(model, optimizer, 4)
    session.detach()
    assert len(caught) == 1
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))


def test_an_output_that_fails_leaves_the_others_alone() -> None:
    class Broken:
        def append(self, row: Row, /) -> None:
            raise OSError("the port is gone")

    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(TrainingWarning, match="the port is gone") as caught, listen(model, optimizer) as session:
        session.add(Broken(), "live sound")
        train(model, optimizer, 3)
    assert len(caught) == 1
    assert len(session.recording) == 3


@pytest.mark.parametrize("bad", [{"path": "/proc/nowhere/x.csv"}, {"layers": "nothing"}, {"scale": "?", "live": "x"}])
def test_a_bad_argument_leaves_no_hook(bad: dict[str, str]) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InputError):
        listen(model, optimizer, **bad)
    assert not optimizer._optimizer_step_pre_hooks


def test_a_model_that_raises_leaves_no_hook_and_keeps_the_rows(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError), listen(model, optimizer, path=tmp_path / "norms.csv"):
        train(model, optimizer, 3)
        raise ZeroDivisionError
    assert not optimizer._optimizer_step_pre_hooks
    assert len(Recording.load(tmp_path / "norms.csv")) == 3


def test_detached_and_attached_again_it_goes_on_in_memory() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    session = listen(model, optimizer)
    train(model, optimizer, 2)
    session.detach()
    train(model, optimizer, 3)
    session.attach()
    train(model, optimizer, 1)
    session.detach()
    assert session.recording.steps.tolist() == [0, 1, 2]


def test_the_module_loads_without_torch() -> None:
    code = "import sys, gradmidi.session; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_live_sound_beside_the_recording(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    target = tmp_path / "live.mid"
    session = listen(model, optimizer, live=f"file:{target}", scale="D dorian", live_options={"pace": "wait"})
    train(model, optimizer, 3)
    session.detach()
    assert len(session.recording) == 3
    assert target.stat().st_size > 0


def test_a_mistyped_option_is_told() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InputError, match="skale"):
        listen(model, optimizer, skale="D dorian")
    assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize("live", [None, "file:live.txt"])
def test_a_mistyped_scale_is_told_without_live_sound_too_and_no_file_is_left(live: str | None, tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InputError, match="dorain"):
        listen(model, optimizer, path=tmp_path / "norms.csv", live=live, scale="D dorain")
    assert not optimizer._optimizer_step_pre_hooks
    assert not any(tmp_path.iterdir())


def test_an_archive_cannot_be_appended_to_and_is_refused_at_once(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InputError, match=r"norms\.npz: steps are appended as CSV; name it \.csv"):
        listen(model, optimizer, path=tmp_path / "norms.npz")
    assert not optimizer._optimizer_step_pre_hooks
    assert not any(tmp_path.iterdir())


def test_late_numbers_go_to_the_step_before_them(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer, late=True, path=tmp_path / "norms.csv") as session:
        for step in range(3):
            train(model, optimizer, 1)
            if step != 1:
                session.log(loss=float(step))
    np.testing.assert_array_equal(session.recording.metrics["loss"], [0.0, np.nan, 2.0])


def test_memory_stays_flat_with_a_path(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with listen(model, optimizer, path=tmp_path / "norms.csv") as session:
        train(model, optimizer, 100)
        (hook,) = optimizer._optimizer_step_pre_hooks.values()
        for _ in range(5_000):  # until Python has as many tuples in reserve as it ever keeps
            hook(optimizer, (optimizer,), {})
        for _ in range(2_500):  # likewise for those of a look at the rows that wait for one
            hook(optimizer, (optimizer,), {})
            assert session.events == ()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(40_000):
            hook(optimizer, (optimizer,), {})
        assert session.events == ()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    assert grown < 40_000  # less than a byte a step


def test_a_sink_of_ones_own_gets_every_row_and_hears_the_end() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer) as session:
        train(model, optimizer, 1)
        sink = session.add(RowList())
        session.log(epoch=4)
        expected = train(model, optimizer, 3)
        assert sink.ended_well is None
    assert [row.step for row in sink.rows] == [1, 2, 3]
    np.testing.assert_allclose([row.norms for row in sink.rows], expected, rtol=1e-6)
    assert [row.metrics["epoch"] for row in sink.rows] == [4, 4, 4]
    assert all(row.missing is None and row.gaps.shape == row.norms.shape for row in sink.rows)
    assert sink.ended_well is True


def test_a_sink_is_told_of_an_exception() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError), listen(model, optimizer) as session:
        sink = session.add(RowList())
        raise ZeroDivisionError
    assert sink.ended_well is False


def test_every_option_is_shown_with_the_default_of_what_it_reaches() -> None:
    from gradmidi.measure.probe import GradientProbe
    from gradmidi.outputs.live import LiveOutput
    from gradmidi.session.options import LIVE_DEFAULTS, PROBE_DEFAULTS

    shown = inspect.signature(listen).parameters
    for table, target in ((PROBE_DEFAULTS, GradientProbe), (LIVE_DEFAULTS, LiveOutput)):
        theirs = inspect.signature(target).parameters
        for name, default in table.items():
            assert shown[name].default == theirs[name].default == default
    assert {"scale", "style", "unit", "groups"} <= set(shown)


def test_options_of_the_performance_may_be_given_by_themselves(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with listen(model, optimizer, live=f"file:{tmp_path / 'a.txt'}", pace="wait", unit="10ms") as session:
        train(model, optimizer, 3)
    assert session.report.live is not None
    assert session.report.live.heard == 3
    with listen(model, optimizer, live=False) as session:
        assert session.live is None
