"""Someone is told: session.events, on_event with callbacks that raise, hang and flood, stop_on, and the last words."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import gradmidi as gm
from gradmidi.errors import InputError, TrainingWarning
from gradmidi.events import ONSET, Event, find_events
from gradmidi.recording.row import Row, RowList
from gradmidi.session import Session, doctor, listen, telling
from gradmidi.session.doctor import Doctor
from gradmidi.session.listener import MOST_WAITING, Listener
from gradmidi.session.problems import problems_of

EVENT = Event(3, 0, "nan", "NaN in fc at step 3", 3, where="fc", since=3, seen=4)


def network(layers: int = 2) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(layers)))
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int,
    spoil: Callable[[int, nn.Module], object] = lambda step, model: None,
) -> None:
    """Steps whose gradients ``spoil`` may change, as a fault would."""
    for step in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        spoil(step, model)
        kept = [p.detach().clone() for p in model.parameters()]
        optimizer.step()
        if optimizer.defaults["lr"] == 0:  # NaN is NaN all the same
            with torch.no_grad():
                [p.copy_(before) for p, before in zip(model.parameters(), kept, strict=True)]


def nan_at(*steps: int) -> Callable[[int, nn.Module], object]:
    return lambda step, model: model[1].weight.grad.fill_(float("nan")) if step in steps else None


def times(factor: float, first: int, end: int) -> Callable[[int, nn.Module], object]:
    """Gradients so many times as large."""
    return lambda step, model: [p.grad.mul_(factor) for p in model.parameters()] if first <= step < end else None


def still(layers: int = 2) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The weights stay, so that nothing else goes wrong than what is done to the gradients."""
    model, _ = network(layers)
    return model, torch.optim.SGD(model.parameters(), lr=0.0)


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def told_of(events: tuple[Event, ...] | list[Event]) -> list[tuple[str, str, int]]:
    return [(event.phase, event.kind, event.step) for event in events]


@pytest.mark.parametrize("options", [{}, {"path": "norms.csv"}, {"late": True}], ids=["memory", "file", "late"])
def test_a_session_finds_what_find_events_finds_in_its_recording(options, tmp_path, quiet) -> None:
    model, optimizer = still()
    if "path" in options:
        options = {"path": tmp_path / "norms.csv"}
    with listen(model, optimizer, **options) as session:
        train(model, optimizer, 700, times(300.0, 300, 360))
    expected = find_events(session.recording)
    found = [event._replace(row=event.step) for event in session.events]
    assert {"spike", "explosion", "finished"} <= {event.kind for event in found}
    assert [repr(event) for event in found] == [repr(event) for event in expected]
    assert session.report.events == session.events


def test_the_callback_gets_each_event_in_order_and_is_returned(quiet) -> None:
    model, optimizer = still()
    heard: list[Event] = []
    with listen(model, optimizer) as session:

        @session.on_event
        def note(event: gm.Event) -> None:
            heard.append(event)

        train(model, optimizer, 60, times(100.0, 40, 41))
    note(EVENT)
    assert heard == [*session.events, EVENT]
    assert told_of(heard)[0] == ("onset", "spike", 40)


def test_nan_is_told_while_its_step_is_made(quiet) -> None:
    """Not two seconds later: the step after it has not begun."""
    model, optimizer = network()
    at_step: list[int] = []
    with listen(model, optimizer) as session:
        session.telling.receivers.append(("test", lambda event: at_step.append(session.recording.steps[-1])))
        train(model, optimizer, 5, nan_at(2))
    assert at_step[0] == 2


def test_weights_and_random_states_are_those_without_gradmidi(quiet) -> None:
    def trained(listening: Callable[[nn.Module, torch.optim.Optimizer], Session | None]):
        model, optimizer = network(layers=40)
        random.seed(1)
        session = listening(model, optimizer)
        begun = time.perf_counter()
        # A flood: another layer is NaN in each step. The weights are mended, or all would be NaN.
        for step in range(60):
            optimizer.zero_grad()
            model(torch.randn(8, 4)).square().mean().backward()
            model[step % 40].weight.grad.fill_(float("nan"))
            optimizer.step()
            with torch.no_grad():
                model[step % 40].weight.normal_(0, 0.5)
        took = time.perf_counter() - begun
        found = session.events if session is not None else ()
        if session is not None:
            session.detach()
        states = [torch.get_rng_state(), torch.tensor(random.getstate()[1])]
        return [*(p.detach().clone() for p in model.parameters()), *states], took, found

    asleep = threading.Event()

    def told(*callbacks: Callable[[Event], object]):
        def listening(model, optimizer) -> Session:
            session = listen(model, optimizer)
            for callback in callbacks:
                session.on_event(callback)
            return session

        return listening

    def raises(event: Event) -> None:
        raise RuntimeError("mine")

    plain, _, _ = trained(lambda model, optimizer: None)
    watched, took, found = trained(told(raises, lambda event: asleep.wait(30), lambda event: None))
    asleep.set()
    assert len([event for event in found if event.kind == "nan"]) >= 40
    assert took < 5, "nothing waited for the callback that hangs"
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))


def test_a_callback_that_raises_is_dropped_with_one_warning() -> None:
    calls: list[Event] = []

    def bad(event: Event) -> None:
        calls.append(event)
        raise SystemExit("mine")

    with pytest.warns(TrainingWarning) as caught:
        hears = Listener(bad, "on_event callback bad")
        for _ in range(5):
            hears.hear(EVENT)
        hears.close()
    assert [str(one.message) for one in caught] == [
        "gradmidi: on_event callback bad stopped, the training continues: SystemExit: mine"
    ]
    assert len(calls) == 1


def test_a_callback_that_hangs_holds_nobody_up_and_what_is_lost_is_said_once() -> None:
    release = threading.Event()
    hears = Listener(lambda event: release.wait(60), "on_event callback slow", patience=0.2)
    begun = time.perf_counter()
    for _ in range(MOST_WAITING + 11):
        hears.hear(EVENT)
    assert time.perf_counter() - begun < 0.2
    assert hears._waiting.qsize() <= MOST_WAITING
    with pytest.warns(TrainingWarning) as caught:
        hears.close()
        hears.close()
    release.set()
    assert 0.2 <= time.perf_counter() - begun < 2
    (said,) = [str(one.message) for one in caught]
    lost = int(said.split("; ")[1].split()[0])
    assert lost in (MOST_WAITING + 10, MOST_WAITING + 11), "all but the one in its hands, if it had taken it in time"
    assert "has not returned 0.2 s after the end" in said


def test_a_slow_callback_is_waited_for_at_the_end() -> None:
    heard: list[Event] = []

    def slow(event: Event) -> None:
        time.sleep(0.02)
        heard.append(event)

    hears = Listener(slow, "slow")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(10):
            hears.hear(EVENT)
        hears.close()
    assert len(heard) == 10


def test_a_watch_that_fails_is_dropped_with_one_warning(monkeypatch) -> None:
    def fail(self, rows):
        raise ZeroDivisionError("no such layer")

    monkeypatch.setattr("gradmidi.events.Watch.find", fail)
    model, optimizer = network()
    with pytest.warns(TrainingWarning) as caught, listen(model, optimizer) as session:
        train(model, optimizer, 300)
        assert session.events == ()
    assert [str(one.message) for one in caught] == [
        "gradmidi: finding events stopped, the training continues: ZeroDivisionError: no such layer"
    ]
    assert len(session.recording) == 300


def test_layers_that_join_are_watched(quiet) -> None:
    model, _ = network(3)
    model[2].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with listen(model, optimizer) as session:
        train(model, optimizer, 4)
        model[2].requires_grad_(True)
        train(model, optimizer, 4, lambda step, model: step == 3 and model[2].weight.grad.fill_(float("inf")))
    assert session.layers[-1] == "2"
    assert next((event.kind, event.where, event.step) for event in session.events) == ("inf", "2", 7)


def test_attached_again_it_goes_on_and_ends_twice(quiet) -> None:
    model, optimizer = still()
    heard: list[Event] = []
    session = listen(model, optimizer)
    session.on_event(heard.append)
    for _ in range(2):
        session.attach()
        train(model, optimizer, 30)
        session.detach()
        session.detach()
    assert told_of(heard) == [("onset", "finished", 29), ("onset", "finished", 59)]


@pytest.mark.parametrize(
    ("raised", "how"),
    [(None, "well"), (KeyboardInterrupt, "early, stopped by a person,"), (ValueError, "with an exception")],
)
def test_the_last_event_says_how_the_run_ended(raised: type[BaseException] | None, how: str) -> None:
    model, optimizer = network()
    session = listen(model, optimizer)
    try:
        with session:
            train(model, optimizer, 5)
            if raised is not None:
                raise raised
    except (KeyboardInterrupt, ValueError):
        pass
    assert session.events[-1].text == f"the run ended {how} after 5 steps"


def test_a_rank_that_does_not_record_tells_nobody(monkeypatch, tmp_path, quiet) -> None:
    monkeypatch.setattr("gradmidi.measure.distributed.rank", lambda: 1)
    model, optimizer = network()
    heard: list[Event] = []
    with listen(model, optimizer, path=tmp_path / "norms.csv") as session:
        session.on_event(heard.append)
        train(model, optimizer, 5, nan_at(2))
    assert (heard, session.events, list(tmp_path.iterdir())) == ([], (), [])


def test_each_rank_has_its_own_events(monkeypatch, tmp_path, quiet) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    model, optimizer = network()
    with listen(model, optimizer, path=tmp_path / "norms.csv", ranks="each"):
        train(model, optimizer, 5, nan_at(2))
    assert {path.name for path in tmp_path.iterdir()} == {"norms.rank1.csv", "events.rank1.csv"}


def test_a_forked_child_tells_nobody(quiet) -> None:
    model, optimizer = still()
    heard: list[Event] = []
    with listen(model, optimizer) as session:
        session.on_event(heard.append)
        train(model, optimizer, 5, nan_at(2))
        child = os.fork()
        if child == 0:
            session.stop_on("inf")
            train(model, optimizer, 300, nan_at(2))
            session.end(well=True)
            os._exit(0 if len(session.telling.events) == 1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [event.kind for event in heard if event.phase == ONSET] == ["nan", "finished"]


def test_stop_on_interrupts_at_the_step_and_every_sink_has_its_row() -> None:
    model, optimizer = network()
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.warns(TrainingWarning) as caught, pytest.raises(KeyboardInterrupt), listen(model, optimizer) as session:
        session.stop_on("explosion", "nan")
        rows = session.add(RowList())
        train(model, optimizer, 1)
        before = [p.detach().clone() for p in model.parameters()]
        train(model, optimizer, 50, nan_at(0))
    assert len(session.recording) == len(rows.rows) == 2
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)), "before NaN gets in"
    assert str(caught[0].message) == "gradmidi stops the training: NaN in 1 at step 1"
    assert session.events[-1].text == "the run ended early, stopped on nan, after 2 steps"


@pytest.mark.parametrize("handler", [signal.SIG_IGN, "own"])
def test_stop_on_does_what_ctrl_c_does_in_this_process(handler, quiet) -> None:
    """A handler of the script's own is called; a background job, which ignores Ctrl-C, is interrupted all the same."""
    called: list[int] = []
    before = signal.signal(
        signal.SIGINT, (lambda number, frame: called.append(number)) if handler == "own" else handler
    )
    try:
        model, optimizer = network()
        with listen(model, optimizer) as session:
            session.stop_on("nan")
            try:
                train(model, optimizer, 5, nan_at(2))
            except KeyboardInterrupt:
                called.append(-1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert called == ([signal.SIGINT] if handler == "own" else [-1])


def test_what_is_found_at_the_end_stops_nothing(monkeypatch, quiet) -> None:
    monkeypatch.setattr(doctor, "LOOK_EVERY", 60.0)  # s; nothing is looked at before the end, however slow the machine
    model, optimizer = still()
    with listen(model, optimizer) as session:
        session.stop_on("spike", "zero")
        train(model, optimizer, 40, lambda step, model: [p.grad.mul_(step < 25) for p in model.parameters()])
    assert "zero" in {event.kind for event in session.events}


@pytest.mark.parametrize("kinds", [["nann"], ["finished"], []])
def test_stop_on_refuses_what_is_no_kind_of_trouble(kinds: list[str]) -> None:
    model, optimizer = network()
    with listen(model, optimizer) as session, pytest.raises(InputError, match=r"stop_on\(\): .*choose from nan, inf"):
        session.stop_on(*kinds)
    assert not session.events


def test_a_flood_is_cut_and_said(monkeypatch, quiet) -> None:
    monkeypatch.setattr(telling, "MOST_KEPT", 3)
    model, optimizer = still(8)
    with listen(model, optimizer) as session:
        train(model, optimizer, 8, lambda step, model: model[step].weight.grad.fill_(float("nan")))
    assert [event.step for event in session.events[:3]] == [0, 1, 2]
    assert session.events[-1].kind == "finished"
    assert "5 further events not kept in session.events" in session.report.notices


def test_a_healthy_run_says_nothing(recwarn) -> None:
    model, optimizer = still()
    with listen(model, optimizer) as session:
        train(model, optimizer, 400)
    assert told_of(session.events) == [("onset", "finished", 399)]
    assert session.report.problems == ()
    assert not [one for one in recwarn if issubclass(one.category, TrainingWarning)]


def test_the_last_words_hold_each_fact_once() -> None:
    model, optimizer = still()
    with pytest.warns(TrainingWarning) as caught, listen(model, optimizer) as session:
        train(model, optimizer, 400, times(300.0, 200, 260))
    (said,) = [str(one.message) for one in caught]
    explosion = next(event for event in session.events if event.kind == "explosion")
    assert said.count(explosion.text) == 1
    assert said.startswith("gradmidi: ")
    assert session.report.problems == tuple(said.removeprefix("gradmidi: ").split("; "))[: len(session.report.problems)]


def test_findings_and_events_are_not_said_twice() -> None:
    recording = gm.Recording.from_arrays(np.ones((100, 2)), ["a", "b"])
    norms = recording.norms.copy()
    norms[30, 0], norms[60:, 1] = np.nan, 0.0
    sick = gm.Recording.from_arrays(norms, ["a", "b"])
    from gradmidi.recording.findings import findings_of

    events = find_events(sick)
    assert {"nan", "zero"} <= {event.kind for event in events}
    assert problems_of(findings_of(sick), events) == (
        "NaN in 1 of 100 steps, first in a at step 30",
        "the gradient of b is exactly 0 from step 60 to the end",
    )
    repeated = [Event(0, 0, "spike", "spike in a at step 1", 1, seen=1), EVENT._replace(kind="spike", step=90)]
    over = [repeated[1]._replace(phase="recovered", step=150)] * 2
    assert problems_of((), repeated) == ("spike in a at step 1 (2 times, the last at step 90)",)
    assert problems_of((), repeated + over) == (
        "spike in a at step 1 (2 times, the last at step 90; over at step 150)",
    )


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def test_the_doctor_looks_at_once_only_where_there_is_reason() -> None:
    clock, looks, found = Clock(), [], []
    doctor = Doctor(["a"], found.extend, lambda events: None, clock)
    find = doctor._watch.find

    def counted(rows):
        looks.append(len(rows))
        return find(rows)

    doctor._watch.find = counted  # type: ignore[method-assign]
    rows = [Row.of(step, [1.0]) for step in range(1000)]
    for row in rows[:300]:
        doctor.append(row)
    assert looks == [*[1] * 20, 256], "rows that come fast are looked at in blocks, but for the first"
    looks.clear()
    clock.time = 2.1
    doctor.append(rows[300])
    assert looks == [25], "and otherwise after two seconds"
    doctor.append(Row.of(301, [500.0]))
    assert looks == [25, 1]
    assert told_of(found) == [("onset", "spike", 301)]
    for step in range(302, 310):
        doctor.append(Row.of(step, [500.0]))
    assert len(looks) == 2, "what goes on already is no reason"
    doctor.append(Row.of(310, [float("nan")]))
    doctor.append(Row.of(311, [float("nan")]))
    assert looks[2:] == [9], "but NaN is, once"
