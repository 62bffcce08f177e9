"""listen: attach to any training loop in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from gradmidi.composition.options import COMPOSE_DEFAULTS
from gradmidi.outputs.live.options import LIVE_DEFAULTS, LiveOptions
from gradmidi.recording.csv_writer import METRICS
from gradmidi.session.options import (
    LISTEN_DEFAULTS,
    PROBE_DEFAULTS,
    ListenOptions,
    ProbeOptions,
    check_names,
    some_of,
)
from gradmidi.session.probe import Probe
from gradmidi.session.session import OWN_PORT, Session
from gradmidi.signatures import spelled_out

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


@spelled_out(ListenOptions, LISTEN_DEFAULTS)
def listen(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    *,
    path: str | Path | None = None,
    existing: str = "keep",
    first_step: int | None = None,
    live: bool | str | None = None,
    metrics: Sequence[str] = METRICS,
    meta: Mapping[str, object] | None = None,
    late: bool = False,
    ranks: str = "first",
    live_options: LiveOptions | None = None,
    probe_options: ProbeOptions | None = None,
    **options: Unpack[ListenOptions],
) -> Session:
    """Record, and optionally play, the gradient norms of ``model`` from now on.

    ::

        with gradmidi.listen(model, optimizer, live="gradmidi", scale="D dorian") as session:
            for x, y in loader:
                session.loss(loss_fn(model(x), y)).backward()
                optimizer.step()
                optimizer.zero_grad()
        session.recording.save("norms.csv")

    Args:
        model: the network; several go into an ``nn.ModuleDict``.
        optimizer: the torch optimizer, or several.
        path: a CSV that every step is written to at once, so that a killed run keeps what it has; memory then stays
            flat; what is found to be wrong goes into ``events.csv`` next to it. Without it the rows are kept in memory,
            9 bytes per layer and step.
        existing: what happens to an earlier recording at ``path``. ``"keep"`` renames it to ``norms.1.csv``, or the
            next free number, so that ``path`` is always the newest run; ``"append"`` continues it, with the same layers
            and metrics; ``"replace"`` overwrites it. A file without steps is always replaced.
        first_step: number of the first step. By default 0, or the one after the last step of a file that is
            continued.
        live: name of a MIDI port to play on while training; True or ``"gradmidi"`` opens a virtual port ``gradmidi``.
        metrics: columns besides the layers, filled by :meth:`Session.log`. In memory, and in a file before its first
            step, a name that is logged without being declared here becomes a column as well.
        meta: text by key, kept with the recording.
        late: numbers are logged after the step that they belong to, as the callbacks of frameworks do; rows are then
            handed on one step later.
        ranks: which processes of a distributed training record: ``"first"``, rank 0, or ``"each"``, for pipeline and
            expert parallelism, where each rank has different layers. Each then writes a recording, ``norms.rank0.csv``,
            ``norms.rank1.csv`` and so on, which :meth:`gradmidi.Recording.join` combines. Live sound comes
            from rank 0.
        live_options: a dictionary of options of the performance; each of them may also be given as a keyword.
        probe_options: likewise for measuring.
        options: how to measure (:class:`gradmidi.session.options.ProbeOptions`: ``layers``, ``every`` …), how to make
            notes (:class:`gradmidi.composition.options.ComposeOptions`: ``scale``, ``mapping`` …) and how to perform
            (:class:`gradmidi.outputs.live.options.LiveOptions`: ``pace``, ``cc`` …). Without ``live`` the options
            for notes are checked and have no effect; a recording is composed afterwards.

    Cost: that of the probe; about 5 µs per step for finding events, and 1 µs per 20 layers; with ``path`` one small
    write per step (about 5 µs, and 1 µs per layer).

    Raises:
        InputError: an argument that cannot be used, a file that another process records to, or a file to be continued
            that has other columns; nothing is attached then.
        MissingPartError: what live sound needs is not installed.
    """
    from gradmidi.measure.probe import GradientProbe

    check_names(options)
    probing = {**(probe_options or {}), **some_of(options, PROBE_DEFAULTS)}
    performing = {**(live_options or {}), **some_of(options, LIVE_DEFAULTS)}
    composing = some_of(options, COMPOSE_DEFAULTS)
    port = OWN_PORT if live is True else live or None
    return Session(
        lambda on_step: _checked(GradientProbe(model, optimizer, on_step, ranks=ranks, **probing), composing),
        path=path,
        existing=existing,
        first_step=first_step,
        metrics=metrics,
        meta={**(meta or {}), "model": (meta or {}).get("model", type(model).__name__)},
        late=late,
        ranks=ranks,
        play=None if port is None else (port, performing, composing),
    )


def _checked(probe: Probe, composing: Mapping[str, Any]) -> Probe:
    """The probe, before any file is made; detached where its layers cannot be composed with these options."""
    from gradmidi.composition.composer import Composer

    try:
        if composing:
            Composer(probe.layers, **composing)
    except BaseException:
        probe.detach()
        raise
    return probe
