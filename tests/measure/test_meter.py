"""Rows that arrive late, as from a CUDA device: in order, complete, and never waited for within a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from gradmidi.measure.layers import Layer
from gradmidi.measure.meter import Meter
from gradmidi.measure.reading import Buffer, HostCopies, Part, Reading
from gradmidi.measure.row import RowMaker, StepNorms


class Event:
    """A CUDA event that happens when told, or when waited for."""

    def __init__(self) -> None:
        self.happened = False
        self.waited = False

    def query(self) -> bool:
        return self.happened

    def synchronize(self) -> None:
        self.waited = self.happened = True


class Device:
    """A source and its reader; what it reads arrives when its event happens."""

    def __init__(self) -> None:
        self.positions = range(1)
        self.reader = self
        self.parameters = [nn.Parameter(torch.zeros(1))]
        self.copies = HostCopies()
        self.events: list[Event] = []

    def read(self, notes: Mapping[str, Any]) -> Reading:
        host = torch.tensor([float(len(self.events))])
        self.events.append(Event())
        return Reading([Part(range(1), (), host.numpy(), Buffer(host, self.events[-1]))], dict(notes))


def meter(count: int = 1) -> tuple[Meter, list[Device], list[StepNorms]]:
    devices, rows = [Device() for _ in range(count)], []
    layers = [Layer(str(i), (nn.Parameter(torch.zeros(1)),)) for i in range(count)]
    for i, device in enumerate(devices):
        device.positions = range(i, i + 1)
    return Meter(devices, RowMaker(layers, ["grad_norm"]), rows.append), devices, rows


def test_rows_wait_for_their_event_and_for_the_rows_before_them() -> None:
    measuring, (device,), rows = meter()
    for _ in range(3):
        measuring.measure(0)
    assert not rows
    device.events[1].happened = True
    measuring.measure(0)
    assert not rows  # step 0 has not arrived, so step 1 may not go first
    device.events[0].happened = True
    measuring.measure(0)
    assert [row.step for row in rows] == [0, 1]
    assert [row.norms[0] for row in rows] == [0.0, 1.0]
    assert not any(event.waited for event in device.events)
    measuring.flush()
    assert [row.step for row in rows] == [0, 1, 2, 3, 4]


def test_a_row_of_two_devices_waits_for_both() -> None:
    measuring, (first, second), rows = meter(2)
    measuring.measure(0)
    measuring.measure(1)
    first.events[0].happened = True
    measuring.measure(0)
    assert not rows
    second.events[0].happened = True
    measuring.measure(1)
    assert [row.step for row in rows] == [0]


def test_a_buffer_is_used_again_only_after_its_row_was_taken() -> None:
    measuring, (device,), rows = meter()
    measuring.measure(0)
    measuring.measure(0)
    assert not device.copies._free
    device.events[0].happened = True
    measuring.measure(0)
    (free,) = device.copies._free.values()
    assert [buffer.event for buffer in free] == [device.events[0]]
    free[0].host.fill_(99.0)
    assert rows[0].norms[0] == 0.0


def test_notes_go_with_the_step_that_they_were_made_for() -> None:
    measuring, _, rows = meter()
    for value in (1.5, 2.5):
        measuring.note({"loss": value})
        measuring.measure(0)
    measuring.measure(0)
    measuring.flush()
    np.testing.assert_array_equal([row.metrics.get("loss", np.nan) for row in rows], [1.5, 2.5, np.nan])
