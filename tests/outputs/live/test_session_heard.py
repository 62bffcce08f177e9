"""Events of a session over live sound: those that the doctor finds, in the row in which they are, as in the file."""

import numpy as np
import pytest
import torch
from torch import nn

import gradmidi as gm
from gradmidi.outputs.midi_events import note_events
from gradmidi.recording import Recording
from tests.outputs.live.devices import is_note_on
from tests.outputs.live.simulated import SimulatedPlayer, exact

PERCUSSION = 9
NAN = 38
LATENCY = 0.05  # s from handing a step over to its first note


@pytest.fixture
def player():
    return SimulatedPlayer(max_rate=10_000)


@pytest.fixture
def net():
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(3)))
    return model, torch.optim.SGD(model.parameters(), lr=0.0)


def train(net, steps, spoil=lambda step, model: None):
    model, optimizer = net
    for step in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        spoil(step, model)
        kept = [p.detach().clone() for p in model.parameters()]
        optimizer.step()
        with torch.no_grad():
            [p.copy_(before) for p, before in zip(model.parameters(), kept, strict=True)]


def trouble(step, model):
    if step == 30:
        model[1].weight.grad.fill_(float("nan"))
    if 60 <= step < 90:
        model[0].weight.grad.zero_()
    if 120 <= step < 150:
        [p.grad.mul_(1000.0) for p in model.parameters()]


def percussion(messages):
    return [data for data in messages if data[0] in (0x90 | PERCUSSION, 0x80 | PERCUSSION)]


@pytest.mark.filterwarnings("ignore::gradmidi.errors.TrainingWarning")
def test_a_session_is_heard_as_its_recording_is_composed(net, player):
    options = {"unit": 0.002}
    with gm.listen(*net, live=player, pace="wait", max_rate=10_000, **options) as session:
        train(net, 260, trouble)
    rows = session.recording
    rows = Recording(rows.layers, rows.steps, rows.norms, rows.metrics)  # without its end, which makes no sound live
    score = gm.compose(rows, **options)
    file = [bytes(event.message.bytes()) for event in note_events(score, "12tet")]
    assert percussion(heard.data for heard in player.heard) == percussion(file)
    assert {"nan", "zero", "explosion"} <= {event.kind for event in session.events}


@pytest.mark.filterwarnings("ignore::gradmidi.errors.TrainingWarning")
def test_the_step_of_a_nan_says_so_and_a_training_that_stops_on_it_too(net, player):
    with pytest.raises(KeyboardInterrupt), gm.listen(*net, live=player, unit=0.5) as session:
        session.stop_on("nan")
        train(net, 20)
        player.wait(0.5)
        asked = player.time.now()
        try:
            train(net, 5, lambda step, model: model[1].weight.grad.fill_(np.nan))
        finally:
            player.wait(0.2)
    (stroke,) = [heard for heard in player.heard if is_note_on(heard.data) and heard.data[:2] == bytes((0x99, NAN))]
    assert exact(stroke.at - asked) == LATENCY
    assert len(session.recording) == 21 and session.live is not None
