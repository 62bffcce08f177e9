"""Listens to the trainings of a script without its knowledge; what `gradmidi run` starts in its processes."""

from __future__ import annotations

import atexit
from functools import partial
from weakref import WeakSet

from torch.optim import Optimizer

from gradmidi.errors import InputError
from gradmidi.measure.distributed import is_sharded, launched_rank
from gradmidi.measure.finding import living_optimizers, model_of
from gradmidi.measure.probe import GradientProbe
from gradmidi.saying import warn
from gradmidi.session import Session
from gradmidi.session.ending import how_the_script_ended
from gradmidi.unattended.handover import Handover, claim_number, take, tell_event, tell_of


class AutoListener:
    """Records every training of this process.

    At the first step of an optimizer it attaches to that one and all others there are, which go into one recording; an
    optimizer that is made later begins another. Only weak references are kept, so that a training that the script
    drops can be freed. Never raises.
    """

    def __init__(self) -> None:
        self._handover = take()
        self._known: WeakSet[Optimizer] = WeakSet()
        self._sessions: WeakSet[UnattendedSession] = WeakSet()
        atexit.register(self._end)

    def hear(self, optimizer: Optimizer) -> None:
        """Called before every step of every optimizer; the first step is already measured."""
        if optimizer in self._known:
            return
        self._known.add(optimizer)
        if launched_rank() != 0:
            return
        try:
            self._attach([one for one in living_optimizers(optimizer) if one is optimizer or one not in self._known])
        except Exception as error:
            warn(f"gradmidi cannot listen to {type(optimizer).__name__}: {type(error).__name__}: {error}")

    def _attach(self, optimizers: list[Optimizer]) -> None:
        self._known.update(optimizers)
        if any(is_sharded(p) for one in optimizers for group in one.param_groups for p in group["params"]):
            # A correct norm needs every rank; if one of them does not run under gradmidi, the others would hang.
            raise RuntimeError("its parameters are sharded; use gradmidi.listen on every rank")
        self._sessions.add(_session(self._handover, optimizers, claim_number()))

    def _end(self) -> None:
        for session in list(self._sessions):
            session.end(well=True, how=how_the_script_ended())


class UnattendedSession(Session):
    """Detaches by itself when its training is dropped."""

    says_findings = False  # `gradmidi run` says them when the script has ended
    join_remedy = 'gradmidi.listen(..., layers="all") in the script takes every layer from the start'

    def __del__(self) -> None:
        # On CUDA the last rows are still on their way; a port has to receive the ends of its notes.
        if not getattr(self, "_over", True):
            self.detach()


def _session(handover: Handover, optimizers: list[Optimizer], number: int) -> UnattendedSession:
    model = model_of(optimizers)
    told: list[str] = []
    begin = partial(
        UnattendedSession,
        lambda on_step: GradientProbe(model, optimizers, on_step),
        path=handover.path(number),
        metrics=(),
        meta={**handover.meta, "model": type(model).__name__, "optimizer": _names(optimizers)},
        tell=told.append,
    )
    try:
        session = begin(existing=handover.existing)
    except InputError as error:
        if handover.existing != "append":
            raise
        told.append(str(error))  # the script has begun: better recorded in another file than not at all
        session = begin(existing="keep")
    tell_of(number, told)
    session.telling.receivers.append(("telling gradmidi run", partial(tell_event, number)))
    if handover.stop_on:
        session.telling.stop_on(handover.stop_on, partial(tell_event, number, stopped=True))
    if handover.live is not None and number == 1:
        try:
            session.play(handover.live, handover.live_options, handover.composer_options)
        except Exception as error:
            warn(f"gradmidi records, but cannot play: {error}")
    return session


def _names(optimizers: list[Optimizer]) -> str:
    return ", ".join(type(one).__name__ for one in optimizers)
